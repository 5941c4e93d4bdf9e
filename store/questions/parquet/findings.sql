-- Findings with all their columns, the most severe first.
SELECT found.*
FROM findings_current AS found
WHERE
    CAST(found.detected_at AS BIGINT) >= $since_us
    AND CAST(found.detected_at AS BIGINT) < $until_us
    AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
    AND ($detector = '' OR found.detector = $detector)
    AND ($principal_id = '' OR found.principal_id = $principal_id)
    AND ($with_suppressed = 1 OR found.suppressed_by IS NULL)
ORDER BY
    CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
    found.score DESC,
    found.detected_at,
    found.finding_id
LIMIT $rows_max
OFFSET $skip
