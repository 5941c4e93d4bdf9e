SELECT
    toDateTime(at, 'UTC') AS time,
    tenant_id,
    {risk_at} AS risk
FROM (
    SELECT
        tenant_id,
        arraySort(groupArray((day, risk))) AS points
    FROM identity_risk
    WHERE {tenant}
        AND {identity}
        AND day >= toDate($__fromTime_ms, 'UTC') - 28
        AND day <= toDate($__toTime_ms, 'UTC')
    GROUP BY tenant_id
    ORDER BY tenant_id
    LIMIT 10
)
ARRAY JOIN {days} AS at
ORDER BY time, tenant_id
