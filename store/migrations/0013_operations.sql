-- What an identity did at one endpoint on one UTC day; a replay writes the same key again, and of two
-- rows of a day the one with more of it stays.
CREATE TABLE IF NOT EXISTS operations{on_cluster}
(
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    day_start DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    endpoint String CODEC(ZSTD(1)),
    endpoint_source LowCardinality(String),
    requests Int64 CODEC(T64, ZSTD(1)),
    requests_accepted Int64 CODEC(T64, ZSTD(1)),
    requests_in_findings Int64 CODEC(T64, ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(requests)}
PARTITION BY toYYYYMM(day_start)
ORDER BY (tenant_id, principal_id, day_start, endpoint)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;
