SELECT
    $__timeInterval(start) AS time,
    {columns}
FROM (
    SELECT
        tenant_id,
        principal_id,
        window_start AS start,
        max(acted_requests) AS acted,
        max(subjects_distinct) AS subjects,
        max(chain_actors_max) AS chain,
        max(tools_distinct) AS tools,
        max(tools_new) AS tools_fresh,
        max(calls_repeated_max) AS repeated
    FROM windows
    WHERE {tenant}
        AND $__timeFilter_ms(window_start)
        AND (acted_requests > 0 OR tools_distinct > 0)
    GROUP BY tenant_id, principal_id, start
)
GROUP BY time
ORDER BY time
