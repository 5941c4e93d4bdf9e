SELECT count() / greatest(dateDiff('second', ($__fromTime_ms), ($__toTime_ms)) / 86400, 1) AS findings_per_day
FROM findings FINAL
WHERE {tenant}
    AND {detected}
    AND {detector}
