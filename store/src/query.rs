//! Questions in SQL: each sees one state of the store, and none can change anything.

use crate::directory::{Store, in_background};
use crate::error::StoreError;
use crate::manifest::Manifest;
use crate::reader::{Value, Values};
use crate::scan::Scan;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, DataFusionError, ScalarValue, SchemaError};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures::StreamExt as _;
use futures::channel::oneshot;
use futures::future::{Either, select};
use model::tables::Table;
use object_store::local::LocalFileSystem;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::{io, thread};
use tokio::runtime::Builder;

/// Bytes of one query's text.
const SQL_BYTES_MAX: usize = 16 * 1024;
/// Bytes that all queries of a store may work with at once; sorts and joins beyond it spill to disk.
pub(crate) const WORK_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Bytes of temporary files of those that spill.
const SPILL_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Threads' worth of work that one query is split into.
const PARTITIONS: usize = 2;
/// Stack of each thread that plans and runs a query, enough for sums of thousands of terms; only
/// what is touched takes memory.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// Characters kept of what the engine says about an error.
const MESSAGE_CHARS_MAX: usize = 2_000;
/// Columns that are named when a question names one that is not there.
const NEAR_MAX: usize = 8;
/// Letters that two names have in common, at the beginning or as the whole of one, to be near.
const NEAR_CHARS: usize = 3;
/// Under which name the engine knows the store's directory; its real path stays out of every plan.
const ROOT: &str = "habitus://store/";
/// What the engine puts before table names, and nobody wants to read.
const CATALOG: (&str, &str) = ("habitus", "public");

/// The views, each after those that it is made of.
const VIEWS: [(&str, &str); 10] = [
    ("findings_latest", include_str!("../views/findings_latest.sql")),
    ("feedback_in_force", include_str!("../views/feedback_in_force.sql")),
    ("findings_current", include_str!("../views/findings_current.sql")),
    ("incidents_current", include_str!("../views/incidents_current.sql")),
    ("identity_timeline", include_str!("../views/identity_timeline.sql")),
    ("identity_risk", include_str!("../views/identity_risk.sql")),
    ("identity_profile", include_str!("../views/identity_profile.sql")),
    ("endpoint_inventory", include_str!("../views/endpoint_inventory.sql")),
    ("peer_group", include_str!("../views/peer_group.sql")),
    ("detector_quality", include_str!("../views/detector_quality.sql")),
];

/// The view of that name where there is no feedback: most stores have none, and five joins would
/// be planned for nothing.
const UNSAID: (&str, &str) = ("findings_current", include_str!("../views/findings_unsaid.sql"));

/// Words of questions that may be about any view without naming it.
const ABOUT_ALL: [&str; 2] = ["show", "information_schema"];

/// The views that a question names, with those that they are made of, in their order: to plan all of
/// them takes longer than most answers. A word that only looks like a view's name costs that time.
fn views_of(sql: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let sql = sql.to_lowercase();
    let is_about_all = ABOUT_ALL.iter().any(|word| sql.contains(word));
    let mut wanted = [is_about_all; VIEWS.len()];
    for (at, (name, _)) in VIEWS.iter().enumerate().rev() {
        let mut others = VIEWS.iter().zip(wanted);
        let is_part = others.any(|((_, text), is_wanted)| is_wanted && text.contains(name));
        wanted[at] |= is_part || sql.contains(name);
    }
    VIEWS.into_iter().zip(wanted).filter(|(_, is_wanted)| *is_wanted).map(|(view, _)| view)
}

/// Parameters as the engine takes them.
fn scalars(values: Values) -> Vec<(&'static str, ScalarValue)> {
    let scalar = |value| match value {
        Value::Text(text) => ScalarValue::Utf8(Some(text)),
        Value::Int(number) => ScalarValue::Int64(Some(number)),
    };
    values.into_iter().map(|(name, value)| (name, scalar(value))).collect()
}

/// The text as a literal of SQL: in quotes, with its own quotes doubled.
pub fn quote(literal: &str) -> String {
    format!("'{}'", literal.replace('\'', "''"))
}

