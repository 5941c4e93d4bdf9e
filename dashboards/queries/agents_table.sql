SELECT
    principal_id,
    max(hour.window_start) AS last_active,
    count() AS hours,
    sum(hour.acted) AS acted_requests,
    max(hour.subjects) AS subjects_max,
    sum(hour.new_subjects) AS subjects_new,
    max(hour.actors) AS chain_actors_max,
    max(hour.tools) AS tools_max,
    sum(hour.new_tools) AS tools_new,
    max(hour.repeated) AS calls_repeated_max,
    tenant_id
FROM (
    SELECT
        tenant_id,
        principal_id,
        window_start,
        max(acted_requests) AS acted,
        max(subjects_distinct) AS subjects,
        max(subjects_new) AS new_subjects,
        max(chain_actors_max) AS actors,
        max(tools_distinct) AS tools,
        max(tools_new) AS new_tools,
        max(calls_repeated_max) AS repeated
    FROM windows
    WHERE {tenant}
        AND $__timeFilter_ms(window_start)
        AND (acted_requests > 0 OR tools_distinct > 0)
    GROUP BY tenant_id, principal_id, window_start, window_seconds
) AS hour
GROUP BY tenant_id, principal_id
ORDER BY acted_requests DESC, tools_max DESC, hours DESC, principal_id
LIMIT 100
