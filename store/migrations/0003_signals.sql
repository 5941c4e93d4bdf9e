-- One detector's scored output for one entity and window; a replay writes the same key again.
CREATE TABLE IF NOT EXISTS signals{on_cluster}
(
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    entity String CODEC(ZSTD(1)),
    detector LowCardinality(String),
    window_start DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_seconds Int64 CODEC(T64, ZSTD(1)),
    observed Float64 CODEC(ZSTD(1)),
    expected Float64 CODEC(ZSTD(1)),
    surprise Float64 CODEC(ZSTD(1)),
    score Float64 CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree()}
PARTITION BY toYYYYMM(window_start)
ORDER BY (tenant_id, principal_id, window_start, detector, entity, window_seconds)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;
