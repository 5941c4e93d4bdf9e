-- What is normal for an identity: of each tenant the latest state, whatever run wrote it.
SELECT *
FROM identities FINAL
WHERE principal_id = {principal_id:String}
ORDER BY last_seen DESC, tenant_id
