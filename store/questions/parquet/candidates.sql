-- The identities that a person may mean, the best first: 0 is the id, 1 the name, 2 the beginning of
-- either, 3 something near. One that was found but has no state yet is known too.
WITH known AS (
    SELECT principal_id, coalesce(principal_name, '') AS label FROM identities
    UNION ALL
    SELECT principal_id, '' AS label FROM findings WHERE principal_id IS NOT NULL
),
fitted AS (
    SELECT
        principal_id,
        label,
        CASE
            WHEN principal_id = $typed THEN 0
            WHEN label = $typed THEN 1
            WHEN starts_with(principal_id, $typed) OR starts_with(label, $typed) THEN 2
            WHEN contains(lower(principal_id), $lower) OR contains(lower(label), $lower) THEN 3
            WHEN starts_with(lower(principal_id), $start) OR starts_with(lower(label), $start) THEN 3
        END AS place
    FROM known
)
SELECT
    principal_id,
    max(label) AS name,
    min(place) AS fit
FROM fitted
WHERE place IS NOT NULL
GROUP BY principal_id
ORDER BY fit, principal_id
LIMIT $rows_max
