//! What can go wrong in the store, each with where it happened and what cures it.

use model::tables::Table;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store in the directory.
    #[error("no store in {}: run `habitus run`, `habitus replay` or `habitus demo` first, or name another directory", .0.display())]
    Missing(PathBuf),
    /// The path names something that is not a directory.
    #[error("{} is not a directory: name another path for the store", .0.display())]
    NotADirectory(PathBuf),
    /// There are data files, but nothing says which of them are whole.
    #[error("{} holds tables but no {}: name another directory, or remove this one and replay", .dir.display(), crate::layout::MANIFEST)]
    Unlisted {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer Habitus wrote the store.
    #[error("the store in {} has version {found} and this program reads version {known}: update habitus, or name another directory", .dir.display())]
    Newer {
        /// The store's directory.
        dir: PathBuf,
        /// The version written there.
        found: u64,
        /// The version that this program knows.
        known: u64,
    },
    /// The manifest or the key is not what this program writes.
    #[error("{} is damaged ({what}): restore it from a copy, or remove the store and replay", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key that was given is not the key of the store.
    #[error("the store in {} was written with another fingerprint key: give the same key file as before, or another directory", .0.display())]
    OtherKey(PathBuf),
    /// Another process began to write the epochs of this group.
    #[error("another process writes the epochs of group {group} to {} now: this one has nothing to add", .dir.display())]
    Deposed {
        /// The store.
        dir: PathBuf,
        /// The group.
        group: String,
    },
    /// Another writer is at work.
    #[error("another habitus is writing to {}: wait until it ends, or name another directory", .0.display())]
    Busy(PathBuf),
    /// Somebody has read for so long that files could not be removed.
    #[error("others read {} all the while, so files that are no longer visible are still there: run the command again when they have ended", .0.display())]
    Readers(PathBuf),
    /// The name of a run is not one that can name files.
    #[error("`{0}` is no run id: it takes 1 to {max} of a-z and 0-9", max = crate::layout::RUN_ID_BYTES_MAX)]
    RunId(String),
    /// A batch has other columns than its table.
    #[error("a batch for `{}` differs from the table: {what}; write batches of the table's schema", .table.as_str())]
    Schema {
        /// The table.
        table: Table,
        /// The first difference.
        what: String,
    },
    /// Rows could not be turned into Parquet.
    #[error("rows of `{}` could not be encoded: {what}; replay again, and report it if it happens twice", .table.as_str())]
    Encode {
        /// The table.
        table: Table,
        /// What the encoder said.
        what: String,
    },
    /// An earlier write of this run failed, so the run is incomplete.
    #[error("an earlier write of this run failed: replay it, nothing of it was made visible")]
    Broken,
    /// The file system refused.
    #[error("{action} {} failed ({source}): check that the path is writable and has space left", .path.display())]
    Io {
        /// What was tried: `writing`, `reading`, ….
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The SQL could not be understood or carried out.
    #[error("{what}{}", there_are(.tables))]
    Sql {
        /// What is wrong with it.
        what: String,
        /// The tables and views that can be asked; empty where those are not the matter.
        tables: String,
    },
    /// The SQL would change something.
    #[error(
        "{statement} is not allowed, a store is only read: use SELECT, WITH, EXPLAIN, SHOW or DESCRIBE"
    )]
    ReadOnly {
        /// The statement's first words.
        statement: String,
    },
    /// The answer or the work for it is larger than what may be held.
    #[error(
        "the query needs more than {bytes_max} bytes of memory ({what}): add a WHERE or a LIMIT, or aggregate"
    )]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: usize,
        /// Which limit was hit.
        what: String,
    },
    /// The URL of a server is none.
    #[error("the ClickHouse URL {what}: write clickhouse://user@host:8443/database")]
    Url {
        /// What is wrong with it, without repeating what may be a secret.
        what: String,
    },
    /// A server on another machine would be spoken to without encryption.
    #[error(
        "ClickHouse on {host} would be spoken to without encryption: use secure=1, or allow plaintext explicitly"
    )]
    Plaintext {
        /// The host.
        host: String,
    },
    /// A name could not stand in a statement as it is.
    #[error("the name of a {what} takes 1 to {max} of {allowed}", max = crate::clickhouse::NAME_BYTES_MAX)]
    Name {
        /// What it names.
        what: &'static str,
        /// The characters that it may have.
        allowed: &'static str,
    },
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] connect::TlsError),
    /// The server did not answer, or somebody in between answered for it.
    #[error("{server} did not answer ({what}): {cure}")]
    Unreachable {
        /// The server and the database.
        server: String,
        /// What was said.
        what: String,
        /// What may help.
        cure: &'static str,
    },
    /// The server does not believe who we are.
    #[error(
        "{server} refuses user {user} ({what}): check the user in --store, and clickhouse.password"
    )]
    User {
        /// The server and the database.
        server: String,
        /// The user.
        user: String,
        /// What it said.
        what: String,
    },
    /// The server knows who we are, and does not let us.
    #[error(
        "{server} does not allow user {user} to do this ({what}): grant habitus_writer to whoever writes and habitus_analyst to whoever asks, without a profile of readonly = 1"
    )]
    Rights {
        /// The server and the database.
        server: String,
        /// The user.
        user: String,
        /// What it said.
        what: String,
    },
    /// The server refused for a reason of its own.
    #[error("{server} refused ({what}): check the user, its roles and the server's log")]
    Server {
        /// The server and the database.
        server: String,
        /// What it said.
        what: String,
    },
    /// The server's tables lack migrations.
    #[error("{}: run `habitus migrate`", old_tables(.server, *.found, *.known))]
    SchemaOld {
        /// The server and the database.
        server: String,
        /// The last migration there; 0 if there is none.
        found: i64,
        /// The last migration that this program knows.
        known: i64,
    },
    /// A newer Habitus migrated the server's tables.
    #[error(
        "the tables of {server} have version {found} and this program knows {known}: update habitus"
    )]
    SchemaNew {
        /// The server and the database.
        server: String,
        /// The last migration there.
        found: i64,
        /// The last migration that this program knows.
        known: i64,
    },
    /// A migration was applied with another text than this program's.
    #[error(
        "migration {name} was applied to {server} with another text: use the habitus that applied it, or another database"
    )]
    MigrationChanged {
        /// The server and the database.
        server: String,
        /// The migration.
        name: &'static str,
    },
    /// The server stopped a query at one of its limits.
    #[error("the query passed a limit ({what}): add a WHERE or a LIMIT, or aggregate")]
    Limit {
        /// Which limit.
        what: String,
    },
    /// Rows for the server are not those of their table.
    #[error(
        "rows for `{table}` differ from the table ({what}): write batches of the table's schema"
    )]
    Rows {
        /// The table.
        table: &'static str,
        /// What differs.
        what: String,
    },
    /// A background task was stopped, because the runtime shut down or the task failed.
    #[error("a background task of the store was stopped ({0}): run the command again")]
    Stopped(String),
}

fn old_tables(server: &str, found: i64, known: i64) -> String {
    if found == 0 {
        return format!("{server} is no database with the tables of habitus");
    }
    format!("the tables of {server} have version {found} and this program needs {known}")
}

fn there_are(tables: &str) -> String {
    if tables.is_empty() { String::new() } else { format!("; there are the tables {tables}") }
}

impl StoreError {
    /// Names what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
