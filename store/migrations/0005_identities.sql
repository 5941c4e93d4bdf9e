-- The latest state of each identity: a replay from further back does not replace a later state, and
-- of two of them that were seen last at the same time the one stays that was written last.
-- Not partitioned by time, since a state that moved to another month could not be merged away.
CREATE TABLE IF NOT EXISTS identities{on_cluster}
(
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    principal_name Nullable(String) CODEC(ZSTD(1)),
    principal_type LowCardinality(String),
    principal_source LowCardinality(String),
    baseline_state LowCardinality(String),
    first_seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    last_seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    stated_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    requests Int64 CODEC(T64, ZSTD(1)),
    active_hours Int64 CODEC(T64, ZSTD(1)),
    endpoints_known Int64 CODEC(T64, ZSTD(1)),
    endpoints_new_rate Float64 CODEC(ZSTD(1)),
    endpoints_usual String CODEC(ZSTD(3)),
    requests_per_hour_mean Float64 CODEC(ZSTD(1)),
    bytes_out_per_hour_median Float64 CODEC(ZSTD(1)),
    peer_group Int64 CODEC(T64, ZSTD(1)),
    peers Int64 CODEC(T64, ZSTD(1)),
    windows_learned Int64 CODEC(T64, ZSTD(1)),
    windows_withheld Int64 CODEC(T64, ZSTD(1)),
    risk Float64 CODEC(ZSTD(1)),
    risk_findings String CODEC(ZSTD(1)),
    state_bytes Int64 CODEC(T64, ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(last_seen)}
ORDER BY (tenant_id, principal_id)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
