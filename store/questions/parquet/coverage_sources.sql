-- Where identities are taken from, and how many calls each way stands for.
SELECT
    principal_source,
    count(*) AS identities,
    sum(requests) AS requests
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY tenant_id, principal_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, active_hours DESC, state_bytes DESC
        ) AS place
    FROM identities
) AS known
WHERE place = 1
GROUP BY principal_source
ORDER BY requests DESC, principal_source
LIMIT $rows_max
