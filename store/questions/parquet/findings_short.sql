-- The same for a terminal: few columns, and times without fractions.
SELECT
    substr(found.finding_id, 1, 8) AS id,
    to_char(found.detected_at, '%Y-%m-%d %H:%M:%S') AS detected_at,
    found.severity,
    found.detector,
    found.sentence
FROM (SELECT *, detected_at AS raised_at FROM findings_current) AS found
WHERE
    CAST(found.detected_at AS BIGINT) >= $since_us
    AND CAST(found.detected_at AS BIGINT) < $until_us
    AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
    AND ($detector = '' OR found.detector = $detector)
    AND ($principal_id = '' OR found.principal_id = $principal_id)
ORDER BY
    CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
    found.score DESC,
    found.raised_at,
    found.finding_id
LIMIT $rows_max
