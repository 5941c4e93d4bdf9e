SELECT
    finding_id,
    concat(formatDateTime(detected_at, '%F %T'), ' ', detector, ' ', entity) AS label
FROM findings FINAL
WHERE {tenant}
    AND {identity}
    AND {detected}
ORDER BY detected_at DESC, finding_id
LIMIT 500
