SELECT
    principal_id,
    principal_name,
    principal_type,
    principal_source,
    baseline_state,
    first_seen,
    last_seen,
    requests,
    active_hours,
    hours_usual,
    endpoints_known,
    endpoints_usual,
    networks_distinct_max,
    networks_new,
    peer_group,
    peers,
    windows_learned,
    windows_withheld,
    tenant_id
FROM identity_profile
WHERE {tenant}
    AND {named}
    AND first_seen <= ($__toTime_ms)
ORDER BY tenant_id
LIMIT 10
