-- The findings whose id begins so, with what was said of them: two are enough to know that it is not
-- one.
SELECT
    found.*,
    said.given_at AS verdict_at,
    said.given_by AS verdict_by,
    said.scope AS verdict_scope,
    said.reason AS verdict_reason
FROM findings_current AS found
LEFT JOIN feedback AS said ON said.feedback_id = found.feedback_id
WHERE starts_with(found.finding_id, $prefix)
ORDER BY found.finding_id
LIMIT 2
