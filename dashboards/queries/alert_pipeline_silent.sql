SELECT count() AS epochs
FROM pipeline_health
WHERE $__timeFilter_ms(at)
