-- Identities, the riskiest first: those whose id or name has the text in it, in small letters. Of each the
-- latest state.
SELECT
    known.tenant_id AS tenant_id,
    known.principal_id AS principal_id,
    ifNull(known.principal_name, '') AS principal_name,
    toString(known.principal_type) AS principal_type,
    toString(known.baseline_state) AS baseline_state,
    known.last_seen AS last_seen,
    known.requests AS requests,
    known.active_hours AS active_hours,
    known.risk AS risk
FROM identities AS known FINAL
WHERE
    {text:String} = ''
    OR position(lowerUTF8(known.principal_id), {text:String}) > 0
    OR position(lowerUTF8(ifNull(known.principal_name, '')), {text:String}) > 0
ORDER BY known.risk DESC, known.last_seen DESC, known.tenant_id, known.principal_id
LIMIT {rows_max:Int64}
OFFSET {skip:Int64}
