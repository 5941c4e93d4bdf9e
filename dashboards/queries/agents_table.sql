SELECT
    principal_id,
    max(last_start) AS last_active,
    count() AS hours,
    sum(acted) AS acted_requests,
    max(subjects) AS subjects_max,
    sum(subjects_fresh) AS subjects_new,
    max(chain) AS chain_actors_max,
    max(tools) AS tools_max,
    sum(tools_fresh) AS tools_new,
    max(repeated) AS calls_repeated_max,
    tenant_id
FROM (
    SELECT
        tenant_id,
        principal_id,
        window_start AS last_start,
        max(acted_requests) AS acted,
        max(subjects_distinct) AS subjects,
        max(subjects_new) AS subjects_fresh,
        max(chain_actors_max) AS chain,
        max(tools_distinct) AS tools,
        max(tools_new) AS tools_fresh,
        max(calls_repeated_max) AS repeated
    FROM windows
    WHERE {tenant}
        AND $__timeFilter_ms(window_start)
        AND (acted_requests > 0 OR tools_distinct > 0)
    GROUP BY tenant_id, principal_id, last_start
)
GROUP BY tenant_id, principal_id
ORDER BY acted_requests DESC, tools_max DESC, hours DESC, principal_id
LIMIT 100
