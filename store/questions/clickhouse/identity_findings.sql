-- The findings of one identity of one tenant, the latest first.
SELECT
    found.finding_id AS finding_id,
    found.tenant_id AS tenant_id,
    found.principal_id AS principal_id,
    found.entity AS entity,
    toString(found.detector) AS detector,
    toString(found.severity) AS severity,
    found.score AS score,
    found.detected_at AS detected_at,
    toUnixTimestamp64Micro(found.detected_at) AS detected_us,
    substringUTF8(found.sentence, 1, 1000) AS sentence,
    found.incident_id AS incident_id,
    CAST(found.verdict, 'Nullable(String)') AS verdict
FROM findings_current AS found
WHERE found.tenant_id = {tenant_id:String} AND found.principal_id = {principal_id:String}
ORDER BY found.detected_at DESC, found.finding_id
LIMIT {rows_max:Int64}
