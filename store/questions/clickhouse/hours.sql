-- The hours of one identity of one tenant, the latest first. Two runs may have seen one alike.
SELECT
    toUnixTimestamp64Micro(hours.window_start) AS start_us,
    hours.window_start AS window_start,
    hours.requests AS requests,
    hours.endpoints_distinct AS endpoints_distinct,
    hours.endpoints_new AS endpoints_new,
    hours.objects_distinct AS objects_distinct,
    hours.bytes_out AS bytes_out,
    hours.status_401 + hours.status_403 + hours.status_404 AS refused
FROM windows AS hours FINAL
WHERE hours.tenant_id = {tenant_id:String} AND hours.principal_id = {principal_id:String}
ORDER BY hours.window_start DESC
LIMIT {rows_max:Int64}