/// What all queries of a store share: its files, and the limits.
pub(crate) fn runtime(dir: &Path, work_bytes_max: usize) -> Result<Arc<RuntimeEnv>, StoreError> {
    let refused = |what: String| StoreError::Sql { what, tables: String::new() };
    let files = LocalFileSystem::new_with_prefix(dir).map_err(|e| refused(e.to_string()))?;
    let root = ObjectStoreUrl::parse(ROOT).map_err(|e| refused(said(&e)))?;
    let runtime = RuntimeEnvBuilder::new()
        // By default the engine lists a directory once and never sees a later file.
        .with_object_list_cache_limit(0)
        .with_memory_limit(work_bytes_max, 1.0)
        .with_max_temp_directory_size(SPILL_BYTES_MAX)
        .build_arc()
        .map_err(|e| refused(said(&e)))?;
    runtime.register_object_store(root.as_ref(), Arc::new(files));
    Ok(runtime)
}

impl Store {
    /// Answers a question in SQL over the tables and views, as they are when it is asked.
    ///
    /// Only reading is allowed: SELECT, WITH, EXPLAIN, SHOW and DESCRIBE. The answer may have
    /// 512 MiB at most. Times are in UTC.
    pub async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        self.query_with(sql, Values::new()).await
    }

    /// The same with values for the parameters of the SQL, each `$name`.
    pub(crate) async fn query_with(
        &self,
        sql: &str,
        values: Values,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        if sql.len() > SQL_BYTES_MAX {
            let what = format!("the SQL has {} bytes, and at most {SQL_BYTES_MAX}", sql.len());
            return Err(StoreError::Sql { what, tables: String::new() });
        }
        // Held until the answer is complete: a replay that ends meanwhile removes nothing.
        let (manifest, _lock) = self.visible().await?;
        let (store, sql) = (self.clone(), sql.to_owned());
        on_deep_stacks(async move { store.ask(&manifest, &sql, values).await }).await
    }

    async fn ask(
        &self,
        manifest: &Manifest,
        sql: &str,
        values: Values,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        let session = self.session(manifest, sql).await.map_err(failed)?;
        let mut plan = read_only(&session.state(), sql).await?;
        if !values.is_empty() {
            plan = plan.with_param_values(scalars(values)).map_err(failed)?;
        }
        match collect(&session, plan).await {
            Err(StoreError::Sql { what, tables }) => {
                let (dir, manifest) = (self.dir().to_owned(), manifest.clone());
                // The engine's words for a file that is gone would not say what to do about it.
                in_background(move || manifest.check_files(&dir)).await?;
                Err(StoreError::Sql { what, tables })
            }
            answer => answer,
        }
    }

    /// The rows of a question of our own over the files that `manifest` lists.
    pub(crate) async fn stream(
        &self,
        manifest: &Manifest,
        sql: &str,
    ) -> Result<SendableRecordBatchStream, StoreError> {
        let session = self.session(manifest, sql).await.map_err(failed)?;
        let frame = session.sql(sql).await.map_err(failed)?;
        frame.execute_stream().await.map_err(failed)
    }

    /// A session over the files that `manifest` lists: one state, whatever is committed meanwhile.
    async fn session(
        &self,
        manifest: &Manifest,
        sql: &str,
    ) -> Result<SessionContext, DataFusionError> {
        let mut config = SessionConfig::new()
            .with_target_partitions(PARTITIONS)
            .with_information_schema(true)
            .with_default_catalog_and_schema(CATALOG.0, CATALOG.1)
            // The timeline's order is part of the view.
            .with_enable_subquery_sort_elimination(false);
        config.options_mut().execution.time_zone = Some("UTC".to_owned());
        let session = SessionContext::new_with_config_rt(config, Arc::clone(self.runtime()));
        let root = ObjectStoreUrl::parse(ROOT)?;
        for table in Table::ALL {
            let scan = Scan::new(root.clone(), manifest, table);
            session.register_table(table.as_str(), Arc::new(scan))?;
        }
        let is_unsaid = manifest.files(Table::Feedback).next().is_none();
        for (name, view) in views_of(sql) {
            let view = if is_unsaid && name == UNSAID.0 { UNSAID.1 } else { view };
            session.sql(view).await?;
        }
        Ok(session)
    }
}

/// Does the work on threads of its own, whose stacks hold deep expressions: the engine descends into
/// them, and the stack of an ordinary worker would overflow, which ends the process.
///
/// Dropping the future ends the work at its next await.
pub(crate) async fn on_deep_stacks<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let stopped = |error: io::Error| StoreError::Stopped(error.to_string());
    let (mut send, receive) = oneshot::channel();
    let ask = move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(PARTITIONS)
            .max_blocking_threads(PARTITIONS)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build();
        let answer = match &runtime {
            Ok(runtime) => match runtime.block_on(select(pin!(work), send.cancellation())) {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => return,
            },
            Err(error) => Err(StoreError::Stopped(error.to_string())),
        };
        // Refused only when nobody waits for the answer any more.
        drop(send.send(answer));
    };
    let thread = thread::Builder::new().name("query".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(ask).map_err(stopped)?;
    receive.await.map_err(|error| StoreError::Stopped(error.to_string()))?
}

