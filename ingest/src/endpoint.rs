//! Endpoints: from a path to its template, and from templates to what one deployment calls alike.
//!
//! [`lexical`] looks at one path alone and runs for every event; [`learned`] sees the events in
//! order and finds the segments that vary.

mod fold;
pub mod learned;
pub mod lexical;
mod route;
mod seen;
mod segment;
mod snapshot;
mod trie;

pub use learned::{Settings, Templates};
pub use lexical::{Lexical, hash, template};
pub use route::route_object;
pub use segment::{SegmentKind, classify};
pub use snapshot::{STATE_VERSION, SnapshotError};
pub use trie::stands_for;
