//! A configuration that is read again while the service runs: what changed, and whether that may be
//! applied without a restart.
//!
//! A reload is all or nothing. If one setting of those that changed needs a restart, nothing is
//! applied, so that what runs is always one configuration that somebody wrote.

use crate::config::{Config, ConfigError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What may change while the service runs. None of it is part of what was learned, nor says where
/// anything is read from or written to: a checkpoint is taken up under whatever these say now.
const RELOADABLE: [&str; 11] = [
    "detect.classes.egress",
    "detect.classes.privileged",
    "detect.classes.secret",
    "detect.classes.sensitive",
    "detect.disabled",
    "detect.findings_per_day",
    "detect.state_bytes_max",
    "detect.windows_per_finding_min",
    "run.epoch_events",
    "run.epoch_seconds",
    "run.log_format",
];
/// What the service does not read: a change of it changes nothing here.
const UNUSED: &str = "replay.";
/// Settings whose values are shown in lines about a reload. Any other may hold a secret, or a command
/// that prints one, and is only named.
const SHOWN: [&str; 11] = [
    "detect.",
    "endpoints.",
    "ingest.",
    "replay.",
    "run.",
    "source.",
    "kafka.allow_plaintext",
    "kafka.bootstrap_servers",
    "kafka.sasl_mechanism",
    "kafka.security_protocol",
    "clickhouse.allow_plaintext",
];
/// Characters of a value in a line about a reload.
const VALUE_CHARS_MAX: usize = 100;

/// The configuration that runs, and where it is read again from.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The file that was named, if one was.
    path: Option<PathBuf>,
    running: Config,
    wanted: Arc<AtomicBool>,
}

/// A setting that changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    key: String,
    before: String,
    after: String,
}

/// What is to be done about a configuration that was read again.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is the same.
    Same,
    /// It is applied; what changed.
    Apply(Box<Config>, Vec<Change>),
    /// It is not applied: these settings need a restart.
    Refuse(Vec<Change>),
}

/// `key: before -> after`; the values of what may be secret are left out.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOWN.iter().any(|shown| self.key.starts_with(shown)) {
            write!(f, "{}: {} -> {}", self.key, self.before, self.after)
        } else {
            write!(f, "{}: changed", self.key)
        }
    }
}

impl Reload {
    /// For a configuration that runs; `wanted` is set when it is to be read again.
    pub(crate) fn new(path: Option<PathBuf>, running: Config, wanted: Arc<AtomicBool>) -> Self {
        Self { path, running, wanted }
    }

    /// Whether the configuration is to be read again; says so once.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }

    /// Reads the configuration again, and says what is to be done; what is applied runs from now on.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or says something that makes no sense: nothing changes.
    pub(crate) fn read(&mut self) -> Result<Verdict, ConfigError> {
        let verdict = compare(&self.running, Config::load(self.path.as_deref())?);
        if let Verdict::Apply(config, _) = &verdict {
            self.running = config.as_ref().clone();
        }
        Ok(verdict)
    }
}

/// What is to be done about a configuration, where another one runs.
fn compare(running: &Config, new: Config) -> Verdict {
    let changes = changes(running, &new);
    let needs_restart = |change: &&Change| {
        !RELOADABLE.contains(&change.key.as_str()) && !change.key.starts_with(UNUSED)
    };
    let refused: Vec<_> = changes.iter().filter(needs_restart).cloned().collect();
    if !refused.is_empty() {
        Verdict::Refuse(refused)
    } else if changes.is_empty() {
        Verdict::Same
    } else {
        Verdict::Apply(Box::new(new), changes)
    }
}

/// The settings in which two configurations differ, in the order of their names.
fn changes(before: &Config, after: &Config) -> Vec<Change> {
    let (before, after) = (settings(before), settings(after));
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let said = |value: Option<&toml::Value>| {
        let text = value.map_or_else(|| "none".to_owned(), ToString::to_string);
        match text.char_indices().nth(VALUE_CHARS_MAX) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
            None => text,
        }
    };
    let change = |key: &&String| {
        let (before, after) = (before.get(*key), after.get(*key));
        (before != after).then(|| Change {
            key: (*key).clone(),
            before: said(before),
            after: said(after),
        })
    };
    keys.iter().filter_map(change).collect()
}

