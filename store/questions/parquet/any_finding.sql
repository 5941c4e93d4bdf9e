-- Any finding at all.
SELECT finding_id
FROM findings
LIMIT 1
