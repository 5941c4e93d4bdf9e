//! The words that all stages share: event, identity, endpoint, window row, signal, finding.
//!
//! A type enters this crate only if two stages name it. Nothing here does I/O, reads a clock or
//! waits; nothing here derives a wire format.

pub mod endpoint;
pub mod event;
pub mod figures;
pub mod finding;
pub mod identity;
mod injection;
pub mod limit;
pub mod mention;
pub mod plain;
mod principal_source;
pub mod tables;
pub mod time;

pub use endpoint::{EndpointId, EndpointSource, Endpoints};
pub use event::{
    Event, EventBatch, Int, Kind, ParseFlags, Position, Text, TimeKind, TimePrecision,
};
pub use finding::{
    Contributor, Detector, Evidence, Finding, FindingId, LinkKind, Links, Notice, Origin, Severity,
};
pub use identity::{PrincipalTrust, PrincipalType};
pub use injection::{InjectionClass, InjectionClasses};
pub use principal_source::{PRINCIPAL_SOURCES, principal_source};
pub use time::Time;
