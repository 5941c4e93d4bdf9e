SELECT
    $__timeInterval(window_start) AS time,
    {columns}
FROM windows AS hour
WHERE {tenant}
    AND $__timeFilter_ms(window_start)
    AND (hour.acted_requests > 0 OR hour.tools_distinct > 0)
GROUP BY time
ORDER BY time
