SELECT
    day_start AS time,
    arrayStringConcat(arraySlice(splitByChar(' ', endpoint), 1, 2), ' ') AS kind,
    sum(done.requests) AS requests
FROM operations AS done
WHERE {tenant}
    AND $__timeFilter_ms(day_start)
    AND endpoint_source = 'rpc'
GROUP BY time, kind
ORDER BY time, kind
LIMIT 10000
