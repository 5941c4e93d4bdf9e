-- How many peers of an identity use which operation, and from which day until which: those of its
-- group, or without one those of its kind. The row without an endpoint counts the peers that used any.
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
days AS (
    -- Of rows of the same day the one counts that has more calls, and all of it.
    SELECT
        *,
        CAST(day_start AS BIGINT) AS day_us,
        row_number() OVER (
            PARTITION BY principal_id, endpoint, day_start
            ORDER BY
                requests DESC,
                requests_accepted DESC,
                requests_in_findings DESC,
                endpoint_source
        ) AS place
    FROM operations
    WHERE
        tenant_id = $tenant_id
        AND principal_id <> $principal_id
        AND CAST(day_start AS BIGINT) >= $since_us
        AND CAST(day_start AS BIGINT) < $until_us
),
used AS (
    SELECT
        done.principal_id,
        done.endpoint,
        max(done.endpoint_source) AS endpoint_source,
        min(done.day_us) AS first_us,
        max(done.day_us) AS last_us
    FROM days AS done
    INNER JOIN states ON states.principal_id = done.principal_id
    WHERE
        states.place = 1
        AND done.place = 1
        AND (
            ($peer_group >= 0 AND states.peer_group = $peer_group)
            OR ($peer_group < 0 AND states.principal_type = $principal_type)
        )
        AND done.requests_accepted > 0
        AND done.endpoint_source NOT IN ('unrouted', 'overflow')
    GROUP BY done.principal_id, done.endpoint
)
SELECT
    '' AS endpoint,
    '' AS endpoint_source,
    0 AS first_us,
    0 AS last_us,
    count(DISTINCT principal_id) AS peers
FROM used
UNION ALL
SELECT
    endpoint,
    max(endpoint_source) AS endpoint_source,
    min(first_us) AS first_us,
    max(last_us) AS last_us,
    count(DISTINCT principal_id) AS peers
FROM used
GROUP BY endpoint
ORDER BY endpoint
