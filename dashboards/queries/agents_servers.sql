SELECT
    if(detector = 'agent_graph', splitByString('→', entity)[-1], arrayStringConcat(arrayPopBack(splitByChar('/', entity)), '/')) AS server,
    arrayStringConcat(groupUniqArrayIf(20)(splitByChar('/', entity)[-1], detector = 'tool_drift'), ', ') AS tools,
    count() AS findings,
    uniqExact(tenant_id, principal_id) AS agents,
    max(severity) AS severity_max,
    max(detected_at) AS last_detected_at
FROM findings FINAL
WHERE {tenant}
    AND {detected}
    AND detector IN ('tool_drift', 'agent_graph')
GROUP BY server
ORDER BY severity_max DESC, findings DESC, server
LIMIT 100
