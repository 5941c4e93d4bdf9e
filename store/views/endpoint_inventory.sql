-- Each endpoint with what was found at it.
CREATE VIEW endpoint_inventory AS
WITH states AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY endpoint
            ORDER BY last_seen DESC, requests DESC, identities DESC, answered DESC, endpoint_source
        ) AS place
    FROM endpoints
),
found AS (
    SELECT entity, count(*) AS findings, max(detected_at) AS last_finding_at
    FROM findings_latest
    GROUP BY entity
)
SELECT
    states.endpoint,
    states.endpoint_source,
    states.first_seen,
    states.last_seen,
    states.requests,
    states.identities,
    states.authenticated_share,
    states.answered,
    states.answered_unauthenticated,
    states.objects_per_hour_p99,
    coalesce(found.findings, 0) AS findings,
    found.last_finding_at
FROM states
LEFT JOIN found ON found.entity = states.endpoint
WHERE states.place = 1
