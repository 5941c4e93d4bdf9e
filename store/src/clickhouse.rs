//! The store in ClickHouse: the same tables as in Parquet, for many workers and for dashboards.
//!
//! * [`Settings`] — where the server is and how it is spoken to, parsed from a URL.
//! * [`Client`] — asks in SQL ([`Client::query`]), reading only.
//! * [`migrate`], [`verify`], [`grant`] — the tables made, checked, and opened to roles.
//! * [`Sink`] — writes rows so that a retry or a replay keeps each once.
//! * `chunk` — rows cut into inserts whose bytes, and so whose tokens, follow from the rows alone.
//! * `failure` — what the server's errors mean: try again, stop, or set the rows aside.
//! * `dead_letter` — the file of rows that the server refused.
//! * `feedback` — what people say of findings.
//! * `forget` — one identity taken out of the tables.
//! * `labels` — the names of enum values, which Arrow does not carry.
//! * `metrics` — what the service measures of itself.
//!
//! An insert is idempotent twice over. Its token is the hash of its bytes, so the server drops a
//! repeated one; and each table replaces rows of the same key, so a replay that is cut in another
//! way is merged away. Queries see the merged rows.

mod chunk;
mod client;
mod dead_letter;
mod failure;
mod feedback;
mod forget;
mod labels;
mod metrics;
mod migration;
mod question;
mod roles;
mod settings;
mod sink;

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;

pub use client::{Client, quote};
pub use dead_letter::DeadLetters;
pub(crate) use dead_letter::locked as letters_lock;
pub use metrics::{Sample, SampleKind, Sampled};
pub use migration::{Applied, migrate, verify};
pub use roles::grant;
pub(crate) use settings::NAME_BYTES_MAX;
pub use settings::{Plaintext, Settings};
pub use sink::{Counts, Sink, SinkError};
