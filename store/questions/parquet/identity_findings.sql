-- The findings of one identity of one tenant, the latest first.
SELECT
    found.finding_id,
    found.tenant_id,
    found.principal_id,
    found.entity,
    found.detector,
    found.severity,
    found.score,
    found.detected_at,
    CAST(found.detected_at AS BIGINT) AS detected_us,
    substr(found.sentence, 1, 1000) AS sentence,
    found.incident_id,
    found.verdict
FROM findings_current AS found
WHERE found.tenant_id = $tenant_id AND found.principal_id = $principal_id
ORDER BY found.detected_at DESC, found.finding_id
LIMIT $rows_max
