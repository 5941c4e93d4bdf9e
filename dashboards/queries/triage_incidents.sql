SELECT
    last_detected_at,
    first_detected_at,
    severity,
    status,
    findings,
    identities,
    detectors,
    connected_by,
    sentence,
    tenant_id,
    incident_id
FROM incidents FINAL
WHERE {tenant}
    AND first_detected_at <= ($__toTime_ms)
    AND last_detected_at >= ($__fromTime_ms)
    AND status != 'merged'
ORDER BY status = 'open' DESC, severity DESC, last_detected_at DESC, incident_id
LIMIT 100
