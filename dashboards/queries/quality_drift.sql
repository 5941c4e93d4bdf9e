SELECT
    toDateTime(day, 'UTC') AS time,
    detector,
    {value} AS {name}
FROM detector_quality AS quality
WHERE {tenant}
    AND $__dateFilter(day)
    AND {detector}
GROUP BY time, detector
HAVING isNotNull({name})
ORDER BY time, detector
