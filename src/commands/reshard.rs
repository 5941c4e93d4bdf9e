//! `habitus reshard`: takes what a group has learned to another group, and to other topics.

use super::{Ended, Failure, Setting};
use crate::cli::Reshard;
use crate::live::checkpoint::{CheckpointError, Checkpoints, Head, Place};
use crate::live::objects;
use crate::live::restate;
use ingest::source::kafka::{Begin, Commit, Group, Start};
use std::io::Write as _;

/// Writes the last checkpoint of one group as the first of another, and commits where that begins.
pub(crate) fn run(setting: &Setting, args: &Reshard) -> Result<Ended, Failure> {
    let (from, to) = (args.from_group.as_str(), args.to_group.as_str());
    if from == to {
        return Err("--to-group is --from-group: name a group that has read nothing yet".into());
    }
    let config = &setting.config;
    let topics = if args.topics.is_empty() { &config.source.topics } else { &args.topics };
    if topics.is_empty() {
        return Err("no topic is named: give --topics, or source.topics".into());
    }
    let begin = begin(&args.start)?;
    let place = &config.run.checkpoints;
    let store = objects::open(place, &setting.store, &setting.environment)?;
    let old = Checkpoints::new(std::sync::Arc::clone(&store), from);
    let mut new = Checkpoints::new(store, to);
    let group = Group::open(to, &config.kafka.client()?)?;
    let places = group.places(topics, begin)?;
    let is_used = !setting.runtime.block_on(new.list())?.is_empty();
    if is_used || group.has_committed(&places)? {
        return Err(format!(
            "group {to} has read before: name one that has not, so that nothing is overwritten"
        )
        .into());
    }
    let loaded = latest(setting, &old)?;
    let plan = config.detect.check()?;
    let parts = restate(&loaded, plan, config.endpoints, setting.processors)?;
    let of = |(partition, offset): &(ingest::source::kafka::Partition, i64)| Place {
        topic: partition.topic.clone(),
        number: partition.number,
        resume: Some(*offset),
        next: Some(*offset),
        ..Place::default()
    };
    let head = Head { base: None, places: places.iter().map(of).collect(), ..loaded.head.clone() };
    let (pointer, _) = setting.runtime.block_on(new.put(head, &parts))?;
    match group.commit(&places, &pointer.to_metadata())? {
        Commit::Done => {}
        Commit::Away => return Err("no broker took the commit: try again".into()),
        Commit::Refused => {
            return Err(format!("group {to} has running members: stop them, and try again").into());
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "group {to} has the habits of {} identities of {}",
        loaded.head.identities, loaded.pointer.key,
    )?;
    for (partition, offset) in &places {
        writeln!(out, "{}/{} begins at offset {offset}", partition.topic, partition.number)?;
    }
    Ok(Ended::Done)
}

/// The latest chain of a group that can be read.
fn latest(
    setting: &Setting,
    checkpoints: &Checkpoints,
) -> Result<crate::live::checkpoint::Loaded, Failure> {
    let listed = setting.runtime.block_on(checkpoints.list())?;
    let mut last: Option<CheckpointError> = None;
    for (_, pointer) in &listed {
        match setting.runtime.block_on(checkpoints.load(pointer)) {
            Ok(loaded) => return Ok(loaded),
            Err(error) if error.is_loss() => {
                crate::note(&format!("{error}: looking for an older one"));
                last = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(match last {
        Some(error) => error.into(),
        None => format!(
            "group {} has no checkpoint in {}: see run.checkpoints and --store",
            checkpoints.group(),
            checkpoints.folder(),
        )
        .into(),
    })
}

fn begin(typed: &str) -> Result<Begin, Failure> {
    match typed {
        "earliest" => Ok(Begin::At(Start::Earliest)),
        "latest" => Ok(Begin::At(Start::Latest)),
        time => match super::instant(time) {
            Some(time) => Ok(Begin::FromMs(time.ns().div_euclid(1_000_000))),
            None => Err(format!(
                "--start is `{time}`: write earliest, latest, or a time such as 2026-03-02T14:00"
            )
            .into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_an_end_of_the_topic_or_a_time() {
        assert_eq!(begin("latest").unwrap(), Begin::At(Start::Latest));
        assert_eq!(begin("1970-01-02").unwrap(), Begin::FromMs(86_400_000));
        assert!(begin("newest").unwrap_err().to_string().contains("write earliest, latest"));
    }
}
