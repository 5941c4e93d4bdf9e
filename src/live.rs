//! The service: topics in, findings out, nothing lost and nothing said twice.
//!
//! Records are read, parsed, ordered and judged as a replay does it. Every few seconds an *epoch*
//! ends: what was found is in the store, then the whole state is written as a checkpoint, then the
//! offsets are committed with the checkpoint's name beside them. Whoever reads on reads the
//! checkpoint that the offsets name, so that offsets and state can never disagree, and what is read
//! again gives the same findings under the same ids.

pub(crate) mod checkpoint;
pub(crate) mod forget;
mod places;

use crate::detection::Detection;
use crate::keeper::{Keeper, KeeperError};
use crate::order::{self, Order};
use crate::pipeline::{Passed, PipelineError, Stage};
use crate::workers;
use checkpoint::{CheckpointError, Checkpoints, Pointer, State};
use detect::{Engine, Plan, Router};
use forget::Requests;
use ingest::endpoint::Templates;
use ingest::format::FormatId;
use ingest::parse::{Parsed, Parser};
use ingest::source::kafka::{Commit, Committed, Fetched, Next, Source, SourceError};
use model::Time;
use model::time::{NS_PER_MIN, NS_PER_S};
use places::Places;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long the source is waited for before anything else is looked after.
const WAIT: Duration = Duration::from_millis(100);
/// A partition that brought nothing for so long is asked whether it has anything; if not, it holds
/// nobody back.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// When nothing at all came for so long, event time goes on with the clock on the wall.
const QUIET_AFTER: Duration = Duration::from_mins(1);
/// An event further ahead of the clock on the wall than this has a wrong time.
const AHEAD_MAX_NS: i64 = 5 * NS_PER_MIN;
/// How long the store is waited for between two looks at the source.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Settings of the service.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The format of all records; empty to recognise it from each.
    pub(crate) format: String,
    /// How far behind the latest event another may come and still be in order, in milliseconds. A
    /// finding is raised so much later.
    pub(crate) lateness_ms: u32,
    /// Seconds after which an epoch ends.
    pub(crate) epoch_seconds: u32,
    /// Events after which an epoch ends.
    pub(crate) epoch_events: u64,
    /// Directory of checkpoints; empty for `checkpoints` in the store's directory.
    pub(crate) checkpoints: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: String::new(),
            lateness_ms: 1_000,
            epoch_seconds: 5,
            epoch_events: 500_000,
            checkpoints: String::new(),
        }
    }
}

/// Why the service stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Detection or the store failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The store failed for good.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// State that is in order cannot be taken in.
    #[error(transparent)]
    Detect(#[from] detect::SnapshotError),
    /// The same, of templates.
    #[error(transparent)]
    Templates(#[from] ingest::endpoint::SnapshotError),
    /// The topics have other partitions than when the checkpoint was written.
    #[error(
        "checkpoint {key} is of {then} partitions, the topics have {now}: start anew with another source.group_id"
    )]
    Partitions {
        /// Which.
        key: String,
        /// Partitions in it.
        then: usize,
        /// Partitions now.
        now: usize,
    },
}

/// What the service is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) settings: Settings,
    pub(crate) format: Option<FormatId>,
    pub(crate) parser: &'a Parser,
    pub(crate) plan: Plan,
    pub(crate) endpoints: ingest::endpoint::Settings,
    pub(crate) source: Source,
    pub(crate) keeper: Keeper,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) requests: Requests,
    /// The key of fingerprints.
    pub(crate) key: [u8; 32],
    pub(crate) runtime: Handle,
    pub(crate) threads: usize,
    /// Set when the service is to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// The clock on the wall.
    pub(crate) wall: fn() -> Time,
}

/// What is known while this process leads.
#[derive(Debug)]
struct Mind {
    detection: Detection,
    templates: Templates,
    order: Order,
    places: Places,
    epoch: u64,
    /// Events since the last checkpoint.
    events: u64,
    sealed: Instant,
    heard: Instant,
}

/// The running service.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    parts: Parts<'a>,
    mind: Option<Mind>,
    passed: Passed,
    epochs: u64,
    /// Records that were given up: they hold no event.
    rejected: u64,
    /// Events whose time was too far ahead.
    ahead: u64,
    /// When it was last asked whether somebody is to be forgotten.
    looked: Option<Instant>,
}

