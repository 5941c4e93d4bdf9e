SELECT
    detected_at,
    severity,
    detector,
    entity,
    sentence,
    counterfactual,
    observed,
    expected,
    upper,
    unit,
    score,
    verdict,
    tenant_id,
    principal_id,
    finding_id
FROM findings_current
WHERE {tenant}
    AND {identity}
    AND {detected}
ORDER BY detected_at DESC, finding_id
LIMIT 200
