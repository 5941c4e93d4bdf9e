SELECT sum(benign + malicious) / greatest(sum(findings), 1) AS judged
FROM detector_quality
WHERE {tenant}
    AND $__dateFilter(day)
    AND {detector}
