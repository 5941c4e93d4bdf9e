SELECT
    time,
    replaceRegexpOne(name, '_(sum|count)$', '') AS series,
    sumIf(grown, endsWith(name, '_sum')) / nullIf(sumIf(grown, endsWith(name, '_count')), 0) AS value
FROM (
    SELECT
        $__timeInterval(at) AS time,
        name,
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
HAVING isNotNull(value)
ORDER BY time, series
