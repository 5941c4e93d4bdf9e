SELECT
    tenant_id,
    count() AS findings
FROM findings_latest
WHERE {detected}
    AND detector = 'identity_explosion'
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT 100
