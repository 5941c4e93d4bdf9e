//! The configuration file: every setting with its default, unknown keys refused by name.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `habitus.toml` may say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How records become events.
    pub(crate) ingest: ingest::parse::Settings,
    /// Formats that the operator declares, by name.
    pub(crate) format: BTreeMap<String, ingest::format::Mapping>,
    /// When varying path segments are folded.
    pub(crate) endpoints: ingest::endpoint::Settings,
    /// How inputs are brought into one order.
    pub(crate) replay: Replay,
    /// How windows are scored.
    pub(crate) detect: detect::Settings,
    /// How the service works.
    pub(crate) run: crate::live::Settings,
    /// Which topics the service reads.
    pub(crate) source: ingest::source::kafka::Settings,
    /// How Kafka is spoken to.
    pub(crate) kafka: connect::kafka::Settings,
    /// How ClickHouse is spoken to.
    pub(crate) clickhouse: Server,
    /// How long a directory keeps rows.
    pub(crate) keep: store::Keep,
    /// Where findings go beside the store.
    pub(crate) outlets: crate::outlets::Settings,
    /// What a program that enforces is told, if it is wished.
    pub(crate) response: crate::response::Settings,
}

/// How a ClickHouse server is spoken to; where it is says `--store`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// The user's password.
    pub(crate) password: connect::SecretSource,
    /// Certificates of the authorities to believe, PEM; the system's without it.
    pub(crate) ca_file: Option<PathBuf>,
    /// Allows an unencrypted connection to a server that is not on this machine.
    pub(crate) allow_plaintext: bool,
}

/// How inputs are brought into one order.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Replay {
    /// How far behind the latest event another may come and still be in order, in seconds.
    pub(crate) lateness_seconds: u32,
}

impl Default for Replay {
    fn default() -> Self {
        Self { lateness_seconds: 30 }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; name another file with --config, or leave it out")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        why: String,
    },
    /// A setting makes no sense.
    #[error("{path}: {why}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// Which, and what would be right.
        why: String,
    },
}

/// The file that is read when none is named and it exists.
pub(crate) const DEFAULT_FILE: &str = "habitus.toml";

impl Config {
    /// Reads the named file; without a name `habitus.toml` if there is one, else the defaults.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(ConfigError::Unreadable { path: path.into(), source }),
        };
        Self::parse(&text, path)
    }

    /// Reads a configuration from its text; `path` is named in errors.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::Malformed {
            path: path.into(),
            why: error.to_string().trim_end().to_owned(),
        })?;
        let setting = |why: String| ConfigError::Setting { path: path.into(), why };
        config.detect.check().map_err(|error| setting(error.to_string()))?;
        ingest::format::verify(&config.format).map_err(|error| setting(error.to_string()))?;
        config.ingest.check([0; 32]).map_err(|error| setting(error.to_string()))?;
        config.response.deny.check(config.ingest.pseudonymize).map_err(setting)?;
        Ok(config)
    }

    /// The whole configuration as TOML, defaults included.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = Config::parse(text, Path::new("habitus.toml")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_typo_is_refused_by_name() {
        check("[detect]\nfindings_per_dya = 3", "unknown field `findings_per_dya`");
        check("[detekt]\n", "unknown field `detekt`");
        check("[detect]\ndisabled = ['egres']", "`egres`");
        check("[ingest]\ntrusted_proxies = ['ten']", "`ten`");
    }

    #[test]
    fn a_declared_format_is_refused_with_the_setting_and_the_cure() {
        let mapping = |text: &str| format!("[format.my_gateway]\n{text}\n");
        check(&mapping("feilds = {}"), "unknown field `feilds`");
        check(
            &mapping("fields = { http_response_status_code = 'code' }"),
            "`format.my_gateway.fields` has no time: add `time = \"…\"`",
        );
        check(
            &mapping("fields = { time = 'ts', http_response_status_code = 7 }"),
            "a field's name, a list of names, or { field",
        );
        check(
            &mapping("principals = [{ field = 'sub', is = 'subject', trust = 'much' }]"),
            "unknown variant `much`, expected `verified` or `asserted`",
        );
        let text = mapping(
            "signature = ['ts', 'code']\nfields = { time = ['ts', 'time'], \
             http_response_status_code = 'code', duration_ns = { field = 'ms', unit = 'milliseconds' } }\n\
             principals = [{ field = 'sub', is = 'subject', trust = 'verified' }]",
        );
        let written = Config::parse(&text, Path::new("habitus.toml")).unwrap();
        let again = Config::parse(&written.to_toml(), Path::new("habitus.toml")).unwrap();
        assert_eq!(again, written);
    }

    #[test]
    fn nobody_is_denied_by_a_name_that_no_gateway_knows() {
        let why = "response.deny names whom a gateway is to refuse";
        for wish in ["http = true", "topic = 'denied'"] {
            check(&format!("[ingest]\npseudonymize = true\n[response.deny]\n{wish}\n"), why);
        }
        for text in [
            "[ingest]\npseudonymize = true\n[response.deny]\nexpire_seconds = 60\n",
            "[ingest]\npseudonymize = false\n[response.deny]\nhttp = true\n",
        ] {
            Config::parse(text, Path::new("habitus.toml")).unwrap();
        }
    }

    #[test]
    fn the_reference_file_has_every_default() {
        let text = include_str!("../habitus.toml");
        let written = Config::parse(text, Path::new("habitus.toml")).unwrap();
        assert_eq!(written, Config::default());
        let keys = |text: &str| -> Vec<String> {
            let table: toml::Table = text.parse().unwrap();
            let mut keys = Vec::new();
            for (section, values) in table {
                keys.extend(
                    values.as_table().unwrap().keys().map(|key| format!("{section}.{key}")),
                );
            }
            keys.sort();
            keys
        };
        assert_eq!(keys(text), keys(&Config::default().to_toml()));
    }
}
