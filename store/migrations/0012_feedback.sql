-- What people said of findings, a row each time; taking it back is a row too.
-- What is no part of a scope is NULL, but of principal_id, which is the empty text.
CREATE TABLE IF NOT EXISTS feedback{on_cluster}
(
    feedback_id String CODEC(ZSTD(1)),
    given_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    given_by String CODEC(ZSTD(1)),
    finding_id String CODEC(ZSTD(1)),
    tenant_id String CODEC(ZSTD(1)),
    verdict LowCardinality(String),
    reason String CODEC(ZSTD(3)),
    scope LowCardinality(String),
    detector LowCardinality(Nullable(String)),
    principal_id String CODEC(ZSTD(1)),
    entity Nullable(String) CODEC(ZSTD(1)),
    until Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    withdraws Nullable(String) CODEC(ZSTD(1)),
    written_at DateTime64(6, 'UTC') MATERIALIZED now64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(written_at)}
ORDER BY (tenant_id, given_at, feedback_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- One row per finding: its highest revision, whatever was said of it.
CREATE VIEW IF NOT EXISTS findings_latest{on_cluster}
SQL SECURITY INVOKER AS
SELECT *
FROM findings FINAL;

-- What people say of findings now: neither withdrawn nor over, and of one scope the latest.
CREATE VIEW IF NOT EXISTS feedback_in_force{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    given.feedback_id AS feedback_id,
    given.given_at AS given_at,
    given.tenant_id AS tenant_id,
    given.verdict AS verdict,
    given.scope AS scope,
    if(given.scope = 'finding', given.finding_id, '') AS only_finding,
    ifNull(given.detector, '') AS detector,
    given.principal_id AS principal_id,
    ifNull(given.entity, '') AS entity,
    given.until AS until
FROM feedback AS given FINAL
WHERE
    given.withdraws IS NULL
    AND (given.until IS NULL OR given.until > now64(6, 'UTC'))
    AND given.feedback_id NOT IN (SELECT assumeNotNull(withdraws) FROM feedback WHERE withdraws IS NOT NULL)
ORDER BY given.given_at DESC, given.feedback_id
LIMIT 1 BY scope, tenant_id, only_finding, detector, principal_id, entity;

-- One row per finding: its highest revision, and what people say of it now.
-- The narrowest scope that covers it counts: a wide one never hides what somebody called malicious.
-- Columns of the scopes have names of their own, so that those of findings keep theirs.
CREATE OR REPLACE VIEW findings_current{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    found.*,
    multiIf(
        one_id != '', one_id,
        pattern_id != '', pattern_id,
        who_id != '', who_id,
        what_id != '', what_id,
        nullIf(kind_id, '')
    ) AS feedback_id,
    CAST(multiIf(
        one_id != '', one_verdict,
        pattern_id != '', pattern_verdict,
        who_id != '', who_verdict,
        what_id != '', what_verdict,
        nullIf(kind_verdict, '')
    ), 'Nullable(String)') AS verdict,
    if(verdict = 'benign', feedback_id, NULL) AS suppressed_by,
    if(verdict = 'benign', multiIf(
        one_id != '', one_until,
        pattern_id != '', pattern_until,
        who_id != '', who_until,
        what_id != '', what_until,
        kind_until
    ), NULL) AS suppressed_until
FROM findings AS found FINAL
LEFT JOIN (
    SELECT
        feedback_id AS one_id,
        verdict AS one_verdict,
        until AS one_until,
        only_finding AS one_only_finding
    FROM feedback_in_force
    WHERE scope = 'finding'
) AS one
    ON one.one_only_finding = found.finding_id
LEFT JOIN (
    SELECT
        feedback_id AS pattern_id,
        verdict AS pattern_verdict,
        until AS pattern_until,
        tenant_id AS pattern_tenant_id,
        detector AS pattern_detector,
        principal_id AS pattern_principal_id,
        entity AS pattern_entity
    FROM feedback_in_force
    WHERE scope = 'pattern'
) AS pattern
    ON pattern.pattern_tenant_id = found.tenant_id
    AND pattern.pattern_detector = found.detector
    AND pattern.pattern_principal_id = found.principal_id
    AND pattern.pattern_entity = found.entity
LEFT JOIN (
    SELECT
        feedback_id AS who_id,
        verdict AS who_verdict,
        until AS who_until,
        tenant_id AS who_tenant_id,
        detector AS who_detector,
        principal_id AS who_principal_id
    FROM feedback_in_force
    WHERE scope = 'identity'
) AS who
    ON who.who_tenant_id = found.tenant_id
    AND who.who_detector = found.detector
    AND who.who_principal_id = found.principal_id
LEFT JOIN (
    SELECT
        feedback_id AS what_id,
        verdict AS what_verdict,
        until AS what_until,
        tenant_id AS what_tenant_id,
        detector AS what_detector,
        entity AS what_entity
    FROM feedback_in_force
    WHERE scope = 'entity'
) AS what
    ON what.what_tenant_id = found.tenant_id
    AND what.what_detector = found.detector
    AND what.what_entity = found.entity
LEFT JOIN (
    SELECT
        feedback_id AS kind_id,
        verdict AS kind_verdict,
        until AS kind_until,
        tenant_id AS kind_tenant_id,
        detector AS kind_detector
    FROM feedback_in_force
    WHERE scope = 'detector'
) AS kind
    ON kind.kind_tenant_id = found.tenant_id
    AND kind.kind_detector = found.detector;
