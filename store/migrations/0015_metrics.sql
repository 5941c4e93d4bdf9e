-- What each process of the service measures of itself: every metric and label set, sampled.
CREATE TABLE IF NOT EXISTS metrics{on_cluster}
(
    at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    app LowCardinality(String),
    worker LowCardinality(String),
    name LowCardinality(String),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    kind LowCardinality(String),
    value Float64 CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:MergeTree()}
PARTITION BY toDate(at)
ORDER BY (app, name, worker, at)
TTL written_at + INTERVAL 30 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;
