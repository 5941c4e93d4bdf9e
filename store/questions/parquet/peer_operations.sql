-- How many peers of an identity use which operation: those of its group, or without one those of its
-- kind. The row without an endpoint counts the peers that used any.
WITH states AS (
    SELECT
        principal_id,
        principal_type,
        peer_group,
        row_number() OVER (
            PARTITION BY principal_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, active_hours DESC, state_bytes DESC
        ) AS place
    FROM identities
    WHERE tenant_id = $tenant_id AND principal_id <> $principal_id
),
used AS (
    SELECT DISTINCT done.principal_id, done.endpoint, done.endpoint_source
    FROM operations AS done
    INNER JOIN states ON states.principal_id = done.principal_id
    WHERE
        states.place = 1
        AND (
            ($peer_group >= 0 AND states.peer_group = $peer_group)
            OR ($peer_group < 0 AND states.principal_type = $principal_type)
        )
        AND done.tenant_id = $tenant_id
        AND done.requests_accepted > 0
        AND done.endpoint_source NOT IN ('unrouted', 'overflow')
        AND CAST(done.day_start AS BIGINT) >= $since_us
        AND CAST(done.day_start AS BIGINT) < $until_us
)
SELECT '' AS endpoint, count(DISTINCT principal_id) AS peers
FROM used
UNION ALL
SELECT endpoint, count(DISTINCT principal_id) AS peers
FROM used
GROUP BY endpoint
ORDER BY endpoint
