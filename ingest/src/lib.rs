//! From bytes to canonical events: sources → formats → identity → endpoint → redaction.
//!
//! Parsing never fails: every record is an event or a counted reject. Only [`source`] does I/O.

pub mod chunk;
pub mod endpoint;
pub mod format;
mod identity;
mod json;
pub mod ndjson;
pub mod parse;
mod redact;
pub mod reject;
pub mod sniff;
pub mod source;
mod timestamp;

pub use chunk::Chunk;
pub use format::FormatId;
pub use parse::{Parsed, Parser, Settings, SettingsError};
pub use reject::{Reject, Rejects};
