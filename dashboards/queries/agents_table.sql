SELECT
    principal_id,
    max(hour.window_start) AS last_active,
    count() AS hours,
    sum(hour.acted_requests) AS acted_requests,
    max(hour.subjects_distinct) AS subjects_max,
    sum(hour.subjects_new) AS subjects_new,
    max(hour.chain_actors_max) AS chain_actors_max,
    max(hour.tools_distinct) AS tools_max,
    sum(hour.tools_new) AS tools_new,
    max(hour.calls_repeated_max) AS calls_repeated_max,
    tenant_id
FROM windows AS hour
WHERE {tenant}
    AND $__timeFilter_ms(window_start)
    AND (hour.acted_requests > 0 OR hour.tools_distinct > 0)
GROUP BY tenant_id, principal_id
ORDER BY acted_requests DESC, tools_max DESC, hours DESC, principal_id
LIMIT 100
