SELECT DISTINCT worker
FROM metrics
WHERE {app}
    AND name = 'habitus_build_info'
    AND $__timeFilter_ms(at)
ORDER BY worker
LIMIT 1000
