SELECT
    tenant_id,
    principal_id,
    detector,
    count() AS findings
FROM findings_current
WHERE {detected}
    AND severity = 'critical'
    AND suppressed_by IS NULL
GROUP BY tenant_id, principal_id, detector
ORDER BY tenant_id, principal_id, detector
LIMIT 100
