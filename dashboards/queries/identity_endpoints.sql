SELECT
    endpoint,
    sumIf(requests, day_start < ($__fromTime_ms)) AS requests_before,
    uniqExact(day_start) AS days,
    sumIf(requests, day_start >= ($__fromTime_ms)) AS requests_in_range,
    sumIf(requests - requests_accepted, day_start >= ($__fromTime_ms)) AS requests_not_accepted,
    max(day_start) AS last_day,
    tenant_id
FROM operations FINAL
WHERE {tenant}
    AND {identity}
    AND day_start >= ($__fromTime_ms) - INTERVAL 28 DAY
    AND day_start <= ($__toTime_ms)
GROUP BY tenant_id, endpoint
HAVING {which}
ORDER BY {order} DESC, endpoint
LIMIT 50
