-- What is normal for an identity: of each tenant the latest state, whatever run wrote it. A service
-- writes the state of who is silent too, with the same `last_seen`.
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY tenant_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, active_hours DESC, state_bytes DESC
        ) AS place
    FROM identities
    WHERE principal_id = $principal_id
)
WHERE place = 1
ORDER BY last_seen DESC, tenant_id
