SELECT
    principal_id,
    count() AS findings,
    uniqExact(found.detector) AS detectors,
    countIf(verdict = 'benign') AS benign,
    countIf(verdict = 'malicious') AS malicious,
    max(severity) AS severity_max,
    tenant_id
FROM findings_current AS found
WHERE {tenant}
    AND {detected}
    AND {detector}
    AND (tenant_id, principal_id) IN (
        SELECT tenant_id, principal_id
        FROM findings FINAL
        WHERE {tenant}
            AND {detected}
            AND {detector}
            AND principal_id != ''
        GROUP BY tenant_id, principal_id
        ORDER BY count() DESC, principal_id
        LIMIT 50
    )
GROUP BY tenant_id, principal_id
ORDER BY findings DESC, principal_id
