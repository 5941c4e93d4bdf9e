-- How each worker's partitions fare, one row per epoch that was committed.
CREATE TABLE IF NOT EXISTS pipeline_health{on_cluster}
(
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    app LowCardinality(String),
    worker String CODEC(ZSTD(1)),
    topic LowCardinality(String),
    partition Int64 CODEC(T64, ZSTD(1)),
    offset Int64 CODEC(Delta, ZSTD(1)),
    watermark DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    events Int64 CODEC(T64, ZSTD(1)),
    findings Int64 CODEC(T64, ZSTD(1)),
    late Int64 CODEC(T64, ZSTD(1)),
    rejected Int64 CODEC(T64, ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(at)}
PARTITION BY toYYYYMM(at)
ORDER BY (app, topic, partition, offset)
TTL written_at + INTERVAL 30 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
