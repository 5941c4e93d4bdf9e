//! Forgetting on a server: rows deleted, texts of others changed, one step after the other.
//!
//! Each step may be done again. The identity's own state goes last, so that who starts again after
//! a failure still finds it by its name.

use crate::clickhouse::client::{Client, quote};
use crate::error::StoreError;
use crate::forget::{Erased, Forgetting, SAID, SCRUBBED, audit_row};
use crate::reader::{Value, Values};
use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use model::Detector;
use model::mention::FORGOTTEN;

/// The tables with rows of identities, in the order in which they are emptied.
const OWN: [&str; 7] =
    ["signals", "windows", "operations", "findings_daily", "findings", "feedback", "identities"];
/// Days of others whose findings named somebody and are summed up anew; more is an error, before
/// anything is changed.
const DAYS_MAX: usize = 10_000;
/// The result that an audit says until all is done.
const BEGUN: &str = "begun";

/// Which rows have a text in one of these columns that names somebody.
fn naming(columns: &[&str]) -> String {
    let named = columns.iter().map(|column| format!("match({column}, {{pattern:String}})"));
    named.collect::<Vec<_>>().join(" OR ")
}

/// Which rows have an entity that names somebody, because their detector is of no endpoint.
fn naming_entity() -> String {
    let detectors = Detector::ALL.iter().filter(|it| it.names_somebody());
    let detectors: Vec<_> = detectors.map(|it| quote(it.as_str())).collect();
    format!(
        "(ifNull(detector, '') IN ({}) AND match(ifNull(entity, ''), {{pattern:String}}))",
        detectors.join(", ")
    )
}

/// Which rows of a table go, and the values that say so. Of a signal the entity is part of the key: where
/// it names somebody, the row goes.
fn going(table: &str, who: &Forgetting) -> (String, Values) {
    let own = "principal_id = {principal_id:String}";
    if table == "signals" {
        return (format!("{own} OR {}", naming_entity()), values(who));
    }
    (own.to_owned(), vec![("principal_id", Value::Text(who.id.clone()))])
}

impl Client {
    /// What forgetting would do; nothing is changed.
    pub async fn count_forgotten(&self, who: &Forgetting) -> Result<Vec<Erased>, StoreError> {
        let values = values(who);
        let mut erased = Vec::new();
        for table in OWN {
            let (condition, own) = going(table, who);
            let sql = format!("SELECT CAST(count(), 'Int64') FROM {table} WHERE {condition}");
            let removed = self.number(&sql, &own).await?;
            erased.push(Erased { removed, ..Erased::nothing(table) });
        }
        let entity = naming_entity();
        let (named, said) = (naming(&SCRUBBED), naming(&SAID));
        let left = format!("match(ifNull(entity, ''), {{pattern:String}}) AND NOT {entity}");
        for (table, column, condition) in [
            ("findings", "changed", &format!("{named} OR {entity}")),
            ("feedback", "changed", &format!("{said} OR {entity}")),
            ("feedback", "left", &left),
            ("findings", "left", &left),
            ("signals", "left", &left),
        ] {
            let sql = format!(
                "SELECT CAST(count(), 'Int64') FROM {table} \
                 WHERE principal_id != {{principal_id:String}} AND ({condition})"
            );
            let count = self.number(&sql, &values).await?;
            for it in erased.iter_mut().filter(|it| it.table == table) {
                match column {
                    "changed" => it.changed = count,
                    _ => it.left = count,
                }
            }
        }
        let sql =
            "SELECT CAST(count(), 'Int64') FROM endpoints WHERE match(endpoint, {pattern:String})";
        let pattern = values.into_iter().filter(|(name, _)| *name == "pattern").collect();
        let left = self.number(sql, &pattern).await?;
        erased.push(Erased { left, ..Erased::nothing("endpoints") });
        Ok(erased)
    }

    /// Forgets, with `key` for the fingerprint in the audit. Needs the role `habitus_privacy`.
    ///
    /// What the server deletes is gone from its tables when this returns, on every replica; files
    /// of old parts follow within `old_parts_lifetime` (8 min), and backups are not touched.
    pub async fn forget(
        &self,
        who: &Forgetting,
        key: &[u8; 32],
    ) -> Result<Vec<Erased>, StoreError> {
        let erased = self.count_forgotten(who).await?;
        let days = self.days_that_name(who).await?;
        let begun = Forgetting { result: BEGUN, ..who.clone() };
        self.audit(&audit_row(&begun, key, &erased)?).await?;
        self.scrub(who, &days).await?;
        for table in OWN {
            let (condition, own) = going(table, who);
            let sql = format!("ALTER TABLE {table}{} DELETE WHERE {condition}", self.on_cluster()?);
            self.execute_with(&sql, &own).await?;
        }
        self.audit(&audit_row(who, key, &erased)?).await?;
        Ok(erased)
    }

