SELECT
    detector,
    sum(quality.findings) AS findings,
    sum(quality.severe) AS severe,
    sum(quality.malicious) AS malicious,
    sum(quality.benign) AS benign,
    sum(quality.unjudged) AS unjudged,
    sum(quality.suppressed) AS suppressed,
    sum(quality.malicious) / nullIf(sum(quality.malicious + quality.benign), 0) AS malicious_share,
    sum(quality.signals) AS signals,
    max(quality.score_max) AS score_max
FROM detector_quality AS quality
WHERE {tenant}
    AND $__dateFilter(day)
    AND {detector}
GROUP BY detector
ORDER BY findings DESC, signals DESC, detector
