//! The store: a directory of Parquet files, written one run at a time and read with SQL.
//!
//! * [`Store`] — the directory: created, opened, asked in SQL (`query`).
//! * [`Writer`] — one run's rows: nothing of it is visible until [`Writer::commit`], then all of it.
//! * `group` — rows cut into row groups of fixed size, however they were batched.
//! * `encode` — one table's row groups turned into Parquet files, one thread behind the caller.
//! * `publish` — the steps of a commit, in the order that makes a crash harmless.
//! * `compact` — many small runs made one, and what is too old removed.
//! * `manifest` — which files are visible: the one file whose replacement is the commit.
//! * [`Reader`] — what the commands ask, of a directory or of a server: `questions/` has the texts.
//! * `scan` — a table as SQL sees it: the visible files, and no others.
//! * `layout`, `key`, `lock` — names in the directory, the fingerprint key, the writer's lock.
//! * [`Forgetting`] — one identity taken out of everything (`forget`), with a row of `audit`.
//! * `finding` — findings as rows.
//! * [`Health`] — how much of each input was read, as rows.
//! * [`Feedback`] — what people say of findings, as rows beside them.
//! * [`clickhouse`] — the same tables in a ClickHouse server, for many workers and for dashboards.
//!
//! A store has one writer at a time and any number of readers, in one process or in many. Nothing
//! here reads a clock, the environment or a source of entropy: the same rows written under the same
//! [`RunId`] leave the same bytes.

pub mod clickhouse;

mod compact;
mod directory;
mod encode;
mod error;
mod feedback;
mod finding;
mod forget;
mod group;
mod health;
mod key;
mod layout;
mod lead;
mod lock;
mod manifest;
mod mistake;
mod publish;
mod query;
mod reader;
mod scan;
mod writer;

#[cfg(test)]
mod tests;

pub use compact::{Compacted, EPOCHS_OPEN, Keep};
pub use directory::{Mark, Store};
pub use error::StoreError;
pub use feedback::{Feedback, Scope, Verdict};
pub use forget::{Erased, Forgetting, fingerprint, forget_letters, forget_text};
pub use health::Health;
pub use layout::RunId;
pub use query::quote;
pub use reader::{Answer, Question, Reader, Value, Values};
pub use writer::{Count, Writer, Written};
