SELECT
    tenant_id,
    count() AS incidents
FROM incidents FINAL
WHERE $__timeFilter_ms(first_detected_at)
    AND status != 'merged'
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT 100
