SELECT
    detected_at,
    severity,
    detector,
    tenant_id,
    principal_id,
    entity,
    sentence,
    score,
    verdict,
    finding_id
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND {severity}
    AND suppressed_by IS NULL
    AND (tenant_id, principal_id, window_start, detector, finding_id) IN (
        SELECT tenant_id, principal_id, window_start, detector, finding_id
        FROM findings
        WHERE {tenant}
            AND {detected}
            AND {severity}
        ORDER BY severity DESC, detected_at DESC, finding_id
        LIMIT 1000
    )
ORDER BY severity DESC, detected_at DESC, finding_id
LIMIT 200
