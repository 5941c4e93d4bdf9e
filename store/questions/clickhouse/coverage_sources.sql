-- Where identities are taken from, and how many calls each way stands for.
SELECT
    toString(known.principal_source) AS principal_source,
    CAST(count(), 'Int64') AS identities,
    sum(known.requests) AS requests
FROM identities AS known FINAL
GROUP BY known.principal_source
ORDER BY requests DESC, principal_source
LIMIT {rows_max:Int64}