/// What the service did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) passed: Passed,
    pub(crate) epochs: u64,
    pub(crate) ahead: u64,
}

impl<'a> Live<'a> {
    pub(crate) fn new(parts: Parts<'a>) -> Self {
        let passed = Passed::default();
        Self { parts, mind: None, passed, epochs: 0, rejected: 0, ahead: 0, looked: None }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self, now: fn() -> Instant) -> Result<Done, LiveError> {
        while !self.parts.stop.load(Ordering::Relaxed) {
            match self.parts.source.next(WAIT)? {
                Next::Lead(committed) => {
                    crate::note("leading: reading all partitions");
                    self.restore(&committed, now())?;
                }
                Next::Lost => {
                    crate::note("another process leads: standing by");
                    self.void();
                }
                Next::Records(fetched) => self.round(fetched, now)?,
            }
            if let Some(complaint) = self.parts.source.complaint() {
                crate::note(&format!("Kafka says: {}", crate::render::plain(&complaint)));
            }
        }
        self.seal(now())?;
        Ok(Done { passed: self.passed, epochs: self.epochs, ahead: self.ahead })
    }

    /// Forgets everything since the last commit.
    fn void(&mut self) {
        self.mind = None;
        self.parts.keeper.forget();
    }

    /// Takes up where the committed offsets say.
    fn restore(&mut self, committed: &[Committed], now: Instant) -> Result<(), LiveError> {
        self.parts.keeper.forget();
        let pointer = committed.iter().find_map(|it| Pointer::from_metadata(&it.metadata));
        let (mut state, mut key) = (None, String::new());
        if let Some(pointer) = pointer {
            state = Some(self.parts.runtime.block_on(self.parts.checkpoints.get(&pointer))?);
            key = pointer.key;
        }
        let names = self.parts.source.partitions();
        let mind = if let Some(state) = state {
            let places = Places::of(names, &state.places, now).ok_or(LiveError::Partitions {
                key: key.clone(),
                then: state.places.len(),
                now: names.len(),
            })?;
            crate::note(&format!("taking up checkpoint {key}"));
            let engine = Engine::import(self.parts.plan.clone(), &state.engine)?;
            let router = Router::import(&state.router)?;
            Mind {
                detection: Detection::live(engine, router),
                templates: Templates::import(self.parts.endpoints, &state.templates)?,
                order: Order::resume(state.released.map(Time::from_ns)),
                places,
                epoch: state.epoch,
                events: 0,
                sealed: now,
                heard: now,
            }
        } else {
            let engine = Engine::new(self.parts.plan.clone());
            let mut places = Places::new(names, now);
            for (place, committed) in (0..).zip(committed) {
                places.start_at(place, committed.offset);
            }
            Mind {
                detection: Detection::live(engine, Router::default()),
                templates: Templates::new(self.parts.endpoints),
                order: Order::default(),
                places,
                epoch: 0,
                events: 0,
                sealed: now,
                heard: now,
            }
        };
        self.parts.source.begin(&mind.places.resume())?;
        self.mind = Some(mind);
        Ok(())
    }

