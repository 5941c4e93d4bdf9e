SELECT
    replaceOne(endpoint, 'mcp tools/call ', '') AS tool,
    uniq(tenant_id, principal_id) AS agents,
    sum(counts.1) AS requests,
    sum(counts.1 - counts.2) AS requests_not_accepted,
    sum(counts.3) AS requests_in_findings,
    min(day_start) AS first_day,
    max(day_start) AS last_day
FROM (
    SELECT
        tenant_id,
        principal_id,
        day_start,
        endpoint,
        max((done.requests, done.requests_accepted, done.requests_in_findings)) AS counts
    FROM operations AS done
    WHERE {tenant}
        AND {days_of}
        AND endpoint_source = 'rpc'
        AND startsWith(endpoint, 'mcp tools/call ')
    GROUP BY tenant_id, principal_id, day_start, endpoint
)
GROUP BY endpoint
ORDER BY requests DESC, tool
LIMIT 100
