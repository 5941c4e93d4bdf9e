SELECT
    splitByString('→', entity)[1] AS caller,
    splitByString('→', entity)[-1] AS callee,
    count() AS findings,
    max(severity) AS severity_max,
    max(detected_at) AS last_detected_at,
    argMax(sentence, (severity, detected_at)) AS sentence,
    tenant_id,
    principal_id
FROM findings FINAL
WHERE {tenant}
    AND {detected}
    AND detector = 'agent_graph'
GROUP BY tenant_id, principal_id, caller, callee
ORDER BY severity_max DESC, last_detected_at DESC, caller, callee
LIMIT 100
