-- The findings whose id begins so: two are enough to know that it is not one.
SELECT found.*
FROM findings_current AS found
WHERE starts_with(found.finding_id, $prefix)
ORDER BY found.finding_id
LIMIT 2
