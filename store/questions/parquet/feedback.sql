-- What people said, the latest first, of findings or under ids that begin so: whether it still holds,
-- and how many findings it leaves out of lists now.
SELECT
    said.feedback_id,
    said.given_at,
    said.given_by,
    said.finding_id,
    said.tenant_id,
    said.verdict,
    said.scope,
    said.detector,
    said.principal_id,
    said.entity,
    said.until,
    CASE
        WHEN back.withdraws IS NOT NULL THEN 'withdrawn'
        WHEN held.feedback_id IS NOT NULL THEN 'in force'
        WHEN said.until <= now() THEN 'expired'
        ELSE 'replaced'
    END AS state,
    coalesce(hidden.n, 0) AS suppresses,
    said.reason,
    back.given_at AS withdrawn_at,
    back.given_by AS withdrawn_by,
    back.reason AS withdrawn_reason
FROM feedback AS said
LEFT JOIN feedback_in_force AS held ON held.feedback_id = said.feedback_id
LEFT JOIN (
    SELECT *, row_number() OVER (PARTITION BY withdraws ORDER BY given_at, feedback_id) AS place
    FROM feedback
    WHERE withdraws IS NOT NULL
) AS back ON back.withdraws = said.feedback_id AND back.place = 1
LEFT JOIN (
    SELECT suppressed_by, count(*) AS n
    FROM findings_current
    WHERE suppressed_by IS NOT NULL
    GROUP BY suppressed_by
) AS hidden ON hidden.suppressed_by = said.feedback_id
WHERE
    said.withdraws IS NULL
    AND (starts_with(said.feedback_id, $prefix) OR starts_with(said.finding_id, $prefix))
ORDER BY said.given_at DESC, said.feedback_id
LIMIT $rows_max
