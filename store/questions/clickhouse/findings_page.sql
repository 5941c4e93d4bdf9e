-- A page of findings in what a list shows of them, the most severe first. An identity is meant by a part
-- of its id or of its name, in small letters; a verdict is empty for those that lists show, `any`,
-- `none`, or one. The latest names are looked up of the findings of the page only.
SELECT
    page.finding_id AS finding_id,
    page.tenant_id AS tenant_id,
    page.principal_id AS principal_id,
    ifNull(known.of_name, '') AS principal_name,
    page.entity AS entity,
    page.detector AS detector,
    page.severity AS severity,
    page.score AS score,
    page.detected_at AS detected_at,
    page.sentence AS sentence,
    page.incident_id AS incident_id,
    page.verdict AS verdict
FROM (
    SELECT
        found.finding_id AS finding_id,
        found.tenant_id AS tenant_id,
        nullIf(found.principal_id, '') AS principal_id,
        found.entity AS entity,
        toString(found.detector) AS detector,
        toString(found.severity) AS severity,
        CAST(found.severity, 'Int8') AS place,
        found.score AS score,
        found.detected_at AS detected_at,
        substringUTF8(found.sentence, 1, 1000) AS sentence,
        found.incident_id AS incident_id,
        CAST(found.verdict, 'Nullable(String)') AS verdict
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
    ORDER BY
        found.severity DESC,
        found.score DESC,
        found.detected_at,
        found.finding_id
    LIMIT {rows_max:Int64}
    OFFSET {skip:Int64}
) AS page
LEFT JOIN (
    SELECT tenant_id AS of_tenant, principal_id AS of_id, principal_name AS of_name
    FROM identities FINAL
) AS known ON known.of_tenant = page.tenant_id AND known.of_id = page.principal_id
ORDER BY
    page.place DESC,
    page.score DESC,
    page.detected_at,
    page.finding_id
