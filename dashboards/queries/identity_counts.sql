SELECT
    $__timeInterval(window_start) AS time,
    {columns}
FROM windows AS hour FINAL
WHERE {tenant}
    AND {identity}
    AND $__timeFilter_ms(window_start)
GROUP BY time
ORDER BY time
