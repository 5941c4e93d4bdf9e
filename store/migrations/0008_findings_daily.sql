-- Findings per identity and day, for boards that look at months.
-- Only states that a replay leaves as they are: a sum or a count of rows would double.
CREATE TABLE IF NOT EXISTS findings_daily{on_cluster}
(
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    day Date CODEC(Delta, ZSTD(1)),
    findings AggregateFunction(uniqExact, String),
    score_max AggregateFunction(max, Float64),
    severity_max AggregateFunction(max, Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5)),
    sentence AggregateFunction(argMax, String, Tuple(Float64, Int64, String)),
    written_at SimpleAggregateFunction(max, DateTime('UTC')) MATERIALIZED now('UTC')
)
ENGINE = {engine:AggregatingMergeTree()}
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, principal_id, day)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS findings_daily_rollup{on_cluster} TO findings_daily AS
SELECT
    tenant_id,
    principal_id,
    toDate(window_start) AS day,
    uniqExactState(finding_id) AS findings,
    maxState(score) AS score_max,
    maxState(severity) AS severity_max,
    argMaxState(sentence, (score, revision, finding_id)) AS sentence
FROM findings
GROUP BY tenant_id, principal_id, day;

-- How many findings an identity has a day, the worst of them in words.
CREATE VIEW IF NOT EXISTS identity_risk{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    tenant_id,
    principal_id,
    day,
    CAST(uniqExactMerge(findings), 'Int64') AS findings,
    maxMerge(score_max) AS score_max,
    maxMerge(severity_max) AS severity_max,
    argMaxMerge(sentence) AS sentence
FROM findings_daily
GROUP BY tenant_id, principal_id, day;
