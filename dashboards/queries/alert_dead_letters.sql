SELECT
    app,
    sum(grown) AS dead_letters
FROM (
    SELECT
        app,
        value - lagInFrame(value, 1, value) OVER counter AS step,
        if(step < 0, value, step) AS grown
    FROM metrics
    WHERE $__timeFilter_ms(at)
        AND name = 'habitus_dead_letters_total'
    WINDOW counter AS (PARTITION BY app, worker, toString(labels) ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY app
ORDER BY app
