SELECT
    detected_at AS time,
    concat(toString(severity), ': ', detector) AS text,
    toString(severity) AS tags
FROM findings FINAL
WHERE {tenant}
    AND {identity}
    AND {detected}
ORDER BY time
LIMIT 200