    /// Takes the names out of others' findings, and out of what was summed up from them.
    async fn scrub(&self, who: &Forgetting, days: &[Values]) -> Result<(), StoreError> {
        self.scrub_texts("feedback", &SAID, who).await?;
        if days.is_empty() {
            return Ok(());
        }
        self.scrub_texts("findings", &SCRUBBED, who).await?;
        let on_cluster = self.on_cluster()?;
        // A state cannot be changed: it is made again from the findings.
        for day in days {
            let key = "tenant_id = {tenant_id:String} AND principal_id = {principal_id:String}";
            let delete = format!(
                "ALTER TABLE findings_daily{on_cluster} DELETE \
                 WHERE {key} AND toString(day) = {{day:String}}"
            );
            self.execute_with(&delete, day).await?;
            let again = format!(
                "INSERT INTO findings_daily (tenant_id, principal_id, day, findings, score_max, \
                 severity_max, sentence) SELECT tenant_id, principal_id, toDate(window_start) AS day, \
                 uniqExactState(finding_id), maxState(score), maxState(severity), \
                 argMaxState(sentence, (score, revision, finding_id)) FROM findings \
                 WHERE {key} AND toString(toDate(window_start)) = {{day:String}} \
                 GROUP BY tenant_id, principal_id, day"
            );
            self.execute_with(&again, day).await?;
        }
        Ok(())
    }

    /// Takes the names out of texts of rows that are others'.
    async fn scrub_texts(
        &self,
        table: &str,
        columns: &[&str],
        who: &Forgetting,
    ) -> Result<(), StoreError> {
        // Twice: what stands between two names belongs to the first.
        let once = |of: &str| {
            format!("replaceRegexpAll({of}, {{pattern:String}}, '\\\\1{FORGOTTEN}\\\\2')")
        };
        let mut changes: Vec<_> =
            columns.iter().map(|column| format!("{column} = {}", once(&once(column)))).collect();
        let entity = naming_entity();
        changes.push(format!("entity = if({entity}, {}, entity)", once(&once("entity"))));
        let update = format!(
            "ALTER TABLE {table}{} UPDATE {} \
             WHERE principal_id != {{principal_id:String}} AND ({} OR {entity})",
            self.on_cluster()?,
            changes.join(", "),
            naming(columns),
        );
        self.execute_with(&update, &values(who)).await
    }

    /// The days of others whose findings name somebody.
    async fn days_that_name(&self, who: &Forgetting) -> Result<Vec<Values>, StoreError> {
        let named = format!("{} OR {}", naming(&SCRUBBED), naming_entity());
        let sql = format!(
            "SELECT DISTINCT tenant_id, principal_id, toString(toDate(window_start)) AS day \
             FROM findings WHERE principal_id != {{principal_id:String}} AND ({named}) \
             LIMIT {}",
            DAYS_MAX + 1
        );
        let (_, batches) = self.query_with(&sql, &values(who)).await?;
        let days: Vec<_> = batches.iter().flat_map(days_of).collect();
        if days.len() > DAYS_MAX {
            let what = format!("more than {DAYS_MAX} days of others have findings that name it");
            return Err(StoreError::Limit { what });
        }
        Ok(days)
    }

    pub(crate) async fn audit(&self, row: &RecordBatch) -> Result<(), StoreError> {
        let text = |name: &'static str| {
            let column = row.column_by_name(name).and_then(|it| it.as_string_opt::<i32>());
            (name, Value::Text(column.map_or("", |column| column.value(0)).to_owned()))
        };
        let count = |name: &'static str| {
            let column = row.column_by_name(name).and_then(|it| it.as_primitive_opt::<Int64Type>());
            (name, Value::Int(column.map_or(0, |column| column.value(0))))
        };
        let at = row.column_by_name("at");
        let at =
            at.and_then(|it| it.as_primitive_opt::<arrow::datatypes::TimestampMicrosecondType>());
        let values = vec![
            ("at_us", Value::Int(at.map_or(0, |at| at.value(0)))),
            text("action"),
            text("fingerprint"),
            text("actor"),
            count("rows_removed"),
            count("rows_changed"),
            text("tables"),
            text("result"),
        ];
        let sql = "INSERT INTO audit (at, action, fingerprint, actor, rows_removed, rows_changed, \
                   tables, result) SELECT fromUnixTimestamp64Micro({at_us:Int64}, 'UTC'), \
                   {action:String}, {fingerprint:String}, {actor:String}, {rows_removed:Int64}, \
                   {rows_changed:Int64}, {tables:String}, {result:String}";
        self.execute_with(sql, &values).await
    }

    async fn number(&self, sql: &str, values: &Values) -> Result<u64, StoreError> {
        let (_, batches) = self.query_with(sql, values).await?;
        let column = batches.iter().find(|batch| batch.num_rows() > 0).map(|it| it.column(0));
        let number = column.and_then(|it| it.as_primitive_opt::<Int64Type>());
        Ok(number.map_or(0, |it| it.value(0).max(0) as u64))
    }

    fn on_cluster(&self) -> Result<String, StoreError> {
        crate::clickhouse::migration::on_cluster(self.settings().cluster())
    }
}

fn values(who: &Forgetting) -> Values {
    vec![
        ("principal_id", Value::Text(who.id.clone())),
        ("pattern", Value::Text(who.mentions().pattern())),
    ]
}

/// The rows of three texts as parameters.
fn days_of(batch: &RecordBatch) -> Vec<Values> {
    let text = |column: usize, row: usize| {
        let column = batch.columns().get(column).and_then(|it| it.as_string_opt::<i32>());
        Value::Text(column.map_or("", |it| it.value(row)).to_owned())
    };
    let day = |row| {
        vec![("tenant_id", text(0, row)), ("principal_id", text(1, row)), ("day", text(2, row))]
    };
    (0..batch.num_rows()).map(day).collect()
}