    /// One round: what came is parsed, ordered and judged, and kept.
    fn round(&mut self, fetched: Vec<Fetched>, now: fn() -> Instant) -> Result<(), LiveError> {
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        let moment = now();
        let latest = (self.parts.wall)().plus(AHEAD_MAX_NS);
        if !fetched.is_empty() {
            mind.heard = moment;
        }
        let (parser, format) = (self.parts.parser, self.parts.format);
        let parse = |one: Fetched| {
            let mut parsed = parser.parse(&one.chunk, format);
            let ahead = places::put_offsets(&mut parsed, &one.offsets, latest);
            (one, parsed, ahead)
        };
        for (one, mut parsed, ahead) in workers::run(self.parts.threads, fetched, parse) {
            mind.places.skip(&one, &mut parsed);
            mind.places.advance(&one, &parsed, moment);
            self.ahead += ahead;
            self.rejected += parsed.rejects.total() + one.empty;
            mind.events += parsed.batch.events.len() as u64;
            self.passed.add(&parsed);
            let Parsed { batch, .. } = parsed;
            let places = order::places(&batch);
            mind.order.push(batch, places);
        }
        for (place, next) in mind.places.silent(moment, SILENT_AFTER) {
            let is_idle = self.parts.source.is_at_end(place, next)?;
            mind.places.look(place, is_idle, now());
        }
        let lateness = i64::from(self.parts.settings.lateness_ms) * (NS_PER_S / 1_000);
        let quiet = moment.saturating_duration_since(mind.heard);
        let mut watermark = mind.places.watermark(lateness);
        let is_quiet = quiet >= QUIET_AFTER && mind.places.is_idle();
        if is_quiet {
            // Nothing came: the hour ends by the clock on the wall.
            watermark = watermark.map(|it| it.plus(quiet.as_nanos() as i64 - lateness));
        }
        if let Some(watermark) = watermark {
            self.judge(watermark, is_quiet)?;
        }
        self.deliver()?;
        let Some(mind) = self.mind.as_ref() else { return Ok(()) };
        let epoch = Duration::from_secs(u64::from(self.parts.settings.epoch_seconds));
        let is_due = mind.events >= self.parts.settings.epoch_events
            || moment.saturating_duration_since(mind.sealed) >= epoch;
        let is_moved = mind.places.is_moved();
        if is_due && (is_moved || self.is_asked_to_forget(moment, epoch)?) {
            self.seal(now())?;
        }
        Ok(())
    }

    /// Judges all events before the watermark; in a quiet time the hours that end before it too.
    fn judge(&mut self, watermark: Time, is_quiet: bool) -> Result<(), LiveError> {
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        let due = mind.order.release(Some(watermark));
        let mut stage = Stage {
            templates: &mut mind.templates,
            threads: self.parts.threads,
            passed: &mut self.passed,
        };
        let keeper = &mut self.parts.keeper;
        if !due.is_empty() {
            mind.places.touch();
        }
        mind.detection.take(&due, &mut mind.order, &mut stage, keeper)?;
        if is_quiet {
            mind.detection.close_before(watermark, &mut stage, keeper)?;
        }
        mind.order.settle(&due);
        Ok(())
    }

    /// Brings what was found to the store, however long that takes; the source is kept alive.
    fn deliver(&mut self) -> Result<(), LiveError> {
        let mut is_said = false;
        loop {
            match self.parts.keeper.deliver() {
                Ok(()) => return Ok(()),
                Err(error) if error.is_passing() => {
                    if !is_said {
                        crate::note(&format!("{error}"));
                        is_said = true;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if self.parts.stop.load(Ordering::Relaxed) {
                // What is not delivered is not committed either, and will be judged again.
                self.void();
                return Ok(());
            }
            // Only a leader that was replaced hears anything while nothing is fetched.
            if let Next::Lost = self.parts.source.stay(STORE_PAUSE)? {
                self.void();
                return Ok(());
            }
        }
    }

    /// Ends an epoch: everything is in the store, then the checkpoint is, then offsets are committed.
    fn seal(&mut self, now: Instant) -> Result<(), LiveError> {
        if self.mind.is_none() {
            return Ok(());
        }
        self.deliver()?;
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        self.parts.keeper.seal(mind.epoch + 1)?;
        crate::hold("stored");
        let asked = self.forget_asked()?;
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        let resume = mind.places.hold(&mind.order);
        let state = State {
            version: checkpoint::VERSION,
            epoch: mind.epoch + 1,
            places: mind.places.export(),
            released: mind.order.released().map(Time::ns),
            engine: mind.detection.engine.export()?,
            router: mind.detection.router.export()?,
            templates: mind.templates.export()?,
        };
        let checkpoints = &self.parts.checkpoints;
        let pointer = self.parts.runtime.block_on(checkpoints.put(&state))?;
        crate::hold("checkpointed");
        match self.parts.source.commit(&resume, &pointer.to_metadata())? {
            Commit::Done => {
                mind.epoch += 1;
                mind.events = 0;
                mind.sealed = now;
                mind.places.settle();
                self.epochs += 1;
                crate::hold("forgotten");
                self.settle_forgotten(&asked, &pointer)?;
            }
            Commit::Refused => {
                crate::note("the commit was refused: another process leads");
                self.void();
            }
        }
        crate::hold("committed");
        Ok(())
    }
}
