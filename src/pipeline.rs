//! The stages on one screen: inputs → parse → order → templates → partitions → store.

use crate::inputs::{Inputs, Reading};
use crate::keeper::Keeper;
use crate::order::{self, HELD_EVENTS_MAX, Held, Order};
use crate::progress::Progress;
use crate::workers;
use detect::{Engine, Item, Router};
use ingest::Chunk;
use ingest::endpoint::Templates;
use ingest::format::FormatId;
use ingest::reject::Rejects;
use model::tables::Table;
use model::time::{NS_PER_H, NS_PER_S};
use model::{Event, EventBatch, Finding, FindingId, Text, Time};
use std::collections::BTreeSet;

/// What goes through the stages.
#[derive(Debug)]
pub(crate) struct Pipeline<'a> {
    /// How inputs are read.
    pub(crate) reading: Reading<'a>,
    /// Gives each event its endpoint.
    pub(crate) templates: Templates,
    /// How far behind the latest event another may come; `None` to hold all until the inputs end.
    pub(crate) lateness_ns: Option<i64>,
    /// Threads that do the work.
    pub(crate) threads: usize,
}

/// What went through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    /// Records read.
    pub(crate) records: u64,
    /// Events that the records held.
    pub(crate) events: u64,
    /// Records that held none.
    pub(crate) rejects: Rejects,
    /// Events that came after later ones had been released.
    pub(crate) late: u64,
    /// Late events whose hour had closed: counted here, and in no window.
    pub(crate) late_not_scored: u64,
    /// The first and the last event time.
    pub(crate) times: Option<(Time, Time)>,
    /// Events whose endpoint is none of its own, because there are too many.
    pub(crate) endpoints_overflowed: u64,
    /// Failed authentications from addresses that nobody watches, because too many are.
    pub(crate) unwatched: u64,
    /// Revisions of findings.
    pub(crate) revisions: u64,
    /// Findings, each once.
    pub(crate) findings: u64,
}

/// Why a run could not end well; bad input is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// Arrow refused a batch.
    #[error("rows could not be batched: {0}; report this as a defect")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Too many events are held.
    #[error(
        "more than {HELD_EVENTS_MAX} events would have to be held to sort them: split the input by day, or leave out --sort"
    )]
    TooManyHeld,
    /// A normalised event could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

/// Takes events in order: detection, or whatever else wants them.
trait Sink {
    fn take(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
    ) -> Result<(), PipelineError>;
}

/// What the stages after the order share.
struct Stage<'a> {
    templates: &'a mut Templates,
    threads: usize,
    passed: &'a mut Passed,
}

