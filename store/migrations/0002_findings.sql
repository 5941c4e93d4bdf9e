-- What was found, every revision until the engine merges them: the highest revision stays.
-- Kept by when a row was written (SELECT * leaves that out), so that an old log can be replayed.
-- Nobody is the empty principal_id: the key of a table is better without NULL.
CREATE TABLE IF NOT EXISTS findings{on_cluster}
(
    finding_id String CODEC(ZSTD(1)),
    revision Int64 CODEC(ZSTD(1)),
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    principal_type LowCardinality(Nullable(String)),
    principal_source LowCardinality(Nullable(String)),
    entity String CODEC(ZSTD(1)),
    detector LowCardinality(String),
    detector_version Int64 CODEC(T64, ZSTD(1)),
    window_start DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_seconds Int64 CODEC(T64, ZSTD(1)),
    detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    severity Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5),
    score Float64 CODEC(ZSTD(1)),
    surprise Float64 CODEC(ZSTD(1)),
    observed Float64 CODEC(ZSTD(1)),
    expected Float64 CODEC(ZSTD(1)),
    upper Float64 CODEC(ZSTD(1)),
    unit LowCardinality(String),
    history_days Float64 CODEC(ZSTD(1)),
    history_n Int64 CODEC(T64, ZSTD(1)),
    peers_n Int64 CODEC(T64, ZSTD(1)),
    sentence String CODEC(ZSTD(3)),
    counterfactual String CODEC(ZSTD(3)),
    contributors String CODEC(ZSTD(3)),
    evidence String CODEC(ZSTD(3)),
    evidence_sql String CODEC(ZSTD(3)),
    owasp LowCardinality(String),
    attack LowCardinality(String),
    baseline_state LowCardinality(String),
    model_version LowCardinality(String),
    incident_id Nullable(String) CODEC(ZSTD(1)),
    config_hash LowCardinality(String),
    risk_score Float64 CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1)),
    INDEX finding_id_bloom finding_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {engine:ReplacingMergeTree(revision)}
PARTITION BY toYYYYMM(window_start)
ORDER BY (tenant_id, principal_id, window_start, detector, finding_id)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;
