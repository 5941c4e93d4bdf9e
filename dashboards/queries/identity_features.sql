SELECT
    feature.1 AS feature,
    feature.2 AS unit,
    quantileExactIf(0.5)(feature.3, {in_range} AND feature.3 IS NOT NULL) AS observed_p50,
    maxIf(feature.3, {in_range}) AS observed_max,
    quantileExactIf(0.05)(feature.3, NOT {in_range} AND feature.3 IS NOT NULL) AS p05,
    quantileExactIf(0.5)(feature.3, NOT {in_range} AND feature.3 IS NOT NULL) AS p50,
    quantileExactIf(0.95)(feature.3, NOT {in_range} AND feature.3 IS NOT NULL) AS p95,
    countIf({in_range} AND feature.3 IS NOT NULL) AS hours,
    countIf(NOT {in_range} AND feature.3 IS NOT NULL) AS hours_before
FROM (
    SELECT
        window_start,
        arrayJoin({features}) AS feature
    FROM windows FINAL
    WHERE {tenant}
        AND {identity}
        AND window_start >= ($__fromTime_ms) - INTERVAL 28 DAY
        AND window_start <= ($__toTime_ms)
)
GROUP BY feature, unit
