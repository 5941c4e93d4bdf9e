SELECT
    tenant_id,
    countIf(detector = 'identity_explosion' AND suppressed_by IS NULL) AS findings
FROM findings_current
WHERE {detected}
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT 100
