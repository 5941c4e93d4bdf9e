SELECT
    principal_id,
    if(principal_name IS NULL, principal_id, concat(principal_name, ' (', principal_id, ')')) AS label
FROM identities FINAL
WHERE {tenant}
ORDER BY risk DESC, last_seen DESC, principal_id
LIMIT 1000
