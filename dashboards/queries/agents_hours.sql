SELECT
    time,
    {columns}
FROM (
    SELECT
        $__timeInterval(window_start) AS time,
        max(acted_requests) AS acted_requests,
        max(subjects_distinct) AS subjects_distinct,
        max(tools_distinct) AS tools_distinct,
        max(chain_actors_max) AS chain_actors_max,
        max(calls_repeated_max) AS calls_repeated_max
    FROM windows AS once
    WHERE {tenant}
        AND $__timeFilter_ms(window_start)
        AND (once.acted_requests > 0 OR once.tools_distinct > 0)
    GROUP BY tenant_id, principal_id, window_start, window_seconds
) AS hour
GROUP BY time
ORDER BY time
