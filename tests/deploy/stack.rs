//! The files that make up the stack of `compose.yaml`, and the questions that are asked of them.

use super::{read, yaml};
use serde_json::Value;
use toml::Table;

/// The files, as they are or with something broken.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) compose: String,
    pub(super) config: String,
    pub(super) datasource: String,
    pub(super) passwords: String,
    pub(super) provider: String,
    pub(super) server: String,
}

/// The files, read.
pub(super) struct Stack {
    pub(super) compose: Value,
    pub(super) config: Table,
    pub(super) datasource: Value,
    pub(super) provider: Value,
}

/// What a service mounts.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) is_read_only: bool,
}

impl Files {
    pub(super) fn read() -> Self {
        Self {
            compose: read("compose.yaml"),
            config: read("deploy/compose/habitus.toml"),
            datasource: read("dashboards/grafana/provisioning/datasources/habitus.yaml"),
            passwords: read("deploy/compose/passwords.sh"),
            provider: read("dashboards/grafana/provisioning/dashboards/habitus.yaml"),
            server: read("deploy/compose/clickhouse.xml"),
        }
    }

    pub(super) fn parse(&self) -> Result<Stack, String> {
        Ok(Stack {
            compose: yaml::parse(&self.compose).map_err(|it| format!("compose.yaml: {it}"))?,
            config: self.config.parse().map_err(|it| format!("habitus.toml: {it}"))?,
            datasource: yaml::parse(&self.datasource)
                .map_err(|it| format!("datasources/habitus.yaml: {it}"))?,
            provider: yaml::parse(&self.provider)
                .map_err(|it| format!("dashboards/habitus.yaml: {it}"))?,
        })
    }
}

impl Stack {
    /// The services, by name.
    pub(super) fn services(&self) -> impl Iterator<Item = (&str, &Value)> {
        let services = self.compose["services"].as_object().into_iter().flatten();
        services.map(|(name, service)| (name.as_str(), service))
    }

    /// The services that are the image of this repository.
    pub(super) fn ours(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.services().filter(|(_, service)| !service["build"].is_null())
    }

    /// A text of the configuration.
    pub(super) fn setting(&self, section: &str, key: &str) -> &str {
        self.config
            .get(section)
            .and_then(|it| it.get(key))
            .and_then(toml::Value::as_str)
            .unwrap_or("")
    }

    /// A list of texts of the configuration.
    pub(super) fn settings(&self, section: &str, key: &str) -> Vec<&str> {
        let list = self.config.get(section).and_then(|it| it.get(key));
        let list = list.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(toml::Value::as_str).collect()
    }
}

/// The texts of a list, or the words of a text.
pub(super) fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_whitespace().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What stands after a flag, be it with `=` or as a word of its own.
pub(super) fn after<'a>(words: &[&'a str], flag: &str) -> Option<&'a str> {
    let joined = format!("{flag}=");
    words.iter().enumerate().find_map(|(at, word)| {
        if *word == flag { words.get(at + 1).copied() } else { word.strip_prefix(&joined) }
    })
}

/// The program and arguments that a service of ours runs.
pub(super) fn command<'a>(service: &'a Value, binary: &'a str) -> Vec<&'a str> {
    let mut all = words(&service["entrypoint"]);
    if all.is_empty() {
        all.push(binary);
    }
    all.extend(words(&service["command"]));
    all
}

/// What a service mounts.
pub(super) fn mounts(service: &Value) -> Vec<Mount<'_>> {
    let mount = |text| {
        let mut parts = str::split(text, ':');
        Some(Mount {
            source: parts.next()?,
            target: parts.next()?,
            is_read_only: parts.next() == Some("ro"),
        })
    };
    words(&service["volumes"]).into_iter().filter_map(mount).collect()
}

/// The volume, and the path in it, that a path in a service is.
pub(super) fn behind<'a>(service: &'a Value, path: &'a str) -> Option<(&'a str, &'a str)> {
    mounts(service).into_iter().find_map(|mount| {
        let rest = path.strip_prefix(mount.target)?;
        Some((mount.source, rest.strip_prefix('/').unwrap_or(rest)))
    })
}
