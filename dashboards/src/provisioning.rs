//! What Grafana reads at its start: where ClickHouse is, and where the dashboards lie.

/// The data source's uid: dashboards let their reader choose, alert rules name it.
pub(crate) const SOURCE_UID: &str = "habitus";

/// As `compose.yaml` has it; elsewhere change host, port, TLS and where the password is.
pub(crate) fn datasource() -> String {
    "\
# Grafana asks ClickHouse as a user that may only read.
apiVersion: 1
datasources:
  - name: Habitus
    uid: habitus
    type: grafana-clickhouse-datasource
    access: proxy
    editable: false
    jsonData:
      host: clickhouse
      port: 8123
      protocol: http
      secure: false
      username: grafana
      defaultDatabase: habitus
    secureJsonData:
      password: $__file{/run/secrets/grafana/clickhouse_password}
"
    .to_owned()
}

pub(crate) fn dashboards() -> String {
    "\
# The dashboards lie in a folder, which Grafana looks at every minute.
apiVersion: 1
providers:
  - name: habitus
    orgId: 1
    folder: Habitus
    folderUid: habitus
    type: file
    disableDeletion: true
    editable: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: /var/lib/grafana-dashboards/habitus
"
    .to_owned()
}
