SELECT
    topic,
    partition,
    argMax(health.offset, at) AS offset,
    max(watermark) AS watermark,
    max(at) AS committed_at,
    dateDiff('second', watermark, committed_at) AS behind,
    sum(health.events) AS events,
    sum(health.findings) AS findings,
    sum(health.late) AS late,
    sum(health.rejected) AS rejected,
    argMax(health.worker, at) AS last_worker,
    app
FROM pipeline_health AS health FINAL
WHERE {app}
    AND {worker}
    AND $__timeFilter_ms(at)
GROUP BY app, topic, partition
ORDER BY app, topic, partition
LIMIT 1100
