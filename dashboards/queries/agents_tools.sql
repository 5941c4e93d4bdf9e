SELECT
    replaceOne(endpoint, 'mcp tools/call ', '') AS tool,
    uniq(tenant_id, principal_id) AS agents,
    sum(done.requests) AS requests,
    sum(done.requests - done.requests_accepted) AS requests_not_accepted,
    sum(done.requests_in_findings) AS requests_in_findings,
    min(day_start) AS first_day,
    max(day_start) AS last_day
FROM operations AS done
WHERE {tenant}
    AND $__timeFilter_ms(day_start)
    AND endpoint_source = 'rpc'
    AND startsWith(endpoint, 'mcp tools/call ')
GROUP BY endpoint
ORDER BY requests DESC, tool
LIMIT 100
