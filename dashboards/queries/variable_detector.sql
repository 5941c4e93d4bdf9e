SELECT DISTINCT detector
FROM findings
WHERE {tenant}
    AND {detected}
ORDER BY detector
LIMIT 100
