//! The tables' definitions: numbered texts in this program, applied once each, and checked by workers.

use crate::clickhouse::client::Client;
use crate::clickhouse::settings::cluster_name;
use crate::error::StoreError;
use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use std::collections::BTreeMap;

/// One numbered text. Its number is its place in [`MIGRATIONS`], from 1.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Takes the name and the text from the file of that name.
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(Migration {
            name: $name,
            text: include_str!(concat!("../../migrations/", $name, ".sql")),
        }),*]
    };
}

/// Every migration, in order. A text that was released never changes; a change is a new one, and it
/// only adds. Each can be run again after it stopped half way.
pub(crate) const MIGRATIONS: [Migration; 15] = migrations![
    "0001_schema_migrations",
    "0002_findings",
    "0003_signals",
    "0004_windows",
    "0005_identities",
    "0006_endpoints",
    "0007_views",
    "0008_findings_daily",
    "0009_pipeline_health",
    "0010_audit",
    "0011_incidents",
    "0012_feedback",
    "0013_operations",
    "0014_readers",
    "0015_metrics",
];

/// A migration that was carried out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// Its number, from 1.
    pub version: i64,
    /// Its name, such as `0002_findings`.
    pub name: &'static str,
}

/// What the server says was applied: by version, the checksum.
type Recorded = BTreeMap<i64, String>;

impl Migration {
    /// The hash of the text, before any of its placeholders is filled.
    pub(crate) fn checksum(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex().to_string()
    }
}

/// The version that this program needs: the number of the last migration.
pub(crate) const fn version() -> i64 {
    MIGRATIONS.len() as i64
}

/// Every migration with its number.
fn numbered() -> impl Iterator<Item = (i64, &'static Migration)> {
    (1..).zip(&MIGRATIONS)
}

/// Makes the database and its tables, or brings them to this program's version.
///
/// With a cluster, each statement runs on all of its servers and the tables are replicated between
/// them. Yields what was carried out, which is nothing if all was there. Two at once do no harm.
pub async fn migrate(client: &Client, cluster: Option<&str>) -> Result<Vec<Applied>, StoreError> {
    let on_cluster = on_cluster(cluster)?;
    match client.query("SELECT 1").await {
        Err(StoreError::SchemaOld { .. }) => client.create_database(&on_cluster).await?,
        answer => drop(answer?),
    }
    let recorded = recorded(client).await?;
    check(client, &recorded)?;
    let mut applied = Vec::new();
    for (version, migration) in numbered() {
        if recorded.contains_key(&version) {
            continue;
        }
        for statement in statements(&filled(migration.text, &on_cluster)) {
            client.execute(&statement).await?;
        }
        let (name, checksum) = (migration.name, migration.checksum());
        let record = format!(
            "INSERT INTO schema_migrations (version, name, checksum) \
             VALUES ({version}, '{name}', '{checksum}')"
        );
        client.execute(&record).await?;
        applied.push(Applied { version, name });
    }
    Ok(applied)
}

/// Refuses a server whose tables are older or newer than this program, or were made otherwise.
pub async fn verify(client: &Client) -> Result<(), StoreError> {
    let recorded = recorded(client).await?;
    check(client, &recorded)?;
    let missing = numbered().any(|(version, _)| !recorded.contains_key(&version));
    if missing {
        let found = recorded.last_key_value().map_or(0, |(version, _)| *version);
        let server = client.settings().to_string();
        return Err(StoreError::SchemaOld { server, found, known: version() });
    }
    Ok(())
}

/// Refuses what a newer program applied, and what was applied with another text.
fn check(client: &Client, recorded: &Recorded) -> Result<(), StoreError> {
    let server = || client.settings().to_string();
    if let Some((&found, _)) = recorded.last_key_value()
        && found > version()
    {
        return Err(StoreError::SchemaNew { server: server(), found, known: version() });
    }
    for (version, migration) in numbered() {
        if recorded.get(&version).is_some_and(|checksum| *checksum != migration.checksum()) {
            return Err(StoreError::MigrationChanged { server: server(), name: migration.name });
        }
    }
    Ok(())
}

async fn recorded(client: &Client) -> Result<Recorded, StoreError> {
    let exists = "SELECT name FROM system.tables \
                  WHERE database = currentDatabase() AND name = 'schema_migrations'";
    let (_, batches) = match client.query(exists).await {
        // The database itself is missing.
        Err(StoreError::SchemaOld { .. }) => return Ok(Recorded::new()),
        answer => answer?,
    };
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Recorded::new());
    }
    let sql = "SELECT version, checksum FROM schema_migrations ORDER BY version";
    let (_, batches) = client.query(sql).await?;
    Ok(batches.iter().flat_map(records).collect())
}

