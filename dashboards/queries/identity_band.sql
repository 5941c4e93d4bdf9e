SELECT
    $__timeInterval(window_start) AS time,
    max({feature}) AS observed,
    any(band[1]) AS p05,
    any(band[2]) AS p50,
    any(band[3]) AS p95
FROM windows FINAL
CROSS JOIN (
    SELECT arrayMap(it -> if(isNaN(it), NULL, it), quantilesExact(0.05, 0.5, 0.95)({feature})) AS band
    FROM windows FINAL
    WHERE {tenant}
        AND {identity}
        AND window_start >= ($__fromTime_ms) - INTERVAL 28 DAY
        AND window_start < ($__fromTime_ms)
) AS before
WHERE {tenant}
    AND {identity}
    AND $__timeFilter_ms(window_start)
GROUP BY time
ORDER BY time
