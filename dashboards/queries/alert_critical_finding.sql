SELECT
    tenant_id,
    principal_id,
    detector,
    count() AS findings
FROM findings_current
WHERE {recent}
    AND severity = 'critical'
    AND suppressed_by IS NULL
    AND finding_id IN (
        SELECT finding_id
        FROM findings
        WHERE {recent}
            AND severity = 'critical'
            AND $__timeFilter_ms(written_at)
    )
GROUP BY tenant_id, principal_id, detector
ORDER BY tenant_id, principal_id, detector
LIMIT 100
