-- One row per finding: its highest revision.
-- INVOKER: whoever asks sees only the rows that a row policy lets them see.
CREATE VIEW IF NOT EXISTS findings_current{on_cluster}
SQL SECURITY INVOKER AS
SELECT *
FROM findings FINAL;

-- What happened to an identity, in the order of time: its hours and its findings.
CREATE VIEW IF NOT EXISTS identity_timeline{on_cluster}
SQL SECURITY INVOKER AS
SELECT *
FROM (
    SELECT
        window_start AS at,
        tenant_id,
        principal_id,
        'window' AS kind,
        CAST(NULL, 'Nullable(String)') AS detector,
        CAST(NULL, 'Nullable(String)') AS entity,
        concat(
            toString(hours.requests), ' requests to ', toString(endpoints_distinct), ' endpoints, ',
            toString(endpoints_new), ' of them new'
        ) AS headline,
        CAST(hours.requests, 'Nullable(Int64)') AS requests,
        CAST(hours.bytes_out, 'Nullable(Float64)') AS bytes_out,
        CAST(NULL, 'Nullable(Float64)') AS score
    FROM windows AS hours FINAL
    UNION ALL
    SELECT
        detected_at AS at,
        tenant_id,
        principal_id,
        'finding' AS kind,
        CAST(found.detector, 'Nullable(String)') AS detector,
        CAST(found.entity, 'Nullable(String)') AS entity,
        sentence AS headline,
        CAST(NULL, 'Nullable(Int64)') AS requests,
        CAST(NULL, 'Nullable(Float64)') AS bytes_out,
        CAST(found.score, 'Nullable(Float64)') AS score
    FROM findings AS found FINAL
    WHERE principal_id != ''
)
ORDER BY at, tenant_id, principal_id, kind DESC, detector, entity, headline;