/// Every setting by its whole name.
fn settings(config: &Config) -> BTreeMap<String, toml::Value> {
    fn walk(table: toml::Table, under: &str, into: &mut BTreeMap<String, toml::Value>) {
        for (name, value) in table {
            let key = if under.is_empty() { name } else { format!("{under}.{name}") };
            match value {
                toml::Value::Table(table) => walk(table, &key, into),
                value => drop(into.insert(key, value)),
            }
        }
    }
    let mut settings = BTreeMap::new();
    walk(toml::Table::try_from(config).unwrap_or_default(), "", &mut settings);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("habitus.toml")).unwrap()
    }

    /// What comes of changing the defaults to this: `same`, `apply` or `refuse`, and what is said.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (word, changes) = match compare(&Config::default(), config(text)) {
            Verdict::Same => ("same", Vec::new()),
            Verdict::Apply(_, changes) => ("apply", changes),
            Verdict::Refuse(changes) => ("refuse", changes),
        };
        let mut said = vec![word.to_owned()];
        said.extend(changes.iter().map(ToString::to_string));
        assert_eq!(said.join("; "), expected);
    }

    #[test]
    fn what_is_no_part_of_what_was_learned_may_change() {
        check("", "same");
        check(
            "[detect]\nfindings_per_day = 3\ndisabled = ['egress_spike']\n[run]\nepoch_seconds = 9\nlog_format = 'json'",
            "apply; detect.disabled: [] -> [\"egress_spike\"]; detect.findings_per_day: 10.0 -> 3.0; \
             run.epoch_seconds: 5 -> 9; run.log_format: \"text\" -> \"json\"",
        );
        check("[replay]\nlateness_seconds = 3", "apply; replay.lateness_seconds: 30 -> 3");
    }

    #[test]
    fn one_setting_that_needs_a_restart_keeps_all_from_being_applied() {
        check(
            "[detect]\nfindings_per_day = 3\n[source]\ntopics = ['a']\n[run]\nlateness_ms = 5",
            "refuse; run.lateness_ms: 1000 -> 5; source.topics: [] -> [\"a\"]",
        );
        check("[ingest]\ntenant_id = 'acme'", "refuse; ingest.tenant_id: \"default\" -> \"acme\"");
    }

    #[test]
    fn what_may_be_secret_is_only_named() {
        check(
            "[kafka]\nsasl_username = 'u'\n[kafka.sasl_password]\ncommand = ['echo', 'tiger']\n\
             [clickhouse.password]\nfile = '/run/tiger'",
            "refuse; clickhouse.password.file: changed; kafka.sasl_password.command: changed; \
             kafka.sasl_username: changed",
        );
    }

    #[test]
    fn every_reloadable_setting_is_one() {
        let settings = settings(&Config::default());
        for key in RELOADABLE {
            assert!(settings.contains_key(key), "{key}");
        }
        for shown in SHOWN {
            assert!(settings.keys().any(|key| key.starts_with(shown)), "{shown}");
        }
        assert!(!SHOWN.iter().any(|shown| "kafka.sasl_password".starts_with(shown)));
    }

    #[test]
    fn a_file_that_makes_no_sense_changes_nothing() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("habitus.toml");
        let wanted = Arc::new(AtomicBool::new(true));
        let mut reload = Reload::new(Some(path.clone()), Config::default(), wanted);
        assert!(reload.is_wanted() && !reload.is_wanted());
        for text in ["[detect", "[detect]\nfindings_per_day = 0", "[run]\nlog_format = 'xml'"] {
            std::fs::write(&path, text).unwrap();
            reload.read().unwrap_err();
            assert_eq!(reload.running, Config::default());
        }
        std::fs::write(&path, "[detect]\nfindings_per_day = 5").unwrap();
        assert!(matches!(reload.read().unwrap(), Verdict::Apply(..)));
        assert!(matches!(reload.read().unwrap(), Verdict::Same));
        assert!(reload.running.to_toml().contains("findings_per_day = 5.0"));
    }
}
