SELECT
    toStartOfDay(detected_at) AS time,
    count() AS findings,
    countIf(severity >= 'high') AS severe,
    toFloat64OrZero('${budget:percentencode}') AS budget
FROM findings FINAL
WHERE {tenant}
    AND {detected}
    AND {detector}
GROUP BY time
ORDER BY time
