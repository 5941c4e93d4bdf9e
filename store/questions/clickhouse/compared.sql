-- Findings as far as they are compared with those of another run, in the order of their windows.
SELECT
    found.finding_id AS finding_id,
    found.tenant_id AS tenant_id,
    nullIf(found.principal_id, '') AS principal_id,
    toString(found.detector) AS detector,
    found.entity AS entity,
    found.window_start AS window_start,
    found.window_end AS window_end,
    found.detected_at AS detected_at,
    toString(found.severity) AS severity,
    CAST(found.verdict, 'Nullable(String)') AS verdict,
    found.sentence AS sentence,
    found.config_hash AS config_hash
FROM findings_current AS found
WHERE
    toUnixTimestamp64Micro(found.window_start) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.window_start) < {until_us:Int64}
ORDER BY found.window_start, found.finding_id
LIMIT {rows_max:Int64}
