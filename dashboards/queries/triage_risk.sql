SELECT
    toDateTime(at, 'UTC') AS time,
    tenant_id,
    principal_id,
    {risk_at} AS risk
FROM (
    SELECT
        tenant_id,
        principal_id,
        arraySort(groupArray((day, risk))) AS points,
        points[-1].2 * exp2(-dateDiff('day', points[-1].1, toDate($__toTime_ms, 'UTC')) / 7) AS last_risk
    FROM identity_risk
    WHERE {tenant}
        AND principal_id != ''
        AND day >= toDate($__fromTime_ms, 'UTC') - 28
        AND day <= toDate($__toTime_ms, 'UTC')
    GROUP BY tenant_id, principal_id
    HAVING last_risk > 0.5
    ORDER BY last_risk DESC, principal_id
    LIMIT 15
)
ARRAY JOIN {days} AS at
ORDER BY time, last_risk DESC, principal_id