fn records(batch: &RecordBatch) -> Vec<(i64, String)> {
    let versions = batch.columns().first().and_then(|it| it.as_primitive_opt::<Int64Type>());
    let checksums = batch.columns().get(1).and_then(|it| it.as_string_opt::<i32>());
    let (Some(versions), Some(checksums)) = (versions, checksums) else { return Vec::new() };
    let records = versions.iter().zip(checksums).filter_map(|(version, checksum)| {
        version.map(|version| (version, checksum.unwrap_or_default().to_owned()))
    });
    records.collect()
}

/// The clause that makes a statement run on all servers of a cluster; nothing for one server.
pub(crate) fn on_cluster(cluster: Option<&str>) -> Result<String, StoreError> {
    match cluster {
        None => Ok(String::new()),
        Some(name) => Ok(format!(" ON CLUSTER '{}'", cluster_name(name)?)),
    }
}

/// The text with its placeholders filled: `{on_cluster}`, and `{engine:Name(arguments)}`, which
/// becomes `ReplicatedName(arguments)` on a cluster. Where a replica keeps its log is the server's
/// default: by the table's UUID, the shard and the replica.
pub(crate) fn filled(text: &str, on_cluster: &str) -> String {
    let engine = if on_cluster.is_empty() { "" } else { "Replicated" };
    let mut parts = text.split("{engine:");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(engine);
        filled.push_str(&part.replacen('}', "", 1));
    }
    filled.replace("{on_cluster}", on_cluster)
}

