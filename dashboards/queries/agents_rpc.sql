SELECT
    day_start AS time,
    kind,
    sum(calls) AS requests
FROM (
    SELECT
        day_start,
        arrayStringConcat(arraySlice(splitByChar(' ', endpoint), 1, 2), ' ') AS kind,
        max(requests) AS calls
    FROM operations
    WHERE {tenant}
        AND {days_of}
        AND endpoint_source = 'rpc'
    GROUP BY tenant_id, principal_id, day_start, endpoint
)
GROUP BY time, kind
ORDER BY time, kind
LIMIT 10000
