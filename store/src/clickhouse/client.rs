//! The client: one HTTP connection pool, which asks in SQL and reads the answer as Arrow.

use crate::clickhouse::failure::{self, Failure, Remedy, one_line};
use crate::clickhouse::labels;
use crate::clickhouse::question;
use crate::clickhouse::settings::Settings;
use crate::error::StoreError;
use crate::query::bytes_of;
use crate::reader::{Value, Values};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use clickhouse::Compression;
use clickhouse::error::Error;
use clickhouse::query::{BytesCursor, Query};
use model::tables::Table;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of one query's text.
const SQL_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Rows of one answer.
const ANSWER_ROWS_MAX: usize = 10_000_000;
/// Seconds that the server may work on one query.
const QUERY_S_MAX: u64 = 60;
/// How long a statement of ours may take: longer than a cluster's servers wait for each other.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(200);
/// The tables and views that are only here.
const TABLES: [&str; 13] = [
    "findings_current",
    "incidents_current",
    "findings_latest",
    "feedback_in_force",
    "identity_timeline",
    "identity_risk",
    "identity_profile",
    "endpoint_inventory",
    "peer_group",
    "detector_quality",
    "findings_daily",
    "metrics",
    "schema_migrations",
];

/// A server and how it is spoken to; cheap to clone. Nothing connects before the first question.
#[derive(Clone, Debug)]
pub struct Client {
    http: clickhouse::Client,
    settings: Arc<Settings>,
}

impl Client {
    /// A client of the server. It fails where there are no certificates to believe.
    pub fn new(settings: Settings) -> Result<Self, StoreError> {
        let mut http =
            clickhouse::Client::with_http_client(connect::http::client(settings.authorities())?);
        http = http.with_url(settings.http_url()).with_compression(if settings.is_local() {
            Compression::None
        } else {
            Compression::Lz4
        });
        if let Some(user) = settings.user() {
            http = http.with_user(user);
        }
        if let Some(password) = settings.password() {
            http = http.with_password(password.expose());
        }
        Ok(Self { http, settings: Arc::new(settings) })
    }

    /// How the server is spoken to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The connection, in the database of the settings.
    pub(crate) fn http(&self) -> clickhouse::Client {
        self.http.clone().with_database(self.settings.database())
    }

