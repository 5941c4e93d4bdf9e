-- The findings whose id begins so: two are enough to know that it is not one.
SELECT found.* REPLACE (
    nullIf(found.principal_id, '') AS principal_id,
    toString(found.severity) AS severity
)
FROM findings_current AS found
WHERE startsWith(found.finding_id, {prefix:String})
ORDER BY found.finding_id
LIMIT 2
