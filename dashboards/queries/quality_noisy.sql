SELECT
    principal_id,
    count() AS findings,
    uniqExact(detector) AS detectors,
    countIf(verdict = 'benign') AS benign,
    countIf(verdict = 'malicious') AS malicious,
    max(severity) AS severity_max,
    count() / sum(count()) OVER () AS share,
    tenant_id
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND {detector}
GROUP BY tenant_id, principal_id
ORDER BY findings DESC, principal_id
LIMIT 50
