-- Findings by UTC day and severity, in the order of time, those that feedback suppresses apart; with the
-- first and the last time of detection of the others.
SELECT
    intDiv(toUnixTimestamp64Micro(found.detected_at), 86400000000) AS day,
    toString(found.severity) AS severity,
    CAST(countIf(found.suppressed_by IS NULL), 'Int64') AS findings,
    CAST(countIf(found.suppressed_by IS NOT NULL), 'Int64') AS suppressed,
    minOrNullIf(found.detected_at, found.suppressed_by IS NULL) AS first_at,
    maxOrNullIf(found.detected_at, found.suppressed_by IS NULL) AS last_at
FROM findings_current AS found
WHERE
    toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
    AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
    AND ({principal_id:String} = '' OR found.principal_id = {principal_id:String})
GROUP BY day, severity
ORDER BY day, severity
LIMIT {rows_max:Int64}
