SELECT
    toStartOfDay(window_start) AS time,
    detector,
    quantileExactInclusive(0.5)(score) AS score_median
FROM findings FINAL
WHERE {tenant}
    AND {windows_of}
    AND {detector}
GROUP BY time, detector
ORDER BY time, detector
