SELECT
    detector,
    (SELECT count() FROM windows WHERE {tenant} AND $__timeFilter_ms(window_start)) AS windows_judged,
    count() AS seen_2,
    windows_judged / 100 AS expected_2,
    countIf(surprise >= 3) AS seen_3,
    windows_judged / 1000 AS expected_3,
    countIf(surprise >= 4) AS seen_4,
    windows_judged / 10000 AS expected_4
FROM signals
WHERE {tenant}
    AND $__timeFilter_ms(window_start)
    AND window_seconds = 3600
    AND surprise >= 2
    AND {detector}
GROUP BY detector
ORDER BY seen_3 DESC, detector
