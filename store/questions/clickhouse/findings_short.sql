-- The same for a terminal: few columns, and times without fractions.
SELECT
    substring(found.finding_id, 1, 8) AS id,
    formatDateTime(found.detected_at, '%Y-%m-%d %H:%i:%S', 'UTC') AS detected_at,
    toString(found.severity) AS severity,
    found.detector AS detector,
    found.sentence AS sentence
FROM findings_current AS found
WHERE
    toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
    AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
    AND ({detector:String} = '' OR found.detector = {detector:String})
    AND ({principal_id:String} = '' OR found.principal_id = {principal_id:String})
ORDER BY
    found.severity DESC,
    found.score DESC,
    found.detected_at,
    found.finding_id
LIMIT {rows_max:Int64}