/// The statements of a text, each without its comments: one request carries one statement.
///
/// A statement ends with a semicolon at the end of a line; the texts have none elsewhere.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let statements = text.split(";\n").map(|it| it.trim().trim_end_matches(';').to_owned());
    statements.filter(|statement| !statement.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::chunk::Target;
    use crate::clickhouse::metrics;
    use arrow::datatypes::{DataType, Field};
    use model::Severity;
    use model::tables::Table;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The statement that makes a table, on one server.
    fn definition(table: &str) -> String {
        let all = MIGRATIONS.iter().flat_map(|it| statements(&filled(it.text, "")));
        let start = format!("CREATE TABLE IF NOT EXISTS {table}\n");
        let found: Vec<_> = all.filter(|statement| statement.starts_with(&start)).collect();
        assert_eq!(found.len(), 1, "{table}");
        found[0].clone()
    }

    /// The columns of a definition: names and types. `SELECT *` leaves out what is materialized.
    fn columns(definition: &str) -> Vec<(String, String)> {
        let body = definition.split_once("\n(\n").unwrap().1.split_once("\n)\n").unwrap().0;
        let lines = body.lines().map(|line| line.trim().trim_end_matches(','));
        let hidden = |line: &&str| line.starts_with("INDEX ") || line.contains(" MATERIALIZED ");
        let lines = lines.filter(|line| !hidden(line));
        let columns = lines.map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name.to_owned(), rest.split(" CODEC(").next().unwrap().to_owned())
        });
        columns.collect()
    }

    /// Whether a column of that type takes the field's values and gives them back.
    fn takes(column: &str, field: &Field) -> bool {
        let text = |null: &str, some: &str| {
            // In a key there is no NULL: nobody is the empty text.
            let is_nullable = field.is_nullable() && field.name() != "principal_id";
            if is_nullable { column == null } else { column == some }
        };
        match field.data_type() {
            DataType::Int64 => column == "Int64",
            DataType::Float64 => text("Nullable(Float64)", "Float64"),
            DataType::Map(..) => column == "Map(LowCardinality(String), String)",
            DataType::Timestamp(..) => {
                text("Nullable(DateTime64(6, 'UTC'))", "DateTime64(6, 'UTC')")
            }
            _ => {
                column.starts_with("Enum8(")
                    || text("Nullable(String)", "String")
                    || text("LowCardinality(Nullable(String))", "LowCardinality(String)")
            }
        }
    }

    #[test]
    fn migrations_are_numbered_without_gaps_and_every_file_is_one() {
        let names: Vec<_> = MIGRATIONS.iter().map(|it| it.name).collect();
        for (version, migration) in numbered() {
            assert!(migration.name.starts_with(&format!("{version:04}_")), "{}", migration.name);
        }
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files: BTreeSet<_> = fs::read_dir(dir)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let known = names.iter().copied().chain(["roles", "roles_tenant"]);
        assert_eq!(files, known.map(|name| format!("{name}.sql")).collect());
    }

    #[test]
    fn every_table_has_the_columns_of_its_schema_and_no_others() {
        let tables = Table::ALL.map(|table| (table.as_str(), table.schema()));
        for (table, schema) in tables.into_iter().chain([(metrics::TABLE, metrics::schema())]) {
            let columns = columns(&definition(table));
            assert_eq!(columns.len(), schema.fields().len(), "{table}");
            for ((name, column), field) in columns.iter().zip(schema.fields()) {
                assert_eq!(name, field.name(), "{table}");
                assert!(takes(column, field), "{table}.{name} is {column}");
            }
        }
    }

    #[test]
    fn the_month_of_a_chunk_is_the_tables_partition() {
        for target in Table::ALL.map(Target::of) {
            let definition = definition(target.name);
            match target.month_of {
                Some(time) => {
                    let partition = format!("\nPARTITION BY toYYYYMM({time})\n");
                    assert!(definition.contains(&partition), "{}", target.name);
                }
                None => assert!(!definition.contains("PARTITION BY"), "{}", target.name),
            }
        }
    }

    #[test]
    fn every_table_drops_repeated_inserts_and_replaces_repeated_rows() {
        for table in Table::ALL {
            let definition = definition(table.as_str());
            assert!(definition.contains("\nENGINE = ReplacingMergeTree("), "{}", table.as_str());
            for setting in [
                "non_replicated_deduplication_window = 10000",
                "replicated_deduplication_window = 10000",
            ] {
                assert!(definition.contains(&format!("\n    {setting}")), "{}", table.as_str());
            }
        }
    }

    #[test]
    fn severities_are_the_closed_set_in_its_order() {
        let labels: Vec<_> = (1..)
            .zip(Severity::ALL)
            .map(|(number, severity)| format!("'{}' = {number}", severity.as_str()))
            .collect();
        let column = format!("\n    severity Enum8({}),", labels.join(", "));
        assert!(definition("findings").contains(&column), "{column}");
    }

    #[test]
    fn every_statement_can_be_run_again_on_one_server_and_on_a_cluster() {
        for migration in &MIGRATIONS {
            for cluster in [None, Some("{cluster}")] {
                let on_cluster = on_cluster(cluster).unwrap();
                let statements = statements(&filled(migration.text, &on_cluster));
                assert!(!statements.is_empty(), "{}", migration.name);
                for statement in statements {
                    // A view holds no rows: a later one takes its place.
                    let is_new = statement.starts_with("CREATE OR REPLACE VIEW ");
                    assert!(is_new || statement.contains(" IF NOT EXISTS "), "{statement}");
                    assert!(!statement.contains(';') && !statement.contains("{engine"));
                    let clause = statement.contains(" ON CLUSTER '{cluster}'");
                    assert_eq!(clause, cluster.is_some(), "{statement}");
                    let is_table = statement.contains("\nENGINE = ");
                    let is_replicated = statement.contains("\nENGINE = Replicated");
                    assert_eq!(is_replicated, is_table && cluster.is_some(), "{statement}");
                }
            }
        }
    }

    #[test]
    fn rollups_keep_only_states_that_a_replay_leaves_alone() {
        for migration in &MIGRATIONS {
            for statement in statements(migration.text) {
                if statement.starts_with("CREATE MATERIALIZED VIEW") {
                    let (_, select) = statement.split_once("SELECT").unwrap();
                    for word in select.split(|c: char| !c.is_ascii_alphanumeric()) {
                        let is_safe = ["uniqExactState", "maxState", "argMaxState"].contains(&word);
                        assert!(is_safe || !word.ends_with("State"), "{word}");
                        assert!(!["sum", "count", "avg"].contains(&word), "{word}");
                    }
                }
            }
        }
    }

    #[test]
    fn placeholders_are_filled() {
        let text = "CREATE TABLE x{on_cluster}\nENGINE = {engine:A(b)}\nORDER BY {engine:C()};";
        assert_eq!(filled(text, ""), "CREATE TABLE x\nENGINE = A(b)\nORDER BY C();");
        assert_eq!(
            filled(text, " ON CLUSTER '{c}'"),
            "CREATE TABLE x ON CLUSTER '{c}'\nENGINE = ReplicatedA(b)\nORDER BY ReplicatedC();"
        );
        assert_eq!(statements("-- a;\nx\n-- b\ny;\n\nz;\n"), ["x\ny", "z"]);
    }
}
