-- Who may do what, for users that an administrator makes; safe to run again.
-- A view asks as its reader, so a reader needs the tables beneath it, and row policies hold.
CREATE SETTINGS PROFILE IF NOT EXISTS habitus_analyst{on_cluster}
SETTINGS readonly = 2, max_execution_time = 60 MAX 600, max_result_rows = 10000000;

CREATE SETTINGS PROFILE IF NOT EXISTS habitus_grafana{on_cluster}
SETTINGS readonly = 1, max_execution_time = 30 MAX 120 CHANGEABLE_IN_READONLY, max_result_rows = 1000000;

CREATE ROLE IF NOT EXISTS habitus_writer{on_cluster};
CREATE ROLE IF NOT EXISTS habitus_analyst{on_cluster} SETTINGS PROFILE 'habitus_analyst';
CREATE ROLE IF NOT EXISTS habitus_grafana{on_cluster} SETTINGS PROFILE 'habitus_grafana';

GRANT{on_cluster} INSERT, SELECT ON {database}.findings TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.incidents TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.signals TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.windows TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.identities TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.endpoints TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.operations TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.pipeline_health TO habitus_writer;
GRANT{on_cluster} INSERT, SELECT ON {database}.metrics TO habitus_writer;
GRANT{on_cluster} SELECT ON {database}.schema_migrations TO habitus_writer;
-- What the deny feed asks, and what a replay shows in the end; these too ask as their reader.
GRANT{on_cluster} SELECT ON {database}.feedback TO habitus_writer;
GRANT{on_cluster} SELECT ON {database}.feedback_in_force TO habitus_writer;
GRANT{on_cluster} SELECT ON {database}.findings_current TO habitus_writer;
GRANT{on_cluster} SELECT ON {database}.* TO habitus_analyst;
GRANT{on_cluster} SELECT ON {database}.* TO habitus_grafana;

-- Who forgets an identity: the only role that may delete, and no worker's.
CREATE ROLE IF NOT EXISTS habitus_privacy{on_cluster};
GRANT{on_cluster} SELECT ON {database}.* TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE, ALTER UPDATE ON {database}.findings TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE ON {database}.signals TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE ON {database}.windows TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE ON {database}.operations TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE ON {database}.identities TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE, INSERT ON {database}.findings_daily TO habitus_privacy;
GRANT{on_cluster} ALTER DELETE, ALTER UPDATE ON {database}.feedback TO habitus_privacy;
GRANT{on_cluster} INSERT ON {database}.audit TO habitus_privacy;

-- Who says what findings are; nobody takes a row back but by another row.
CREATE ROLE IF NOT EXISTS habitus_feedback{on_cluster};
GRANT{on_cluster} SELECT ON {database}.* TO habitus_feedback;
GRANT{on_cluster} INSERT ON {database}.feedback TO habitus_feedback;
GRANT{on_cluster} INSERT ON {database}.audit TO habitus_feedback;

CREATE QUOTA IF NOT EXISTS habitus_grafana{on_cluster} KEYED BY user_name
FOR INTERVAL 1 hour MAX queries = 20000, read_rows = 100000000000, execution_time = 7200
TO habitus_grafana;

-- A table with a policy shows its rows to nobody else where the server is set so; these see all.
CREATE ROW POLICY IF NOT EXISTS habitus_all{on_cluster}
ON {database}.findings, {database}.incidents, {database}.signals, {database}.windows, {database}.identities, {database}.findings_daily, {database}.feedback, {database}.operations
USING 1 TO habitus_writer, habitus_analyst, habitus_grafana, habitus_privacy, habitus_feedback;
