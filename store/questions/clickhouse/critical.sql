-- Critical findings, the latest first, in what a feed of denials needs of them.
SELECT
    found.finding_id AS finding_id,
    found.tenant_id AS tenant_id,
    ifNull(found.principal_id, '') AS principal_id,
    ifNull(CAST(found.principal_type, 'Nullable(String)'), '') AS principal_type,
    found.entity AS entity,
    CAST(found.detector, 'String') AS detector,
    toUnixTimestamp64Micro(found.detected_at) AS detected_us,
    substringUTF8(found.sentence, 1, 1000) AS sentence,
    if(found.detector = 'auth_failures', found.evidence, '') AS evidence,
    CAST(found.suppressed_by IS NOT NULL, 'Int64') AS is_suppressed
FROM findings_current AS found
WHERE
    found.severity = 'critical'
    AND toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
ORDER BY detected_us DESC, finding_id
LIMIT {rows_max:Int64}
