SELECT
    principal_id,
    if(max(principal_name) IS NULL, principal_id, concat(max(principal_name), ' (', principal_id, ')')) AS label
FROM identities FINAL
WHERE {tenant}
GROUP BY principal_id
ORDER BY max(risk) DESC, max(last_seen) DESC, principal_id
LIMIT 1000
