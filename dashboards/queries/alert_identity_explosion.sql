SELECT
    tenant_id,
    count() AS findings
FROM findings_current
WHERE {recent}
    AND detector = 'identity_explosion'
    AND suppressed_by IS NULL
    AND finding_id IN (
        SELECT finding_id
        FROM findings
        WHERE {recent}
            AND detector = 'identity_explosion'
            AND $__timeFilter_ms(written_at)
    )
GROUP BY tenant_id
ORDER BY tenant_id
LIMIT 100
