SELECT
    tenant_id,
    countIf(detector = 'identity_explosion') AS findings
FROM findings_latest
WHERE {detected}
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT 100
