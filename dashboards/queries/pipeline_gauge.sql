SELECT
    $__timeInterval(at) AS time,
    {series} AS series,
    max(value) AS value
FROM metrics
WHERE {app}
    AND {worker}
    AND $__timeFilter_ms(at)
    AND name IN ({names})
GROUP BY time, series
ORDER BY time, series
