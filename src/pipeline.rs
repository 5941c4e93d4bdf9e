//! The stages on one screen: inputs → parse → order → templates → partitions → store.

use crate::detection::Detection;
use crate::inputs::{Inputs, Reading};
use crate::intake::Intake;
use crate::keeper::{Keeper, KeeperError};
use crate::order::{self, HELD_EVENTS_MAX, Held, Order};
use crate::progress::Progress;
use crate::workers;
use detect::{Engine, Router, Tally};
use ingest::Chunk;
use ingest::endpoint::Templates;
use ingest::format::FormatId;
use ingest::reject::Rejects;
use model::time::{NS_PER_H, NS_PER_S};
use model::{Detector, Event, EventBatch, Severity, Text, Time};

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
    /// Events of a call that another record had told of: counted once, with that one.
    pub(crate) repeated: u64,
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
    /// The same, by detector and severity.
    pub(crate) raised: [[Raised; Severity::ALL.len()]; Detector::ALL.len()],
    /// From when on enough was known of others to judge anyone.
    pub(crate) judges_from: Option<Time>,
    /// From when on there was a model of all features together.
    pub(crate) models_from: Option<Time>,
    /// What came of each input; in a service since it was last told.
    pub(crate) intake: Intake,
}

/// Findings of a detector and a severity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raised {
    /// Findings whose first revision had the severity.
    pub(crate) findings: u64,
    /// Revisions that had it.
    pub(crate) revisions: u64,
}

/// Why a run could not end well; bad input is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError {
    /// The store failed.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
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
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// Gives each event its endpoint.
    pub(crate) templates: &'a mut Templates,
    /// Threads that do the work.
    pub(crate) threads: usize,
    /// What went through.
    pub(crate) passed: &'a mut Passed,
}

impl Pipeline<'_> {
    /// Runs all inputs through detection into the store.
    pub(crate) fn detect(
        mut self,
        inputs: &mut Inputs,
        engine: Engine,
        keeper: &mut Keeper,
        progress: &Progress,
    ) -> Result<(Passed, Tally), PipelineError> {
        let mut sink = Judged { detection: Detection::new(engine, Router::default()), keeper };
        let mut passed = self.pump(inputs, &mut sink, progress)?;
        let Judged { mut detection, keeper } = sink;
        let mut stage =
            Stage { templates: &mut self.templates, threads: self.threads, passed: &mut passed };
        detection.finish(&mut stage, keeper)?;
        passed.unwatched = detection.router.unwatched();
        Ok((passed, detection.engine.tally()))
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
            for ((index, chunk, _), (parsed, places)) in chunks.iter().zip(parsed) {
                inputs.advance(*index, &parsed);
                passed.add(chunk.source, &parsed);
                let late = order.late();
                order.push(parsed.batch, places);
                passed.intake.late(chunk.source, order.late() - late);
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
    chunks.map(|(index, chunk)| (index, chunk, inputs.hint(index))).collect()
}

/// The default lateness bound, in nanoseconds, of a number of seconds.
pub(crate) const fn lateness_ns(seconds: u32) -> i64 {
    seconds as i64 * NS_PER_S
}

/// Gives each event its endpoint, in order.
pub(crate) fn assign(due: &[Held], order: &mut Order, templates: &mut Templates) {
    for held in due {
        let Some((batch, index)) = order.batch_mut(held) else { continue };
        let (events, texts) = batch.parts_mut();
        if let Some(event) = events.get_mut(index) {
            let name = texts.get(event, Text::Endpoint).unwrap_or("");
            templates.assign(event, name);
        }
    }
}

struct Judged<'a> {
    detection: Detection,
    keeper: &'a mut Keeper,
}

impl Sink for Judged<'_> {
    fn take(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
    ) -> Result<(), PipelineError> {
        self.detection.take(due, order, at, self.keeper)
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
    /// Adds what records of an input held.
    pub(crate) fn add(&mut self, input: u32, parsed: &ingest::parse::Parsed) {
        self.intake.add(input, parsed);
        self.records += parsed.records;
        self.events += parsed.batch.events.len() as u64;
        self.rejects.merge(&parsed.rejects);
        self.times = match (self.times, parsed.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (times, None) | (None, times) => times,
        };
    }
}
