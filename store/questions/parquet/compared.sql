-- Findings as far as they are compared with those of another run, in the order of their windows.
SELECT
    found.finding_id,
    found.tenant_id,
    found.principal_id,
    found.detector,
    found.entity,
    found.window_start,
    found.window_end,
    found.detected_at,
    found.severity,
    found.verdict,
    found.sentence,
    found.config_hash
FROM findings_current AS found
WHERE
    CAST(found.window_start AS BIGINT) >= $since_us
    AND CAST(found.window_start AS BIGINT) < $until_us
ORDER BY found.window_start, found.finding_id
LIMIT $rows_max
