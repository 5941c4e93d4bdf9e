SELECT
    toStartOfDay(window_start) AS time,
    detector,
    quantileExactInclusive(0.99)(surprise) AS surprise_p99
FROM signals
WHERE {tenant}
    AND {windows_of}
    AND {detector}
GROUP BY time, detector
ORDER BY time, detector
