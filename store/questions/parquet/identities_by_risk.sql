-- Identities, the riskiest first: those whose id or name has the text in it, in small letters. Of each the
-- latest state.
SELECT
    tenant_id,
    principal_id,
    COALESCE(principal_name, '') AS principal_name,
    principal_type,
    baseline_state,
    last_seen,
    requests,
    active_hours,
    risk
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY tenant_id, principal_id
            ORDER BY last_seen DESC, stated_at DESC, requests DESC, active_hours DESC, state_bytes DESC
        ) AS place
    FROM identities
) AS known
WHERE
    place = 1
    AND (
        $text = ''
        OR contains(lower(principal_id), $text)
        OR contains(lower(COALESCE(principal_name, '')), $text)
    )
ORDER BY risk DESC, last_seen DESC, tenant_id, principal_id
LIMIT $rows_max
OFFSET $skip
