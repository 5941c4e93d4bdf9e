-- Findings by UTC day and severity, in the order of time, those that feedback suppresses apart; with the
-- first and the last time of detection of the others.
SELECT
    CAST(found.detected_at AS BIGINT) / 86400000000 AS day,
    found.severity,
    COALESCE(sum(CASE WHEN found.suppressed_by IS NULL THEN 1 ELSE 0 END), 0) AS findings,
    COALESCE(sum(CASE WHEN found.suppressed_by IS NULL THEN 0 ELSE 1 END), 0) AS suppressed,
    min(CASE WHEN found.suppressed_by IS NULL THEN found.detected_at END) AS first_at,
    max(CASE WHEN found.suppressed_by IS NULL THEN found.detected_at END) AS last_at
FROM findings_current AS found
WHERE
    CAST(found.detected_at AS BIGINT) >= $since_us
    AND CAST(found.detected_at AS BIGINT) < $until_us
    AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
    AND ($principal_id = '' OR found.principal_id = $principal_id)
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT $rows_max
