SELECT uniq(tenant_id, principal_id) AS agents
FROM windows
WHERE {tenant}
    AND $__timeFilter_ms(window_start)
    AND (acted_requests > 0 OR tools_distinct > 0)
