-- How many peers of an identity use which operation, and from which day until which: those of its
-- group, or without one those of its kind. The row without an endpoint counts the peers that used any.
WITH used AS (
    SELECT
        done.principal_id AS who,
        done.endpoint AS what,
        CAST(max(done.endpoint_source), 'String') AS source,
        min(toUnixTimestamp64Micro(done.day_start)) AS first_day,
        max(toUnixTimestamp64Micro(done.day_start)) AS last_day
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
    GROUP BY who, what
)
SELECT endpoint, endpoint_source, first_us, last_us, peers
FROM (
    SELECT
        '' AS endpoint,
        '' AS endpoint_source,
        CAST(0, 'Int64') AS first_us,
        CAST(0, 'Int64') AS last_us,
        CAST(uniqExact(who), 'Int64') AS peers
    FROM used
    UNION ALL
    SELECT
        what AS endpoint,
        max(source) AS endpoint_source,
        min(first_day) AS first_us,
        max(last_day) AS last_us,
        CAST(uniqExact(who), 'Int64') AS peers
    FROM used
    GROUP BY what
)
ORDER BY endpoint
