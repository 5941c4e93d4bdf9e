SELECT DISTINCT tenant_id
FROM identities
ORDER BY tenant_id
LIMIT 1000
