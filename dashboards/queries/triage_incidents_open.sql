SELECT count() AS incidents
FROM incidents FINAL
WHERE {tenant}
    AND first_detected_at <= ($__toTime_ms)
    AND last_detected_at >= ($__fromTime_ms)
    AND status = 'open'
