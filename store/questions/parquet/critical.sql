-- Critical findings, the latest first, in what a feed of denials needs of them.
SELECT
    found.finding_id,
    found.tenant_id,
    coalesce(found.principal_id, '') AS principal_id,
    coalesce(found.principal_type, '') AS principal_type,
    found.entity,
    found.detector,
    CAST(found.detected_at AS BIGINT) AS detected_us,
    substr(found.sentence, 1, 1000) AS sentence,
    CASE WHEN found.detector = 'auth_failures' THEN found.evidence ELSE '' END AS evidence,
    CASE WHEN found.suppressed_by IS NULL THEN 0 ELSE 1 END AS is_suppressed
FROM findings_current AS found
WHERE
    found.severity = 'critical'
    AND CAST(found.detected_at AS BIGINT) >= $since_us
ORDER BY detected_us DESC, found.finding_id
LIMIT $rows_max
