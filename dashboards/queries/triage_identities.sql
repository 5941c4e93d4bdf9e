SELECT uniqExact(tenant_id, principal_id) AS identities
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND severity >= 'high'
    AND suppressed_by IS NULL
    AND principal_id != ''