    /// Asks whether the server answers, for as long as a connection may take.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = self.http.query_raw("SELECT 1").execute();
        let limit = self.settings.connect_timeout;
        self.within(limit, asked).await.map_err(|failure| self.failed("SELECT 1", failure))
    }

    /// Makes the database.
    pub(crate) async fn create_database(&self, on_cluster: &str) -> Result<(), StoreError> {
        let sql = format!("CREATE DATABASE IF NOT EXISTS {}{on_cluster}", self.settings.database());
        let asked = self.http.query_raw(&sql).execute();
        self.within(STATEMENT_TIMEOUT, asked).await.map_err(|failure| self.refused(&sql, failure))
    }

    /// Carries out a statement of ours that changes something.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        let asked = self.http().query_raw(sql).with_setting("async_insert", "0").execute();
        self.within(STATEMENT_TIMEOUT, asked).await.map_err(|failure| self.refused(sql, failure))
    }

    /// The same with values for the parameters of the statement, waiting until it is done on every
    /// replica.
    pub(crate) async fn execute_with(&self, sql: &str, values: &Values) -> Result<(), StoreError> {
        let statement = self
            .http()
            .query_raw(sql)
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "0")
            .with_setting("mutations_sync", "2");
        let asked = with_values(statement, values).execute();
        self.within(STATEMENT_TIMEOUT, asked).await.map_err(|failure| self.failed(sql, failure))
    }

    /// Answers a question in SQL, in ClickHouse's dialect.
    ///
    /// Only reading is allowed. Tables are seen with the rows of equal keys merged, so a replay
    /// counts once, and of a finding only the highest revision is seen. The server may work for
    /// 60 s; the answer may have ten million rows and 512 MiB.
    pub async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        if let Some(statement) = question::refused(sql) {
            return Err(StoreError::ReadOnly { statement: statement.to_owned() });
        }
        self.query_with(sql, &Values::new()).await
    }

    /// The same with values for the parameters of the SQL, each `{name:Type}`.
    pub(crate) async fn query_with(
        &self,
        sql: &str,
        values: &Values,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        if sql.len() > SQL_BYTES_MAX {
            let what = format!("the SQL has {} bytes, and at most {SQL_BYTES_MAX}", sql.len());
            return Err(StoreError::Sql { what, tables: tables() });
        }
        let (schema, batches) = self.ask(sql, values).await?;
        if !labels::are_missing(&schema) {
            return Ok((schema, batches));
        }
        // The line break ends a comment that the question may end with.
        let described = format!("DESCRIBE TABLE (\n{sql}\n)");
        let (_, described) = self.ask(&described, values).await?;
        labels::fill_in(&schema, &batches, &described)
            .map_err(|error| StoreError::Sql { what: error.to_string(), tables: tables() })
    }

    async fn ask(
        &self,
        sql: &str,
        values: &Values,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        let question = self
            .http()
            .query_raw(sql)
            .with_setting("readonly", "2")
            .with_setting("final", "1")
            .with_setting("max_execution_time", QUERY_S_MAX.to_string())
            .with_setting("max_result_rows", ANSWER_ROWS_MAX.to_string())
            .with_setting("max_result_bytes", ANSWER_BYTES_MAX.to_string())
            .with_setting("result_overflow_mode", "throw")
            // Whoever no longer waits has hung up: the server need not go on.
            .with_setting("cancel_http_readonly_queries_on_client_close", "1")
            .with_setting("output_format_arrow_compression_method", "none")
            .with_setting("output_format_arrow_string_as_string", "1");
        let answer =
            with_values(question, values).fetch_bytes("ArrowStream").map_err(Failure::from);
        let mut answer = answer.map_err(|failure| self.failed(sql, failure))?;
        self.read(sql, &mut answer).await
    }

    async fn read(
        &self,
        sql: &str,
        answer: &mut BytesCursor,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), StoreError> {
        let limit = self.settings.receive_timeout;
        let (mut decoder, mut batches) = (StreamDecoder::new(), Vec::new());
        let (mut bytes, mut unpacked) = (0_usize, 0_usize);
        loop {
            let piece = self.within(limit, answer.next()).await;
            let Some(piece) = piece.map_err(|failure| self.failed(sql, failure))? else { break };
            bytes += piece.len();
            let mut piece = Buffer::from(piece.as_ref());
            while !piece.is_empty() && bytes.max(unpacked) <= ANSWER_BYTES_MAX {
                let batch = decoder.decode(&mut piece).map_err(|error| not_arrow(&error))?;
                // The question itself may have asked for a compressed answer.
                unpacked += batch.as_ref().map_or(0, bytes_of);
                batches.extend(batch);
            }
            if bytes.max(unpacked) > ANSWER_BYTES_MAX {
                let what = format!("its answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(StoreError::Limit { what });
            }
        }
        // A statement without an answer, such as SET, has no schema either.
        let schema = decoder.schema().unwrap_or_else(|| Arc::new(Schema::empty()));
        decoder.finish().map_err(|error| not_arrow(&error))?;
        Ok((schema, batches))
    }

    /// The outcome of `asked`, or that it took longer than `limit`.
    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        match timeout(limit, asked).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::timed_out()),
        }
    }

    /// What a failure of a statement of ours means, which changes something.
    pub(crate) fn refused(&self, sql: &str, failure: Failure) -> StoreError {
        if failure.code == Some(164) {
            let (server, user) = (self.settings.to_string(), self.user());
            return StoreError::Rights { server, user, what: failure.said };
        }
        self.failed(sql, failure)
    }

    /// The user's name, as the server knows it.
    fn user(&self) -> String {
        self.settings.user().unwrap_or("default").to_owned()
    }

    /// What a failure of a question means to whoever asked it.
    pub(crate) fn failed(&self, sql: &str, failure: Failure) -> StoreError {
        let server = self.settings.to_string();
        let user = self.user();
        let what = failure.said;
        match (failure.code, failure.remedy) {
            // Locks are the server's affair.
            (None, Remedy::Stop) | (Some(291), _) => StoreError::Server { server, what },
            (None, _) => {
                let cure = failure::cure(&what, self.settings.is_secure());
                StoreError::Unreachable { server, what, cure }
            }
            // The user's profile is read-only, and not only the question.
            (Some(164), _) if what.contains("Cannot modify") => {
                StoreError::Rights { server, user, what }
            }
            // Reading only: the server refused to change something.
            (Some(164), _) => {
                let words: Vec<_> = sql.split_whitespace().take(2).collect();
                StoreError::ReadOnly { statement: one_line(&words.join(" ")) }
            }
            (Some(497), _) => StoreError::Rights { server, user, what },
            (Some(192..=195 | 516), _) => StoreError::User { server, user, what },
            // Too slow, too much memory, too many rows or bytes.
            (Some(158 | 159 | 160 | 241 | 307 | 396), _) => StoreError::Limit { what },
            (Some(81), _) => StoreError::SchemaOld {
                server,
                found: 0,
                known: crate::clickhouse::migration::version(),
            },
            // It says where it could not read on, but not what to do; no table is the matter.
            (Some(62), _) => {
                let what = format!(
                    "{what}: look at what stands there and just before it, and ask one statement at \
                     a time"
                );
                StoreError::Sql { what, tables: String::new() }
            }
            // Locks are the server's affair; the rest is the question's.
            (Some(code), _) if failure::passes(code) => StoreError::Server { server, what },
            (Some(_), _) => StoreError::Sql { what, tables: tables() },
        }
    }
}

