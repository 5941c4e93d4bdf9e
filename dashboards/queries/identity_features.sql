SELECT
    one.1 AS feature,
    one.2 AS unit,
    quantileExactIf(0.5)(one.3, {in_range} AND one.3 IS NOT NULL) AS observed_p50,
    maxIf(one.3, {in_range}) AS observed_max,
    quantileExactIf(0.05)(one.3, NOT {in_range} AND one.3 IS NOT NULL) AS p05,
    quantileExactIf(0.5)(one.3, NOT {in_range} AND one.3 IS NOT NULL) AS p50,
    quantileExactIf(0.95)(one.3, NOT {in_range} AND one.3 IS NOT NULL) AS p95,
    countIf({in_range} AND one.3 IS NOT NULL) AS hours,
    countIf(NOT {in_range} AND one.3 IS NOT NULL) AS hours_before
FROM (
    SELECT
        window_start,
        arrayJoin({features}) AS one
    FROM windows FINAL
    WHERE {tenant}
        AND {identity}
        AND window_start >= ($__fromTime_ms) - INTERVAL 28 DAY
        AND window_start <= ($__toTime_ms)
)
GROUP BY feature, unit
ORDER BY ifNull(observed_p50 > p95 OR observed_p50 < p05, 0) DESC, feature
