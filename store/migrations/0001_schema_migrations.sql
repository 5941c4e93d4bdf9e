-- Which migrations were applied, with the checksum of each text: what a worker checks at its start.
CREATE TABLE IF NOT EXISTS schema_migrations{on_cluster}
(
    version Int64,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(applied_at)}
ORDER BY version;