/// The statement with values for its parameters, which the server itself puts in their places.
pub(crate) fn with_values(statement: Query, values: &Values) -> Query {
    values.iter().fold(statement, |statement, (name, value)| match value {
        Value::Text(text) => statement.param(name, text),
        Value::Int(number) => statement.param(name, number),
    })
}

/// The text as a literal of ClickHouse's SQL, where a backslash escapes as well as a quote.
pub fn quote(literal: &str) -> String {
    format!("'{}'", literal.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn not_arrow(error: &ArrowError) -> StoreError {
    let what = format!("the answer is not in Arrow ({error}): ask without FORMAT");
    StoreError::Sql { what: one_line(&what), tables: tables() }
}

/// The names of the tables and views, for those who mistyped one.
fn tables() -> String {
    let tables = Table::ALL.iter().map(|table| table.as_str());
    tables.chain(TABLES).collect::<Vec<_>>().join(", ")
}

/// Whether a column's type is one that the server uses for enums.
pub(crate) const fn is_enum(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::Plaintext;
    use crate::clickhouse::stub::{Reply, serve};

    #[test]
    fn a_quoted_text_cannot_leave_its_quotes() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("o'brien"), r"'o\'brien'");
        assert_eq!(quote(r"\' OR 1=1 --"), r"'\\\' OR 1=1 --'");
    }

    #[tokio::test]
    async fn a_question_ends_with_whoever_waits_for_it() {
        let (port, asked) = serve(&[Reply::Says(200, None, "")]);
        let url = format!("clickhouse://127.0.0.1:{port}/db");
        let settings = Settings::parse(&url, Plaintext::Refused).unwrap();
        drop(Client::new(settings).unwrap().query("SELECT 1").await);
        let asked = asked.recv().unwrap();
        for (name, value) in
            [("readonly", "2"), ("cancel_http_readonly_queries_on_client_close", "1")]
        {
            assert_eq!(asked.parameter(name), Some(value), "{}", asked.target);
        }
    }

    #[test]
    fn a_failure_says_where_it_belongs() {
        let url = "clickhouse://localhost/db";
        let settings = Settings::parse(url, Plaintext::Refused).unwrap();
        let client = Client::new(settings).unwrap();
        let check = |code, remedy, words: &str| {
            let said = "so it is".to_owned();
            let error = client.failed("DROP  TABLE x", Failure { code, said, remedy }).to_string();
            assert!(error.contains(words), "{error}");
        };
        check(Some(164), Remedy::Stop, "DROP TABLE is not allowed");
        check(Some(396), Remedy::SetAside, "add a WHERE");
        check(Some(62), Remedy::SetAside, "so it is: look at what stands there");
        check(Some(60), Remedy::Stop, "findings_current");
        check(Some(516), Remedy::Stop, "clickhouse://localhost:8123/db refuses user default");
        check(Some(497), Remedy::Stop, "habitus_analyst");
        check(Some(81), Remedy::Stop, "habitus migrate");
        check(None, Remedy::TryAgain, "did not answer");
    }
}
