-- The hours of one identity of one tenant, the latest first. Two runs may have seen one alike.
SELECT
    CAST(window_start AS BIGINT) AS start_us,
    window_start,
    requests,
    endpoints_distinct,
    endpoints_new,
    objects_distinct,
    bytes_out,
    status_401 + status_403 + status_404 AS refused
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY window_start, window_seconds ORDER BY requests DESC, bytes_out DESC) AS place
    FROM windows
    WHERE tenant_id = $tenant_id AND principal_id = $principal_id
)
WHERE place = 1
ORDER BY window_start DESC
LIMIT $rows_max
