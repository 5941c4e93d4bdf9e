SELECT
    detected_at,
    severity,
    detector,
    tenant_id,
    principal_id,
    entity,
    sentence,
    score,
    finding_id
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND detector IN ({detectors})
    AND suppressed_by IS NULL
ORDER BY detected_at DESC, finding_id
LIMIT 100
