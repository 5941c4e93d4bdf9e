//! The state of detection as the parts of a checkpoint, and back.

use super::LiveError;
use super::checkpoint::{Loaded, Part, pack};
use crate::detection::Detection;
use crate::workers;
use detect::{Engine, Extent, Plan, Router, StatePart};
use ingest::endpoint::Templates;

/// What comes behind the engine's parts.
const ROUTER: usize = Engine::PARTS;
const SHAPE: usize = ROUTER + 1;
const COUNTS: usize = SHAPE + 1;

/// One part to be written and packed.
enum Task<'a> {
    Engine(StatePart<'a>),
    Router(&'a Router),
    Shape(&'a Templates, bool),
    Counts(&'a Templates),
}

/// What was written before, so that what did not change is not written again.
#[derive(Debug, Default)]
pub(super) struct Written {
    router: Option<blake3::Hash>,
}

/// Writes and packs the state, all of it or what changed since [`settle`].
pub(super) fn write(
    detection: &Detection,
    templates: &Templates,
    extent: Extent,
    threads: usize,
    written: &mut Written,
) -> Result<Vec<Part>, LiveError> {
    let is_whole = extent == Extent::Whole;
    let mut tasks: Vec<_> = detection.engine.parts(extent).into_iter().map(Task::Engine).collect();
    tasks.push(Task::Router(&detection.router));
    tasks.push(Task::Shape(templates, is_whole));
    tasks.push(Task::Counts(templates));
    let before = written.router.filter(|_| !is_whole);
    let work = |task: Task<'_>| -> Result<(Part, Option<blake3::Hash>), LiveError> {
        let (bytes, hash) = match task {
            Task::Engine(part) => (part.write()?, None),
            Task::Shape(templates, is_whole) => (templates.export_shape(is_whole)?, None),
            Task::Counts(templates) => (templates.export_counts()?, None),
            Task::Router(router) => {
                let bytes = router.export()?;
                let hash = blake3::hash(&bytes);
                let is_same = before == Some(hash);
                (if is_same { Vec::new() } else { bytes }, Some(hash))
            }
        };
        let part = pack(&bytes).map_err(|error| LiveError::Pack(error.to_string()))?;
        Ok((part, hash))
    };
    let done: Result<Vec<_>, _> = workers::run(threads, tasks, work).into_iter().collect();
    let (parts, hashes): (Vec<_>, Vec<_>) = done?.into_iter().unzip();
    written.router = hashes.into_iter().flatten().next();
    Ok(parts)
}

/// From now on only what changes after this is written as a change.
pub(super) fn settle(detection: &mut Detection, templates: &mut Templates) {
    detection.engine.settle();
    templates.settle();
}

/// The state that a chain of checkpoints holds.
pub(super) fn read(
    loaded: &Loaded,
    plan: Plan,
    endpoints: ingest::endpoint::Settings,
) -> Result<(Detection, Templates), LiveError> {
    let whole = loaded.links.first().and_then(|parts| parts.get(..Engine::PARTS));
    let of_engine = |parts: &Vec<Vec<u8>>| parts.get(..Engine::PARTS).map(<[_]>::to_vec);
    let changes: Option<Vec<_>> = loaded.links.iter().skip(1).map(of_engine).collect();
    let latest = |part: usize| {
        let mut links = loaded.links.iter().rev();
        links.find_map(|parts| parts.get(part).filter(|bytes| !bytes.is_empty()))
    };
    let (Some(whole), Some(changes), Some(router), Some(shape), Some(counts)) =
        (whole, changes, latest(ROUTER), latest(SHAPE), latest(COUNTS))
    else {
        return Err(super::CheckpointError::Damaged {
            key: loaded.pointer.key.clone(),
            why: "it lacks a part of the state".to_owned(),
        }
        .into());
    };
    let engine = Engine::restore(plan, whole, &changes)?;
    let templates = Templates::restore(endpoints, shape, counts)?;
    Ok((Detection::live(engine, Router::import(router)?), templates))
}

/// The whole state of a chain, written anew for other topics: what it says of inputs is left out.
pub(crate) fn restate(
    loaded: &Loaded,
    plan: Plan,
    endpoints: ingest::endpoint::Settings,
    threads: usize,
) -> Result<Vec<Part>, LiveError> {
    let (mut detection, templates) = read(loaded, plan, endpoints)?;
    detection.engine.forget_inputs();
    write(&detection, &templates, Extent::Whole, threads, &mut Written::default())
}

#[cfg(test)]
mod tests;
