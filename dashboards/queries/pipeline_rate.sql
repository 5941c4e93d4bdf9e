SELECT
    time,
    {series} AS series,
    sum(grown) / ($__interval_s) AS value
FROM (
    SELECT
        $__timeInterval(at) AS time,
        name,
        labels,
        worker,
        value - lagInFrame(value, 1, value) OVER counter AS step,
        if(step < 0, value, step) AS grown
    FROM metrics
    WHERE {app}
        AND {worker}
        AND $__timeFilter_ms(at)
        AND name IN ({names})
    WINDOW counter AS (PARTITION BY app, worker, name, toString(labels) ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY time, series
ORDER BY time, series
