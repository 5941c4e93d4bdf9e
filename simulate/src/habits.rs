//! What somebody does on ordinary days, by its busiest hour and minute: the measure of what is much.

use crate::actor::Actor;
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN};
use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ordinary days that are looked at.
const DAYS_MAX: i64 = 3;
/// Calls that are looked at.
const CALLS_MAX: usize = 60_000;

/// The most that somebody does of each in ordinary time; at least 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) calls_per_min: u64,
    pub(crate) bytes_per_hour: u64,
    /// Different paths of one endpoint that were answered.
    pub(crate) objects_per_hour: u64,
    /// Different paths that were changed or deleted.
    pub(crate) writes_per_hour: u64,
    /// Different paths that were read in a day, over all endpoints.
    pub(crate) objects_per_day: u64,
}

/// What is counted of one hour.
#[derive(Default)]
struct Hour {
    bytes: u64,
    objects: BTreeMap<(&'static str, &'static str), BTreeSet<String>>,
    writes: BTreeSet<String>,
}

impl Habits {
    /// The habits of somebody whose calls come from those actors; all calls must be its own.
    pub(crate) fn of(actors: &[Actor]) -> Self {
        let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
        let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
        let mut days: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for actor in actors {
            for record in first_days(actor.clone()) {
                *minutes.entry(record.time_ns / NS_PER_MIN).or_default() += 1;
                let hour = hours.entry(record.time_ns / NS_PER_H).or_default();
                hour.bytes += record.bytes_out;
                if record.status >= 300 || !record.template.contains('{') {
                    continue;
                }
                if record.method == "GET" {
                    days.entry(record.time_ns / NS_PER_D).or_default().insert(record.path.clone());
                } else if record.method != "POST" {
                    hour.writes.insert(record.path.clone());
                }
                let key = (record.method, record.template);
                hour.objects.entry(key).or_default().insert(record.path);
            }
        }
        let most = |values: &mut dyn Iterator<Item = u64>| values.max().unwrap_or(0).max(1);
        let objects = |it: &Hour| it.objects.values().map(BTreeSet::len).max().unwrap_or(0) as u64;
        Self {
            calls_per_min: most(&mut minutes.into_values()),
            bytes_per_hour: most(&mut hours.values().map(|it| it.bytes)),
            objects_per_hour: most(&mut hours.values().map(objects)),
            writes_per_hour: most(&mut hours.values().map(|it| it.writes.len() as u64)),
            objects_per_day: most(&mut days.values().map(|it| it.len() as u64)),
        }
    }
}

/// The calls of an actor's first days.
fn first_days(mut actor: Actor) -> Vec<Record> {
    let (mut planned, mut records): (VecDeque<Record>, Vec<Record>) = Default::default();
    loop {
        let is_more = actor.plan(&mut planned);
        records.extend(planned.drain(..));
        let length_ns = match (records.first(), records.last()) {
            (Some(first), Some(last)) => last.time_ns - first.time_ns,
            _ => 0,
        };
        if !is_more || length_ns > DAYS_MAX * NS_PER_D || records.len() > CALLS_MAX {
            return records;
        }
    }
}
