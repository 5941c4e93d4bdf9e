-- The latest state of each endpoint: a replay from further back does not replace a later state.
CREATE TABLE IF NOT EXISTS endpoints{on_cluster}
(
    endpoint String CODEC(ZSTD(1)),
    endpoint_source LowCardinality(String),
    first_seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    last_seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    requests Int64 CODEC(T64, ZSTD(1)),
    identities Int64 CODEC(T64, ZSTD(1)),
    authenticated_share Float64 CODEC(ZSTD(1)),
    answered Int64 CODEC(T64, ZSTD(1)),
    answered_unauthenticated Int64 CODEC(T64, ZSTD(1)),
    objects_per_hour_p99 Nullable(Float64) CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(last_seen)}
ORDER BY endpoint
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
