-- What an identity did at which endpoint on which day. Of rows of the same day, which several runs may
-- have written, the one counts that has more calls: the table keeps no other.
SELECT
    done.endpoint AS endpoint,
    CAST(max(done.endpoint_source), 'String') AS endpoint_source,
    toUnixTimestamp64Micro(done.day_start) AS day_us,
    max(done.requests) AS requests,
    max(done.requests_accepted) AS requests_accepted,
    max(done.requests_in_findings) AS requests_in_findings
FROM operations AS done
WHERE
    done.tenant_id = {tenant_id:String}
    AND done.principal_id = {principal_id:String}
    AND toUnixTimestamp64Micro(done.day_start) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(done.day_start) < {until_us:Int64}
GROUP BY done.endpoint, done.day_start
ORDER BY day_us, endpoint
LIMIT {rows_max:Int64}