/// Runs a plan and holds its answer, as long as it fits.
async fn collect(
    session: &SessionContext,
    plan: LogicalPlan,
) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
    let frame = session.execute_logical_plan(plan).await.map_err(failed)?;
    let mut answer = frame.execute_stream().await.map_err(failed)?;
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = answer.next().await {
        let batch = batch.map_err(failed)?;
        bytes += bytes_of(&batch);
        if bytes > ANSWER_BYTES_MAX {
            let what = "its answer is too long".to_owned();
            return Err(StoreError::TooLarge { bytes_max: ANSWER_BYTES_MAX, what });
        }
        batches.push(batch);
    }
    Ok((answer.schema(), batches))
}

/// The bytes of the rows themselves: a batch may be a slice of buffers that many share.
pub(crate) fn bytes_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let bytes = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
    bytes.sum()
}

/// The plan of a question; a refusal for everything that is no question.
async fn read_only(state: &SessionState, sql: &str) -> Result<LogicalPlan, StoreError> {
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(unread)?;
    if !is_question(&statement) {
        return Err(refused(&statement.to_string()));
    }
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    // What reads as a question may hold more: SELECT … INTO, EXPLAIN of an INSERT.
    let nothing =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    nothing.verify_plan(&plan).map_err(|_| refused(sql))?;
    Ok(plan)
}

