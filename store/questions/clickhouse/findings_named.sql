-- Findings with all their columns and the latest names of their identities, the most severe first. Names are
-- read of the identities of the same time alone.
SELECT
    page.*,
    ifNull(known.of_name, '') AS principal_name
FROM (
    SELECT found.* REPLACE (
        nullIf(found.principal_id, '') AS principal_id,
        toString(found.severity) AS severity
    )
    FROM findings_current AS found
    WHERE
        toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
        AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
        AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
        AND ({detector:String} = '' OR found.detector = {detector:String})
        AND ({principal_id:String} = '' OR found.principal_id = {principal_id:String})
        AND ({with_suppressed:Int64} = 1 OR found.suppressed_by IS NULL)
    ORDER BY
        found.severity DESC,
        found.score DESC,
        found.detected_at,
        found.finding_id
    LIMIT {rows_max:Int64}
) AS page
LEFT JOIN (
    SELECT tenant_id AS of_tenant, principal_id AS of_id, principal_name AS of_name
    FROM identities FINAL
    PREWHERE (tenant_id, principal_id) IN (
        SELECT tenant_id, principal_id
        FROM findings
        WHERE
            toUnixTimestamp64Micro(detected_at) >= {since_us:Int64}
            AND toUnixTimestamp64Micro(detected_at) < {until_us:Int64}
    )
) AS known ON known.of_tenant = page.tenant_id AND known.of_id = page.principal_id
ORDER BY
    indexOf(['info', 'low', 'medium', 'high', 'critical'], page.severity) DESC,
    page.score DESC,
    page.detected_at,
    page.finding_id
