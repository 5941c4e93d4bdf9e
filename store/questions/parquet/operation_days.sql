-- From when to when operations are known: the first day and the last.
SELECT
    count(*) AS n,
    CAST(min(day_start) AS BIGINT) AS first_us,
    CAST(max(day_start) AS BIGINT) AS last_us
FROM operations
WHERE tenant_id = $tenant_id
