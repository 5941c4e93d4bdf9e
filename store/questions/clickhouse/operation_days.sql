-- From when to when operations are known: the first day and the last.
SELECT
    CAST(count(), 'Int64') AS n,
    toUnixTimestamp64Micro(min(day_start)) AS first_us,
    toUnixTimestamp64Micro(max(day_start)) AS last_us
FROM operations
WHERE tenant_id = {tenant_id:String}
