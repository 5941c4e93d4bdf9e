-- The first and the last hour that the store has windows of, by tenant.
SELECT
    tenant_id,
    min(window_start) AS first_at,
    max(window_start) AS last_at
FROM windows
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT $rows_max
