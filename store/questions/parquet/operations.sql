-- What an identity did at which endpoint on which day. Of rows of the same day, which several runs may
-- have written, the one counts that has more calls, and all of it.
SELECT
    endpoint,
    endpoint_source,
    day_us,
    requests,
    requests_accepted,
    requests_in_findings
FROM (
    SELECT
        *,
        CAST(day_start AS BIGINT) AS day_us,
        row_number() OVER (
            PARTITION BY endpoint, day_start
            ORDER BY
                requests DESC,
                requests_accepted DESC,
                requests_in_findings DESC,
                endpoint_source
        ) AS place
    FROM operations
    WHERE
        tenant_id = $tenant_id
        AND principal_id = $principal_id
        AND CAST(day_start AS BIGINT) >= $since_us
        AND CAST(day_start AS BIGINT) < $until_us
)
WHERE place = 1
ORDER BY day_us, endpoint
LIMIT $rows_max
