//! Whether what the configuration names is there and may be used, asked without changing anything.

use crate::commands::{Failure, Setting};
use crate::figures::counted;
use crate::live::objects;
use ingest::format::FormatId;
use ingest::source::kafka::probe::probe;
use object_store::ObjectStoreExt as _;
use std::path::{Path, PathBuf};
use store::{Question, Value};

/// Asks the brokers for the topics, and tries to read at their ends; `None` if no topic is named.
pub(crate) fn source(setting: &Setting) -> Option<Result<String, Failure>> {
    let config = &setting.config;
    (!config.source.topics.is_empty()).then(|| {
        let found = probe(&config.source, &config.kafka.client()?)?;
        let topics = found.topics.iter().map(|(topic, held)| {
            let partitions = counted(held.partitions as u64, "partition", "partitions");
            format!("{topic} with {partitions} and {}", counted(held.records, "record", "records"))
        });
        let topics: Vec<_> = topics.collect();
        let group = &config.source.group_id;
        let stands = match found.committed {
            0 => format!("group {group} has committed nothing yet"),
            committed => format!(
                "group {group} has committed {}",
                counted(committed as u64, "partition", "partitions")
            ),
        };
        Ok(format!("{}; {stands}", topics.join(", ")))
    })
}

/// Whether the format that is named is one; `None` if none is named.
pub(crate) fn format(setting: &Setting) -> Option<Result<String, Failure>> {
    let name = setting.config.run.format.as_str();
    (!name.is_empty()).then(|| {
        let why = || format!("run.format: no format is called `{name}`; see `habitus formats`");
        let found = FormatId::from_name(name).ok_or_else(why)?;
        Ok(found.as_str().to_owned())
    })
}

/// Sees whether the topic of dead letters is there; `None` if none is named.
pub(crate) fn dead_letters(setting: &Setting) -> Option<Result<String, Failure>> {
    let topic = setting.config.run.dead_letter_topic.as_str();
    (!topic.is_empty()).then(|| {
        let client = setting.config.kafka.client()?;
        drop(connect::Producer::open(&client, topic, "run.dead_letter_topic")?);
        Ok(topic.to_owned())
    })
}

/// Sees whether the topic of the deny feed is there, and asks the store what the feed asks: its user
/// may be one that only writes. `None` if the feed is off.
pub(crate) fn deny(setting: &Setting) -> Option<Result<String, Failure>> {
    let deny = &setting.config.response.deny;
    (!deny.is_off()).then(|| {
        let mut found = Vec::new();
        if !deny.topic.is_empty() {
            let client = setting.config.kafka.client()?;
            drop(connect::Producer::open(&client, &deny.topic, crate::response::TOPIC)?);
            found.push(deny.topic.as_str());
        }
        if deny.http {
            found.push("GET /deny");
        }
        // A directory that is not there yet is made by the service.
        if setting.server.is_some() || setting.store.exists() {
            let reader = setting.reader()?;
            // From the end of time on there is nothing: the answer costs the server next to nothing.
            let values = vec![("since_us", Value::Int(i64::MAX)), ("rows_max", Value::Int(1))];
            drop(setting.runtime.block_on(reader.ask(Question::Critical, values))?);
            found.push("the store answers");
        }
        Ok(found.join(", "))
    })
}

/// Asks the server whether it lets this user in, and whether its tables are this program's; `None` if
/// the store is a directory.
pub(crate) fn server(setting: &Setting) -> Option<Result<String, Failure>> {
    let url = setting.server.as_ref()?;
    let ask = || -> Result<String, Failure> {
        let client = setting.server()?.ok_or("--store names no server")?;
        setting.runtime.block_on(store::clickhouse::verify(&client))?;
        Ok(format!("{url}, its tables are of this version"))
    };
    Some(ask())
}

/// Sees whether checkpoints can be written; `None` if no topic is named, as only a service has any.
pub(crate) fn checkpoints(setting: &Setting) -> Option<Result<String, Failure>> {
    let config = &setting.config;
    let named = config.run.checkpoints.as_str();
    (!config.source.topics.is_empty()).then(|| {
        if named.contains("://") {
            bucket(setting, named)
        } else {
            place(&checkpoint_place(named, &setting.store))
        }
    })
}

/// Writes an empty object where checkpoints go, and removes it.
fn bucket(setting: &Setting, named: &str) -> Result<String, Failure> {
    let store = objects::open(named, &setting.store, &setting.environment)?;
    let path = object_store::path::Path::from("habitus-check");
    let tried = setting.runtime.block_on(async {
        store.put(&path, Vec::new().into()).await?;
        store.delete(&path).await
    });
    tried.map_err(|error| {
        let why = crate::render::plain(&error.to_string());
        format!(
            "cannot write to {named} ({why}): allow it, or name another place in run.checkpoints"
        )
    })?;
    Ok(named.to_owned())
}

/// The directory of checkpoints: the one that is named, else one in the store's directory.
pub(crate) fn checkpoint_place(named: &str, home: &Path) -> PathBuf {
    if named.is_empty() { home.join("checkpoints") } else { PathBuf::from(named) }
}

/// Sees whether a directory can be written, or made. The file that shows it never has a name where
/// the system knows how, and is gone in either case.
fn place(directory: &Path) -> Result<String, Failure> {
    let there = directory.ancestors().find(|it| it.as_os_str().is_empty() || it.exists());
    let there = there.filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let refused = |why: &dyn std::fmt::Display| {
        format!(
            "cannot write to {} ({why}): make it writable, or name another place in run.checkpoints",
            there.display()
        )
    };
    tempfile::tempfile_in(there).map_err(|error| refused(&error))?;
    let to_be_made = if there == directory { "" } else { "; the service makes it" };
    Ok(format!("{}{to_be_made}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_looked_at_without_a_trace() {
        let dir = tempfile::TempDir::new().unwrap();
        let said = place(dir.path()).unwrap();
        assert!(!said.contains("makes it"), "{said}");
        let said = place(&dir.path().join("a/b")).unwrap();
        assert!(said.contains("makes it"), "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = place(&file.join("checkpoints")).unwrap_err().to_string();
        assert!(error.contains("cannot write to") && error.contains("run.checkpoints"), "{error}");
    }
}
