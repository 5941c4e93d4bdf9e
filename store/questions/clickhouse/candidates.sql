-- The identities that a person may mean, the best first: 0 is the id, 1 the name, 2 the beginning of
-- either, 3 something near. One that was found but has no state yet is known too.
WITH known AS (
    SELECT principal_id, ifNull(principal_name, '') AS label FROM identities FINAL
    UNION ALL
    SELECT DISTINCT principal_id, '' AS label FROM findings WHERE principal_id != ''
),
fitted AS (
    SELECT
        principal_id,
        label,
        multiIf(
            principal_id = {typed:String}, 0,
            label = {typed:String}, 1,
            startsWith(principal_id, {typed:String}) OR startsWith(label, {typed:String}), 2,
            position(lowerUTF8(principal_id), {lower:String}) > 0 OR position(lowerUTF8(label), {lower:String}) > 0, 3,
            startsWith(lowerUTF8(principal_id), {start:String}) OR startsWith(lowerUTF8(label), {start:String}), 3,
            9
        ) AS place
    FROM known
)
SELECT
    principal_id,
    max(label) AS name,
    CAST(min(place), 'Int64') AS fit
FROM fitted
WHERE place < 9
GROUP BY principal_id
ORDER BY fit, principal_id
LIMIT {rows_max:Int64}
