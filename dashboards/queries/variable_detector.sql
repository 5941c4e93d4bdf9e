SELECT DISTINCT detector
FROM findings
WHERE {tenant}
ORDER BY detector
LIMIT 100
