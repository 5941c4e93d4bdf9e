SELECT
    replaceOne(endpoint, 'mcp tools/call ', '') AS tool,
    count() AS agent_days,
    uniqExact(tenant_id, principal_id) AS agents,
    sum(called) AS requests,
    sum(called - accepted) AS requests_not_accepted,
    sum(flagged) AS requests_in_findings,
    min(day) AS first_day,
    max(day) AS last_day
FROM (
    SELECT
        tenant_id,
        principal_id,
        day_start AS day,
        endpoint,
        max(requests) AS called,
        argMax(requests_accepted, requests) AS accepted,
        argMax(requests_in_findings, requests) AS flagged
    FROM operations
    WHERE {tenant}
        AND $__timeFilter_ms(day_start)
        AND endpoint_source = 'rpc'
        AND startsWith(endpoint, 'mcp tools/call ')
    GROUP BY tenant_id, principal_id, day, endpoint
)
GROUP BY tool
ORDER BY requests DESC, tool
LIMIT 100
