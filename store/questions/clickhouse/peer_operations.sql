-- How many peers of an identity use which operation: those of its group, or without one those of its
-- kind. The row without an endpoint counts the peers that used any.
WITH used AS (
    SELECT DISTINCT done.principal_id AS who, done.endpoint AS what
    FROM operations AS done
    WHERE
        done.tenant_id = {tenant_id:String}
        AND done.principal_id IN (
            SELECT known.principal_id
            FROM identities AS known FINAL
            WHERE
                known.tenant_id = {tenant_id:String}
                AND known.principal_id != {principal_id:String}
                AND (
                    ({peer_group:Int64} >= 0 AND known.peer_group = {peer_group:Int64})
                    OR ({peer_group:Int64} < 0 AND known.principal_type = {principal_type:String})
                )
        )
        AND done.requests_accepted > 0
        AND done.endpoint_source NOT IN ('unrouted', 'overflow')
        AND toUnixTimestamp64Micro(done.day_start) >= {since_us:Int64}
        AND toUnixTimestamp64Micro(done.day_start) < {until_us:Int64}
)
SELECT endpoint, peers
FROM (
    SELECT '' AS endpoint, CAST(uniqExact(who), 'Int64') AS peers
    FROM used
    UNION ALL
    SELECT what AS endpoint, CAST(uniqExact(who), 'Int64') AS peers
    FROM used
    GROUP BY what
)
ORDER BY endpoint
