SELECT
    toDateTime(at + 1, 'UTC') AS time,
    category,
    found[at] AS findings
FROM (
    SELECT
        arrayJoin(splitByString(', ', toString(owasp))) AS category,
        sumMap(map(toDate(detected_at), 1)) AS found
    FROM findings FINAL
    WHERE {tenant}
        AND window_start >= toStartOfDay($__fromTime_ms, 'UTC') - INTERVAL 8 DAY
        AND window_start <= ($__toTime_ms)
        AND detected_at >= toStartOfDay($__fromTime_ms, 'UTC')
        AND detected_at <= ($__toTime_ms)
        AND owasp != ''
    GROUP BY category
)
ARRAY JOIN {days} AS at
ORDER BY time, category
