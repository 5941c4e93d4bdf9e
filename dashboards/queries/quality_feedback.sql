SELECT
    given_at,
    verdict,
    scope,
    detector,
    principal_id,
    entity,
    reason,
    given_by,
    until,
    tenant_id,
    finding_id
FROM feedback FINAL
WHERE {tenant}
    AND $__timeFilter_ms(given_at)
ORDER BY given_at DESC, feedback_id
LIMIT 100
