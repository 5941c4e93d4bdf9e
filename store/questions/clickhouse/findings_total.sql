-- How many findings all pages of a list have together, and how many of them are severe.
SELECT
    CAST(count(), 'Int64') AS n,
    CAST(countIf(found.severity IN ('critical', 'high')), 'Int64') AS severe
FROM findings_current AS found
WHERE
    toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
    AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
    AND ({detector:String} = '' OR found.detector = {detector:String})
    AND (
        {identity:String} = ''
        OR position(lowerUTF8(found.principal_id), {identity:String}) > 0
        OR (found.tenant_id, found.principal_id) IN (
            SELECT tenant_id, principal_id
            FROM identities
            WHERE {identity:String} != '' AND position(lowerUTF8(ifNull(principal_name, '')), {identity:String}) > 0
        )
    )
    AND (
        ({verdict:String} = '' AND found.suppressed_by IS NULL)
        OR {verdict:String} = 'any'
        OR ({verdict:String} = 'none' AND found.verdict IS NULL)
        OR toString(ifNull(found.verdict, '')) = {verdict:String}
    )
