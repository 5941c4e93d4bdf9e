SELECT
    toDateTime(day, 'UTC') AS time,
    sum(quality.malicious) AS malicious,
    sum(quality.benign) AS benign,
    sum(quality.unjudged) AS unjudged
FROM detector_quality AS quality
WHERE {tenant}
    AND $__dateFilter(day)
    AND {detector}
GROUP BY time
ORDER BY time
