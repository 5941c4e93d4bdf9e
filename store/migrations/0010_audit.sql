-- What people did to the store: who forgot an identity, and how much of it there was.
-- The identity itself is a fingerprint, which only says something to who has the key and the id.
-- Written twice, before and after; the later row stays, and says whether it was done to its end.
CREATE TABLE IF NOT EXISTS audit{on_cluster}
(
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    action LowCardinality(String),
    fingerprint String CODEC(ZSTD(1)),
    actor String CODEC(ZSTD(1)),
    rows_removed Int64 CODEC(T64, ZSTD(1)),
    rows_changed Int64 CODEC(T64, ZSTD(1)),
    tables String CODEC(ZSTD(1)),
    result LowCardinality(String),
    written_at DateTime64(6, 'UTC') MATERIALIZED now64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(written_at)}
ORDER BY (at, action, fingerprint)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;
