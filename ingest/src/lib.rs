//! From bytes to canonical events: sources → formats → identity → endpoint → redaction.
//!
//! Parsing never fails: every record is an event or a counted reject. Only [`source`] does I/O.

mod base64;
#[doc(hidden)]
pub mod bench;
pub mod chunk;
pub mod endpoint;
mod envelope;
pub mod explain;
pub mod format;
#[doc(hidden)]
pub mod fuzz;
mod header;
mod identity;
mod injection;
mod json;
pub mod ndjson;
pub mod parse;
mod redact;
pub mod reject;
pub mod repeat;
pub mod shared;
pub mod sniff;
pub mod source;
mod timestamp;
pub mod wire;

pub use chunk::Chunk;
pub use format::FormatId;
pub use parse::{Parsed, Parser, Settings, SettingsError};
pub use reject::{Reject, Rejects};

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::field::OVERRIDE;
    use crate::identity::{ANONYMOUS, BY_ADDRESS, BY_NETWORK};

    #[test]
    fn every_rule_of_a_principal_is_in_the_list_that_snapshots_go_by() {
        let rules = FormatId::ALL.iter().flat_map(|it| it.format().fields).chain([&OVERRIDE]);
        let names = rules.filter_map(|field| field.rule).map(|rule| rule.source);
        let fixed = [ANONYMOUS, BY_ADDRESS, BY_NETWORK, "canonical.principal_id", "claimed"];
        for name in names.chain(fixed).chain(crate::format::mapping::SOURCES) {
            assert_eq!(model::principal_source(name), Some(name), "add it to the list");
        }
    }
}
