SELECT
    app,
    if(
        sumIf(value, name = 'habitus_source_lag_records') > 0,
        maxIf(value, name = 'habitus_watermark_delay_seconds'),
        0
    ) AS delay
FROM (
    SELECT
        app,
        name,
        argMax(value, at) AS value
    FROM metrics
    WHERE $__timeFilter_ms(at)
        AND name IN ('habitus_watermark_delay_seconds', 'habitus_source_lag_records')
    GROUP BY app, worker, name, toString(labels)
)
GROUP BY app
ORDER BY app
