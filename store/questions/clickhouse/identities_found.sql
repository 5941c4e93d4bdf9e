-- Identities with findings that feedback does not suppress, the riskiest in their latest state first;
-- `identities` says how many there are without the limit.
SELECT
    found.tenant_id AS tenant_id,
    found.principal_id AS principal_id,
    ifNull(max(known.principal_name), '') AS principal_name,
    max(toString(known.principal_type)) AS principal_type,
    CAST(count(), 'Int64') AS findings,
    CAST(max(CAST(found.severity, 'Int8')), 'Int64') AS place,
    max(known.risk) AS risk,
    max(found.detected_at) AS last_at,
    CAST(count() OVER (), 'Int64') AS identities
FROM findings_current AS found
LEFT JOIN (
    SELECT tenant_id, principal_id, principal_name, principal_type, risk
    FROM identities FINAL
) AS known ON known.tenant_id = found.tenant_id AND known.principal_id = found.principal_id
WHERE
    toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
    AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
    AND ({principal_id:String} = '' OR found.principal_id = {principal_id:String})
    AND found.principal_id != ''
    AND found.suppressed_by IS NULL
GROUP BY tenant_id, principal_id
ORDER BY risk DESC, place DESC, findings DESC, tenant_id, principal_id
LIMIT {rows_max:Int64}
