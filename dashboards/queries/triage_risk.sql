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
    WHERE (tenant_id, principal_id) IN (
            SELECT tenant_id, principal_id
            FROM (
                SELECT
                    tenant_id,
                    principal_id,
                    arraySlice(arrayReverseSort(groupArray(
                        risk_score * exp2(dateDiff('second', ($__toTime_ms), detected_at) / 604800)
                    )), 1, 16) AS weights
                FROM findings FINAL
                WHERE {tenant}
                    AND principal_id != ''
                    AND window_start >= ($__toTime_ms) - INTERVAL 36 DAY
                    AND window_start <= ($__toTime_ms)
                    AND detected_at >= ($__toTime_ms) - INTERVAL 28 DAY
                    AND detected_at <= ($__toTime_ms)
                GROUP BY tenant_id, principal_id
            )
            ORDER BY
                arraySum((weight, place) -> weight / pow(place, 1.5), weights, arrayEnumerate(weights)) DESC,
                principal_id
            LIMIT 15
        )
        AND day >= toDate($__fromTime_ms, 'UTC') - 28
        AND day <= toDate($__toTime_ms, 'UTC')
    GROUP BY tenant_id, principal_id
)
ARRAY JOIN {days} AS at
ORDER BY time, last_risk DESC, principal_id
