-- What happened to an identity, in the order of time: its hours and its findings.
-- UNION without ALL: an hour that two runs saw alike happened once.
CREATE VIEW identity_timeline AS
SELECT
    window_start AS at,
    tenant_id,
    principal_id,
    'window' AS kind,
    CAST(NULL AS VARCHAR) AS detector,
    CAST(NULL AS VARCHAR) AS entity,
    concat(
        requests, ' requests to ', endpoints_distinct, ' endpoints, ',
        endpoints_new, ' of them new'
    ) AS headline,
    requests,
    bytes_out,
    CAST(NULL AS DOUBLE) AS score
FROM windows
UNION
SELECT
    detected_at AS at,
    tenant_id,
    principal_id,
    'finding' AS kind,
    detector,
    entity,
    sentence AS headline,
    CAST(NULL AS BIGINT) AS requests,
    CAST(NULL AS DOUBLE) AS bytes_out,
    score
FROM findings_latest
WHERE principal_id IS NOT NULL
ORDER BY at, tenant_id, principal_id, kind DESC, detector, entity, headline
