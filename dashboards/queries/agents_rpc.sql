SELECT
    day AS time,
    arrayStringConcat(arraySlice(splitByChar(' ', endpoint), 1, 2), ' ') AS kind,
    sum(called) AS requests
FROM (
    SELECT
        day_start AS day,
        endpoint,
        tenant_id,
        principal_id,
        max(requests) AS called
    FROM operations
    WHERE {tenant}
        AND $__timeFilter_ms(day_start)
        AND endpoint_source = 'rpc'
    GROUP BY tenant_id, principal_id, day, endpoint
)
GROUP BY time, kind
ORDER BY time, kind
