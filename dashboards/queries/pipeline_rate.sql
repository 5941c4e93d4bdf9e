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
        value - lagInFrame(value, 1, if(at > first_at, 0, value)) OVER counter AS step,
        if(step < 0, value, step) AS grown
    FROM (
        SELECT
            *,
            min(at) OVER (PARTITION BY app, worker) AS first_at
        FROM metrics
        WHERE {app}
            AND {worker}
            AND $__timeFilter_ms(at)
            AND name IN ({names})
    )
    WINDOW counter AS (PARTITION BY app, worker, name, toString(labels) ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE time > ($__fromTime_ms)
    AND time + toIntervalSecond($__interval_s) <= ($__toTime_ms)
GROUP BY time, series
ORDER BY time, series
