SELECT
    $__timeInterval(detected_at) AS time,
    countIf(severity = 'critical') AS critical,
    countIf(severity = 'high') AS high,
    countIf(severity = 'medium') AS medium,
    countIf(severity = 'low') AS low,
    countIf(severity = 'info') AS info
FROM findings FINAL
WHERE {tenant}
    AND {detected}
GROUP BY time
ORDER BY time
