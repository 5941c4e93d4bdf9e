-- Identities with findings that feedback does not suppress, the riskiest in their latest state first;
-- `identities` says how many there are without the limit.
SELECT
    found.tenant_id,
    found.principal_id,
    COALESCE(max(known.principal_name), '') AS principal_name,
    COALESCE(max(known.principal_type), '') AS principal_type,
    count(*) AS findings,
    max(CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END) AS place,
    COALESCE(max(known.risk), 0.0) AS risk,
    max(found.detected_at) AS last_at,
    count(*) OVER () AS identities
FROM findings_current AS found
LEFT JOIN (
    SELECT
        tenant_id AS of_tenant,
        principal_id AS of_id,
        principal_name,
        principal_type,
        risk,
        row_number() OVER (
            PARTITION BY tenant_id, principal_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, active_hours DESC, state_bytes DESC
        ) AS nth
    FROM identities
) AS known ON known.nth = 1 AND known.of_tenant = found.tenant_id AND known.of_id = found.principal_id
WHERE
    CAST(found.detected_at AS BIGINT) >= $since_us
    AND CAST(found.detected_at AS BIGINT) < $until_us
    AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
    AND ($principal_id = '' OR found.principal_id = $principal_id)
    AND found.principal_id IS NOT NULL
    AND found.suppressed_by IS NULL
GROUP BY found.tenant_id, found.principal_id
ORDER BY risk DESC, place DESC, findings DESC, found.tenant_id, found.principal_id
LIMIT $rows_max