impl Pipeline<'_> {
    /// Runs all inputs through detection into the store.
    pub(crate) fn detect(
        mut self,
        inputs: &mut Inputs,
        engine: &mut Engine,
        keeper: &mut Keeper,
        progress: &Progress,
    ) -> Result<Passed, PipelineError> {
        let mut sink =
            Detection { engine, keeper, router: Router::default(), raised: BTreeSet::new() };
        let mut passed = self.pump(inputs, &mut sink, progress)?;
        let mut stage =
            Stage { templates: &mut self.templates, threads: self.threads, passed: &mut passed };
        sink.finish(&mut stage)?;
        passed.unwatched = sink.router.unwatched();
        Ok(passed)
    }

    /// Runs all inputs through, and hands each event in order to `write` with its endpoint's name.
    pub(crate) fn normalize(
        mut self,
        inputs: &mut Inputs,
        write: &mut dyn FnMut(&EventBatch, &Event, &str) -> std::io::Result<()>,
        progress: &Progress,
    ) -> Result<Passed, PipelineError> {
        self.pump(inputs, &mut Normalized { write, hour: None }, progress)
    }

    fn pump(
        &mut self,
        inputs: &mut Inputs,
        sink: &mut dyn Sink,
        progress: &Progress,
    ) -> Result<Passed, PipelineError> {
        let (mut order, mut passed) = (Order::default(), Passed::default());
        let Pipeline { reading, templates, lateness_ns, threads } = self;
        let parse = |(_, chunk, format): &(usize, Chunk, Option<FormatId>)| {
            let parsed = reading.parser.parse(chunk, *format);
            let places = order::places(&parsed.batch);
            (parsed, places)
        };
        let mut chunks = read(inputs);
        let (mut parsed, ()) = workers::run_beside(*threads, &chunks, parse, || ());
        loop {
            let at_end = chunks.is_empty();
            for ((index, ..), (parsed, places)) in chunks.iter().zip(parsed) {
                inputs.advance(*index, &parsed);
                passed.add(&parsed);
                order.push(parsed.batch, places);
            }
            if order.len() > HELD_EVENTS_MAX {
                return Err(PipelineError::TooManyHeld);
            }
            // Before the next chunks are read: an input that ends with them is not at its end yet.
            let lateness = lateness_ns.filter(|_| !at_end);
            let watermark = lateness.and_then(|ns| Some(inputs.front()?.plus(-ns)));
            let due =
                if watermark.is_some() || at_end { order.release(watermark) } else { Vec::new() };
            chunks = read(inputs);
            // The next chunks are parsed while this part is thought about.
            let mut taken = || {
                // The other threads are parsing; whoever is idle takes the next task of either kind.
                let mut stage = Stage { templates, threads: *threads, passed: &mut passed };
                let taken = sink.take(&due, &mut order, &mut stage);
                // Still beside the parsing: what comes after it is read and unpacked.
                inputs.read_ahead();
                taken
            };
            let taken = if at_end {
                parsed = Vec::new();
                taken()
            } else {
                let (next, taken) = workers::run_beside(*threads, &chunks, parse, taken);
                parsed = next;
                taken
            };
            taken?;
            order.settle(&due);
            progress.at(inputs.bytes_done(), passed.events, passed.revisions);
            if at_end {
                break;
            }
        }
        passed.late = order.late();
        passed.endpoints_overflowed = templates.overflowed();
        Ok(passed)
    }
}

/// The next chunks, each with its input's number and format.
fn read(inputs: &mut Inputs) -> Vec<(usize, Chunk, Option<FormatId>)> {
    let chunks = inputs.next_chunks().into_iter();
    chunks.map(|(index, chunk)| (index, chunk, inputs.format(index))).collect()
}

/// The default lateness bound, in nanoseconds, of a number of seconds.
pub(crate) const fn lateness_ns(seconds: u32) -> i64 {
    seconds as i64 * NS_PER_S
}

struct Detection<'a> {
    engine: &'a mut Engine,
    keeper: &'a mut Keeper,
    router: Router,
    raised: BTreeSet<FindingId>,
}

impl Sink for Detection<'_> {
    fn take(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
    ) -> Result<(), PipelineError> {
        let mut rest = due;
        if let Some(hour) = self.engine.hour() {
            let too_late = rest.partition_point(|held| held.time < hour);
            at.passed.late_not_scored += too_late as u64;
            rest = rest.get(too_late..).unwrap_or_default();
        }
        while let Some(first) = rest.first() {
            let hour = if let Some(hour) = self.engine.hour() {
                hour
            } else {
                self.engine.open(first.time);
                first.time.floor(NS_PER_H)
            };
            let end = hour.plus(NS_PER_H);
            let (now, later) = rest.split_at(rest.partition_point(|held| held.time < end));
            self.hour_part(now, order, at, !later.is_empty())?;
            if let Some(next) = later.first() {
                self.engine.open(next.time);
            }
            rest = later;
        }
        Ok(())
    }
}

