-- What an identity did at which endpoint on which day. Of rows of the same day, which several runs may
-- have written, the one counts that knows most of it.
SELECT
    endpoint,
    max(endpoint_source) AS endpoint_source,
    CAST(day_start AS BIGINT) AS day_us,
    max(requests) AS requests,
    max(requests_accepted) AS requests_accepted,
    max(requests_in_findings) AS requests_in_findings
FROM operations
WHERE
    tenant_id = $tenant_id
    AND principal_id = $principal_id
    AND CAST(day_start AS BIGINT) >= $since_us
    AND CAST(day_start AS BIGINT) < $until_us
GROUP BY endpoint, day_start
ORDER BY day_us, endpoint
LIMIT $rows_max
