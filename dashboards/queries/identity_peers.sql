SELECT
    principal_id,
    principal_name,
    principal_type,
    requests_per_hour_mean,
    bytes_out_per_hour_median,
    endpoints_known,
    risk,
    last_seen,
    tenant_id
FROM identities FINAL
WHERE {tenant}
    AND first_seen <= ($__toTime_ms)
    AND (tenant_id, peer_group) IN (
        SELECT tenant_id, peer_group
        FROM identities FINAL
        WHERE {tenant}
            AND {identity}
            AND peer_group >= 0
    )
ORDER BY principal_id = decodeURLComponent('${identity:percentencode}') DESC, risk DESC, requests DESC, principal_id
LIMIT 50