impl Detection<'_> {
    /// One part of an hour; `closes` ends the hour.
    fn hour_part(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
        closes: bool,
    ) -> Result<(), PipelineError> {
        assign(due, order, at.templates);
        let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); model::limit::PARTITIONS];
        for held in due {
            let Some((batch, index)) = order.batch(held) else { continue };
            let Some(event) = batch.events.get(index) else { continue };
            if let Some(list) = items.get_mut(event.partition()) {
                list.push(Item::Call(batch, event));
            }
            if let Some(note) = self.router.see(batch, event)
                && let Some(list) = items.get_mut(note.partition)
            {
                list.push(Item::SuccessAfterFailure(note.source, batch, event));
            }
        }
        let tasks = self.engine.tasks(at.templates.endpoints(), &items, closes);
        workers::run(at.threads, tasks, detect::Task::run);
        if closes { self.exchange(at, false) } else { self.keep_findings(at) }
    }

    fn keep_findings(&mut self, at: &mut Stage<'_>) -> Result<(), PipelineError> {
        let findings = self.engine.drain_findings();
        self.count(&findings, at);
        Ok(self.keeper.keep(detect::Output { findings, ..detect::Output::default() })?)
    }

    fn count(&mut self, findings: &[Finding], at: &mut Stage<'_>) {
        at.passed.revisions += findings.len() as u64;
        for finding in findings {
            // A finding is revised within its hour only, after which the set is emptied.
            at.passed.findings += u64::from(self.raised.insert(finding.id));
        }
    }

    fn exchange(&mut self, at: &mut Stage<'_>, last: bool) -> Result<(), PipelineError> {
        at.templates.apply_folds();
        let output = self.engine.exchange(at.templates.endpoints(), last)?;
        self.count(&output.findings, at);
        self.raised.clear();
        Ok(self.keeper.keep(output)?)
    }

    /// Closes the last hour, and keeps the latest state of identities and endpoints.
    fn finish(&mut self, at: &mut Stage<'_>) -> Result<(), PipelineError> {
        let none = vec![Vec::new(); model::limit::PARTITIONS];
        let tasks = self.engine.tasks(at.templates.endpoints(), &none, true);
        workers::run(at.threads, tasks, detect::Task::run);
        self.exchange(at, true)?;
        let endpoints = at.templates.endpoints();
        for rows in self.engine.identities(endpoints)? {
            self.keeper.rows(Table::Identities, rows)?;
        }
        Ok(self.keeper.rows(Table::Endpoints, self.engine.endpoints(endpoints)?)?)
    }
}

/// Gives each event its endpoint, in order.
fn assign(due: &[Held], order: &mut Order, templates: &mut Templates) {
    for held in due {
        let Some((batch, index)) = order.batch_mut(held) else { continue };
        let (events, texts) = batch.parts_mut();
        if let Some(event) = events.get_mut(index) {
            let name = texts.get(event, Text::Endpoint).unwrap_or("");
            templates.assign(event, name);
        }
    }
}

struct Normalized<'a> {
    write: &'a mut dyn FnMut(&EventBatch, &Event, &str) -> std::io::Result<()>,
    hour: Option<Time>,
}

impl Sink for Normalized<'_> {
    fn take(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
    ) -> Result<(), PipelineError> {
        for held in due {
            let hour = held.time.floor(NS_PER_H);
            if self.hour.is_some_and(|open| open < hour) {
                at.templates.apply_folds();
            }
            self.hour = self.hour.max(Some(hour));
            assign(std::slice::from_ref(held), order, at.templates);
            let Some((batch, index)) = order.batch(held) else { continue };
            let Some(event) = batch.events.get(index) else { continue };
            (self.write)(batch, event, at.templates.endpoints().name(event.endpoint_id))?;
        }
        Ok(())
    }
}

impl Passed {
    fn add(&mut self, parsed: &ingest::parse::Parsed) {
        self.records += parsed.records;
        self.events += parsed.batch.events.len() as u64;
        self.rejects.merge(&parsed.rejects);
        self.times = match (self.times, parsed.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (times, None) | (None, times) => times,
        };
    }
}
