SELECT
    detector,
    JSONExtractString(part, 'name') AS name,
    sum(JSONExtractFloat(part, 'share')) / uniqExact(finding_id) AS share,
    uniqExact(finding_id) AS findings
FROM (
    SELECT
        finding_id,
        detector,
        arrayJoin(JSONExtractArrayRaw(contributors)) AS part
    FROM findings FINAL
    WHERE {tenant}
        AND {identity}
        AND {detected}
        AND {finding}
)
GROUP BY detector, name
ORDER BY findings DESC, share DESC, detector, name
LIMIT 50
