-- Findings with all their columns, the most severe first.
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
OFFSET {skip:Int64}
