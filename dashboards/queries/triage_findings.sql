SELECT
    detected_at,
    severity,
    detector,
    tenant_id,
    principal_id,
    entity,
    sentence,
    score,
    verdict,
    finding_id
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND {severity}
    AND suppressed_by IS NULL
ORDER BY severity DESC, detected_at DESC, finding_id
LIMIT 200
