SELECT
    worker,
    argMaxIf(labels['version'], at, name = 'habitus_build_info') AS version,
    argMaxIf(labels['state'], at, name = 'habitus_state' AND value = 1) AS state,
    if(
        last_seen >= max(max(at)) OVER (PARTITION BY app) - INTERVAL 1 MINUTE,
        argMaxIf(value, at, name = 'habitus_is_leader'),
        0
    ) AS leads,
    fromUnixTimestamp64Milli(toInt64(1000 * maxIf(value, name = 'process_start_time_seconds')), 'UTC') AS started_at,
    max(at) AS last_seen,
    argMaxIf(value, at, name = 'process_resident_memory_bytes') AS memory,
    app
FROM metrics
WHERE {app}
    AND {worker}
    AND $__timeFilter_ms(at)
    AND name IN ('habitus_build_info', 'habitus_state', 'habitus_is_leader', 'process_start_time_seconds', 'process_resident_memory_bytes')
GROUP BY app, worker
ORDER BY last_seen DESC, app, worker
LIMIT 100