fn is_question(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(sql) => match &**sql {
            Sql::Query(_)
            | Sql::ExplainTable { .. }
            | Sql::ShowColumns { .. }
            | Sql::ShowFunctions { .. }
            | Sql::ShowTables { .. }
            | Sql::ShowVariable { .. } => true,
            Sql::Explain { statement, .. } => matches!(**statement, Sql::Query(_)),
            _ => false,
        },
        Statement::Explain(explain) => is_question(&explain.statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

fn refused(sql: &str) -> StoreError {
    let words: Vec<_> = sql.split_whitespace().take(2).collect();
    StoreError::ReadOnly { statement: shown(&words.join(" ")) }
}

#[expect(clippy::needless_pass_by_value, reason = "this is what `map_err` calls")]
pub(crate) fn failed(error: DataFusionError) -> StoreError {
    let what = said(&error);
    let root = error.find_root();
    if matches!(root, DataFusionError::ResourcesExhausted(_)) {
        return StoreError::TooLarge { bytes_max: WORK_BYTES_MAX, what };
    }
    // Nothing but its words tells this error from others.
    let is_table = what.starts_with("table '") && what.ends_with("' not found");
    let tables = if is_table { tables() } else { String::new() };
    StoreError::Sql { what: no_column(root).unwrap_or(what), tables }
}

/// Of a text that is not one question: what the engine says, and what it reads.
fn unread(error: DataFusionError) -> StoreError {
    match failed(error) {
        // Nothing but its words tells this error from others.
        StoreError::Sql { what, tables } if what.contains("a single SQL statement") => {
            let what =
                "one question can be asked at a time: leave out what stands after the first `;`";
            StoreError::Sql { what: what.to_owned(), tables }
        }
        StoreError::Sql { what, tables } => {
            let what =
                format!("{what}; a question is such as SELECT * FROM findings_current LIMIT 10");
            StoreError::Sql { what, tables }
        }
        other => other,
    }
}

/// What to say of a column that is not there: the few that are near it, where the engine names all.
fn no_column(error: &DataFusionError) -> Option<String> {
    let DataFusionError::SchemaError(wrong, _) = error else { return None };
    let SchemaError::FieldNotFound { field, valid_fields } = &**wrong else { return None };
    let mut near: Vec<&Column> = valid_fields.iter().collect();
    if near.len() > NEAR_MAX {
        near.retain(|column| is_near(&field.name, &column.name));
        // The sort keeps the order of the table among those that are as near.
        near.sort_by_key(|column| std::cmp::Reverse(shared_start(&field.name, &column.name)));
        near.truncate(NEAR_MAX);
    }
    let near: Vec<_> = near.into_iter().map(in_words).collect();
    let hint = if near.is_empty() {
        "DESCRIBE and a table's name lists its columns, and texts stand in single quotes".to_owned()
    } else {
        format!("near it are {}", near.join(", "))
    };
    Some(shown(&format!("there is no column {}; {hint}", in_words(field))))
}

/// A column with its table, as a question names it.
fn in_words(column: &Column) -> String {
    without_catalog(&column.flat_name())
}

/// Whether two names of columns are alike: one holds the other, or they begin alike.
fn is_near(a: &str, b: &str) -> bool {
    let (lower_a, lower_b) = (a.to_lowercase(), b.to_lowercase());
    let shorter = lower_a.chars().count().min(lower_b.chars().count());
    shorter >= NEAR_CHARS
        && (lower_a.contains(&lower_b)
            || lower_b.contains(&lower_a)
            || shared_start(a, b) >= NEAR_CHARS)
}

/// Letters that two names have in common at their beginning, in either case.
fn shared_start(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

fn without_catalog(text: &str) -> String {
    text.replace(&format!("{}.{}.", CATALOG.0, CATALOG.1), "")
}

/// What the engine says, in one line and without its own prefixes.
fn said(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::SQL(error, _) => error.to_string(),
        root => root.message().into_owned(),
    };
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    let text = without_catalog(text);
    shown(text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.'))
}

/// A text that is safe on a terminal: an error may quote values that a caller chose.
fn shown(text: &str) -> String {
    let text = text.chars().take(MESSAGE_CHARS_MAX);
    text.map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The names of the tables and views, for those who mistyped one.
fn tables() -> String {
    let tables = Table::ALL.iter().map(|table| table.as_str());
    tables.chain(VIEWS.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_has_few_that_are_near() {
        let check = |typed: &str, expected: &str| {
            let names = Table::Findings.schema();
            let names = names.fields().iter().map(|it| Column::new(Some("findings"), it.name()));
            let wrong = SchemaError::FieldNotFound {
                field: Box::new(Column::new_unqualified(typed)),
                valid_fields: names.collect(),
            };
            let error = DataFusionError::SchemaError(Box::new(wrong), Box::new(None));
            let StoreError::Sql { what, tables } = failed(error) else {
                panic!("is a mistake in the SQL")
            };
            assert!(tables.is_empty(), "{tables}");
            assert_eq!(what, format!("there is no column {typed}; {expected}"));
        };
        check("scor", "near it are findings.score, findings.risk_score");
        check(
            "Window",
            "near it are findings.window_start, findings.window_end, findings.window_seconds",
        );
        check("evidnce", "near it are findings.evidence, findings.evidence_sql");
        let none =
            "DESCRIBE and a table's name lists its columns, and texts stand in single quotes";
        for typed in ["nothing", "high", "a", ""] {
            check(typed, none);
        }
    }

    #[test]
    fn what_is_no_question_is_told_what_one_is() {
        let state = SessionContext::new().state();
        let said = |sql: &str| {
            let dialect = state.config_options().sql_parser.dialect;
            unread(state.sql_to_statement(sql, &dialect).unwrap_err()).to_string()
        };
        assert!(said("SELECT 1; SELECT 2").starts_with("one question can be asked at a time"));
        for sql in ["SELEC 1", ""] {
            assert!(
                said(sql)
                    .ends_with("; a question is such as SELECT * FROM findings_current LIMIT 10")
            );
        }
    }

    #[test]
    fn a_question_has_the_views_that_it_names_and_those_beneath() {
        let names = |sql: &str| views_of(sql).map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("SELECT count(*) FROM findings"), [""; 0]);
        assert_eq!(names("select 1 from INCIDENTS_current"), ["incidents_current"]);
        let current = ["findings_latest", "feedback_in_force", "findings_current"];
        assert_eq!(names("SELECT * FROM \"findings_current\""), current);
        assert!(names("SELECT risk FROM identity_risk").contains(&"findings_latest"));
        assert_eq!(names("SHOW TABLES").len(), VIEWS.len());
        assert_eq!(names("SELECT * FROM information_schema.views").len(), VIEWS.len());
    }

    #[test]
    fn a_quoted_text_cannot_leave_its_quotes() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("o'brien"), "'o''brien'");
        assert_eq!(quote("'; DROP TABLE findings; --"), "'''; DROP TABLE findings; --'");
        assert_eq!(quote("\\'"), "'\\'''");
    }
}
