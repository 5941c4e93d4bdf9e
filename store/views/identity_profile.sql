-- What is ordinary for an identity: its latest state, and what its hours add up to.
-- An hour that two runs saw happened once, with the higher numbers.
CREATE VIEW identity_profile AS
WITH
states AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY tenant_id, principal_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, risk DESC, endpoints_usual
        ) AS place
    FROM identities
),
hours AS (
    SELECT
        tenant_id,
        principal_id,
        CAST(date_part('hour', window_start) AS BIGINT) AS hour,
        CAST(max(requests) AS DOUBLE) AS requests,
        max(bytes_out) AS bytes_out,
        CAST(max(objects_distinct) AS DOUBLE) AS objects,
        max(networks_distinct) AS networks_distinct,
        max(networks_new) AS networks_new,
        max(user_agents_distinct) AS user_agents_distinct
    FROM windows
    GROUP BY tenant_id, principal_id, window_start, window_seconds
),
summed AS (
    SELECT
        tenant_id,
        principal_id,
        count(*) AS seen,
        array_sort(array_agg(requests)) AS sorted_requests,
        array_sort(array_agg(bytes_out)) AS sorted_bytes_out,
        array_sort(array_agg(objects)) AS sorted_objects,
        median(requests) AS requests_p50,
        median(bytes_out) AS bytes_out_p50,
        median(objects) AS objects_p50,
        max(networks_distinct) AS networks_distinct_max,
        sum(networks_new) AS networks_new,
        max(user_agents_distinct) AS user_agents_distinct_max
    FROM hours
    GROUP BY tenant_id, principal_id
),
-- Between two values in proportion; the engine's own percentile_cont rounds that to six digits.
ordinary AS (
    SELECT
        *,
        sorted_requests[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]
            + ((seen - 1) * 0.05 - floor((seen - 1) * 0.05))
                * (sorted_requests[CAST(ceil((seen - 1) * 0.05) AS BIGINT) + 1]
                    - sorted_requests[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]) AS requests_p05,
        sorted_requests[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]
            + ((seen - 1) * 0.95 - floor((seen - 1) * 0.95))
                * (sorted_requests[CAST(ceil((seen - 1) * 0.95) AS BIGINT) + 1]
                    - sorted_requests[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]) AS requests_p95,
        sorted_bytes_out[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]
            + ((seen - 1) * 0.05 - floor((seen - 1) * 0.05))
                * (sorted_bytes_out[CAST(ceil((seen - 1) * 0.05) AS BIGINT) + 1]
                    - sorted_bytes_out[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]) AS bytes_out_p05,
        sorted_bytes_out[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]
            + ((seen - 1) * 0.95 - floor((seen - 1) * 0.95))
                * (sorted_bytes_out[CAST(ceil((seen - 1) * 0.95) AS BIGINT) + 1]
                    - sorted_bytes_out[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]) AS bytes_out_p95,
        sorted_objects[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]
            + ((seen - 1) * 0.05 - floor((seen - 1) * 0.05))
                * (sorted_objects[CAST(ceil((seen - 1) * 0.05) AS BIGINT) + 1]
                    - sorted_objects[CAST(floor((seen - 1) * 0.05) AS BIGINT) + 1]) AS objects_p05,
        sorted_objects[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]
            + ((seen - 1) * 0.95 - floor((seen - 1) * 0.95))
                * (sorted_objects[CAST(ceil((seen - 1) * 0.95) AS BIGINT) + 1]
                    - sorted_objects[CAST(floor((seen - 1) * 0.95) AS BIGINT) + 1]) AS objects_p95
    FROM summed
),
-- Of the hours of the day those that have a fiftieth of all, and stretches of them that follow each
-- other: what stays equal in one is the hour less its place.
usual AS (
    SELECT tenant_id, principal_id, hour, hour - row_number() OVER (
        PARTITION BY tenant_id, principal_id ORDER BY hour
    ) AS stretch
    FROM (SELECT tenant_id, principal_id, hour, count(*) AS seen FROM hours GROUP BY tenant_id, principal_id, hour)
        AS by_hour
    JOIN (SELECT tenant_id AS all_tenant, principal_id AS all_principal, seen AS all_seen FROM ordinary) AS whole
        ON all_tenant = tenant_id AND all_principal = principal_id
    WHERE seen * 50 >= all_seen
),
stretches AS (
    SELECT tenant_id, principal_id, min(hour) AS first, max(hour) AS last
    FROM usual
    GROUP BY tenant_id, principal_id, stretch
),
in_words AS (
    SELECT
        tenant_id,
        principal_id,
        string_agg(
            CASE WHEN first = last THEN concat(first, '') ELSE concat(first, '-', last) END,
            ', ' ORDER BY first
        ) AS hours_usual
    FROM stretches
    GROUP BY tenant_id, principal_id
)
SELECT
    states.tenant_id,
    states.principal_id,
    states.principal_name,
    states.principal_type,
    states.principal_source,
    states.baseline_state,
    states.first_seen,
    states.last_seen,
    states.requests,
    states.active_hours,
    states.endpoints_known,
    states.endpoints_usual,
    states.risk,
    states.risk_findings,
    states.peer_group,
    states.peers,
    states.windows_learned,
    states.windows_withheld,
    coalesce(in_words.hours_usual, '') AS hours_usual,
    ordinary.requests_p05,
    ordinary.requests_p50,
    ordinary.requests_p95,
    ordinary.bytes_out_p05,
    ordinary.bytes_out_p50,
    ordinary.bytes_out_p95,
    ordinary.objects_p05,
    ordinary.objects_p50,
    ordinary.objects_p95,
    ordinary.networks_distinct_max,
    ordinary.networks_new,
    ordinary.user_agents_distinct_max
FROM states
LEFT JOIN ordinary
    ON ordinary.tenant_id = states.tenant_id AND ordinary.principal_id = states.principal_id
LEFT JOIN in_words
    ON in_words.tenant_id = states.tenant_id AND in_words.principal_id = states.principal_id
WHERE states.place = 1
