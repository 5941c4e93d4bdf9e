//! Arguments of the command that says what an identity may need.

use super::Span;
use clap::{Args, ValueEnum};

/// Parts of the way to a value in metadata.
const WAY_PARTS_MAX: usize = 16;
/// Bytes of a header's name, or of a part of a way.
const NAME_BYTES_MAX: usize = 256;

/// Arguments of `privileges`.
#[derive(Args, Debug)]
pub(crate) struct Privileges {
    /// The principal's id, its name as findings say it, or the beginning of either.
    pub(crate) id: String,
    /// From when to when, in whole UTC days [default: the last 90 days that there is something of].
    #[command(flatten)]
    pub(crate) span: Span,
    /// Its tenant, where several have an identity of that id.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Also list the operations of its peers that it never used.
    #[arg(long, conflicts_with = "suggest")]
    pub(crate) all: bool,
    /// Print instead what to allow it: JSON, a policy in Rego, or Envoy's RBAC filter.
    #[arg(long, value_enum)]
    pub(crate) suggest: Option<Suggest>,
    /// Where Envoy finds who calls: header:NAME, or metadata:FILTER/KEY with further keys behind a /.
    #[arg(long, value_name = "WHERE", value_parser = who)]
    pub(crate) principal: Option<Who>,
}

/// What a suggestion is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Suggest {
    /// One JSON object.
    Json,
    /// A policy for OPA 1.
    Rego,
    /// An HTTP filter for Envoy, in YAML.
    Envoy,
}

/// Where Envoy finds who calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// A header, in small letters.
    Header(String),
    /// A filter's metadata, and the keys on the way to the value.
    Metadata(String, Vec<String>),
}

fn who(typed: &str) -> Result<Who, String> {
    let is_name = |it: &str| (1..=NAME_BYTES_MAX).contains(&it.len());
    let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&it);
    if let Some(name) = typed.strip_prefix("header:") {
        if is_name(name) && name.bytes().all(is_token) {
            return Ok(Who::Header(name.to_ascii_lowercase()));
        }
        return Err("write header: and the name of a header, such as header:x-user".to_owned());
    }
    let parts: Vec<_> = typed.strip_prefix("metadata:").unwrap_or_default().split('/').collect();
    match parts.as_slice() {
        [filter, keys @ ..]
            if !keys.is_empty()
                && parts.len() <= WAY_PARTS_MAX
                && parts.iter().all(|part| is_name(part)) =>
        {
            Ok(Who::Metadata(
                (*filter).to_owned(),
                keys.iter().map(|key| (*key).to_owned()).collect(),
            ))
        }
        _ => Err("write header:NAME, or metadata:FILTER/KEY such as \
                  metadata:envoy.filters.http.jwt_authn/payload/sub"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_a_header_or_stands_in_metadata() {
        assert_eq!(who("header:X-User"), Ok(Who::Header("x-user".into())));
        let keys = vec!["payload".to_owned(), "sub".to_owned()];
        assert_eq!(who("metadata:jwt/payload/sub"), Ok(Who::Metadata("jwt".into(), keys)));
        for wrong in ["", "x-user", "header:", "header:a b", "metadata:jwt", "metadata:jwt//sub"] {
            assert!(who(wrong).is_err(), "{wrong}");
        }
    }
}
