-- The features of one identity in one closed window; a replay writes the same key again.
CREATE TABLE IF NOT EXISTS windows{on_cluster}
(
    tenant_id String CODEC(ZSTD(1)),
    principal_id String CODEC(ZSTD(1)),
    window_start DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_seconds Int64 CODEC(T64, ZSTD(1)),
    requests Int64 CODEC(T64, ZSTD(1)),
    status_2xx Int64 CODEC(T64, ZSTD(1)),
    status_3xx Int64 CODEC(T64, ZSTD(1)),
    status_401 Int64 CODEC(T64, ZSTD(1)),
    status_403 Int64 CODEC(T64, ZSTD(1)),
    status_404 Int64 CODEC(T64, ZSTD(1)),
    status_4xx_other Int64 CODEC(T64, ZSTD(1)),
    status_5xx Int64 CODEC(T64, ZSTD(1)),
    status_unknown Int64 CODEC(T64, ZSTD(1)),
    endpoints_distinct Int64 CODEC(T64, ZSTD(1)),
    endpoints_new Int64 CODEC(T64, ZSTD(1)),
    endpoints_denied_distinct Int64 CODEC(T64, ZSTD(1)),
    objects_distinct Int64 CODEC(T64, ZSTD(1)),
    objects_changed_distinct Int64 CODEC(T64, ZSTD(1)),
    objects_deleted_distinct Int64 CODEC(T64, ZSTD(1)),
    secrets_read_distinct Int64 CODEC(T64, ZSTD(1)),
    calls_repeated_max Int64 CODEC(T64, ZSTD(1)),
    injection_requests Int64 CODEC(T64, ZSTD(1)),
    injection_answered Int64 CODEC(T64, ZSTD(1)),
    networks_distinct Int64 CODEC(T64, ZSTD(1)),
    user_agents_distinct Int64 CODEC(T64, ZSTD(1)),
    bytes_in Float64 CODEC(ZSTD(1)),
    bytes_out Float64 CODEC(ZSTD(1)),
    responses_with_size Int64 CODEC(T64, ZSTD(1)),
    write_share Float64 CODEC(ZSTD(1)),
    requests_per_10s_max Int64 CODEC(T64, ZSTD(1)),
    requests_per_min_max Int64 CODEC(T64, ZSTD(1)),
    duration_p50_ms Nullable(Float64) CODEC(ZSTD(1)),
    duration_p95_ms Nullable(Float64) CODEC(ZSTD(1)),
    gap_p05_s Nullable(Float64) CODEC(ZSTD(1)),
    gap_p50_s Nullable(Float64) CODEC(ZSTD(1)),
    gap_p95_s Nullable(Float64) CODEC(ZSTD(1)),
    surprisal_mean_bits Float64 CODEC(ZSTD(1)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree()}
PARTITION BY toYYYYMM(window_start)
ORDER BY (tenant_id, principal_id, window_start, window_seconds)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800,
    ttl_only_drop_parts = 1;
