-- A dashboard role that sees one tenant, and of the tables only those that say whose a row is.
CREATE ROLE IF NOT EXISTS `habitus_grafana_{tenant}`{on_cluster} SETTINGS PROFILE 'habitus_grafana';

GRANT{on_cluster} SELECT ON {database}.findings TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.incidents TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.incidents_current TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.signals TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.windows TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.identities TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.findings_daily TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.operations TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.feedback TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.findings_latest TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.feedback_in_force TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.findings_current TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.identity_timeline TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.identity_risk TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.identity_profile TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.peer_group TO `habitus_grafana_{tenant}`;
GRANT{on_cluster} SELECT ON {database}.detector_quality TO `habitus_grafana_{tenant}`;

CREATE QUOTA IF NOT EXISTS `habitus_grafana_{tenant}`{on_cluster} KEYED BY user_name
FOR INTERVAL 1 hour MAX queries = 20000, read_rows = 100000000000, execution_time = 7200
TO `habitus_grafana_{tenant}`;

-- Something must permit before a restriction can leave anything.
CREATE ROW POLICY IF NOT EXISTS `habitus_permit_{tenant}`{on_cluster}
ON {database}.findings, {database}.incidents, {database}.signals, {database}.windows, {database}.identities, {database}.findings_daily, {database}.feedback, {database}.operations
USING 1 AS PERMISSIVE TO `habitus_grafana_{tenant}`;

CREATE ROW POLICY IF NOT EXISTS `habitus_only_{tenant}`{on_cluster}
ON {database}.findings, {database}.incidents, {database}.signals, {database}.windows, {database}.identities, {database}.findings_daily, {database}.feedback, {database}.operations
USING tenant_id = '{tenant}' AS RESTRICTIVE TO `habitus_grafana_{tenant}`;
