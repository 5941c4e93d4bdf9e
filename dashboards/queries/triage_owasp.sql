SELECT
    toStartOfDay(detected_at) AS time,
    arrayJoin(splitByString(', ', toString(owasp))) AS category,
    count() AS findings
FROM findings FINAL
WHERE {tenant}
    AND {detected}
    AND owasp != ''
GROUP BY time, category
ORDER BY time, category
