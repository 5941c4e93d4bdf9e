SELECT
    endpoint,
    sumIf(requests, NOT {in_range}) AS requests_before,
    uniqExact(day_start) AS days,
    sumIf(requests, {in_range}) AS requests_in_range,
    sumIf(requests - requests_accepted, {in_range}) AS requests_not_accepted,
    max(day_start) AS last_day,
    tenant_id
FROM operations FINAL
WHERE {tenant}
    AND {identity}
    AND day_start >= toStartOfDay($__fromTime_ms, 'UTC') - INTERVAL 28 DAY
    AND day_start <= ($__toTime_ms)
GROUP BY tenant_id, endpoint
HAVING {which}
ORDER BY {order} DESC, endpoint
LIMIT 50
