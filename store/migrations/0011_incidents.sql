-- Findings that belong together, every revision until the engine merges them: the highest stays. Of
-- whom they are stands in the findings alone: forgetting somebody has nothing to do here.
CREATE TABLE IF NOT EXISTS incidents{on_cluster}
(
    incident_id String CODEC(ZSTD(1)),
    revision Int64 CODEC(ZSTD(1)),
    tenant_id String CODEC(ZSTD(1)),
    status LowCardinality(String),
    merged_into Nullable(String) CODEC(ZSTD(1)),
    first_detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    last_detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    severity Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5),
    score Float64 CODEC(ZSTD(1)),
    findings Int64 CODEC(T64, ZSTD(1)),
    identities Int64 CODEC(T64, ZSTD(1)),
    detectors LowCardinality(String),
    connected_by LowCardinality(String),
    sentence String CODEC(ZSTD(3)),
    written_at DateTime('UTC') MATERIALIZED now('UTC') CODEC(Delta, ZSTD(1)),
    INDEX incident_id_bloom incident_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {engine:ReplacingMergeTree(revision)}
-- The first finding of an incident may turn out to be an earlier one: its month is no key.
ORDER BY (tenant_id, incident_id)
TTL written_at + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- One row per incident: its highest revision.
CREATE VIEW IF NOT EXISTS incidents_current{on_cluster}
SQL SECURITY INVOKER AS
SELECT *
FROM incidents FINAL;
