//! The service: topics in, findings out, nothing lost and nothing said twice.
//!
//! Records are read, parsed, ordered and judged as a replay does it. Every few seconds an *epoch*
//! ends: what was found is in the store, then the whole state is written as a checkpoint, then the
//! offsets are committed with the checkpoint's name beside them. Whoever reads on reads the
//! checkpoint that the offsets name, so that offsets and state can never disagree, and what is read
//! again gives the same findings under the same ids.

pub(crate) mod breaker;
pub(crate) mod checkpoint;
pub(crate) mod control;
pub(crate) mod dead_letters;
mod done;
mod error;
pub(crate) mod feed;
pub(crate) mod files;
pub(crate) mod forget;
mod health;
mod notice;
pub(crate) mod objects;
mod places;
pub(crate) mod reading;
mod recover;
mod restore;
mod settings;
mod state;
mod upkeep;

pub(crate) use done::Done;
pub(crate) use error::LiveError;
pub(crate) use settings::Settings;
pub(crate) use state::restate;

use crate::detection::Detection;
use crate::keeper::{Delivery, Keeper};
use crate::operation::health::State as Doing;
use crate::operation::metrics::Metric;
use crate::operation::reload::Reload;
use crate::operation::{self, Operation};
use crate::order::{self, Order};
use crate::pipeline::{Passed, Stage};
use crate::workers;
use breaker::Breaker;
use checkpoint::{CheckpointError, Checkpoints, Head};
use control::{Board, Control};
use dead_letters::DeadLetters;
use detect::{Extent, Plan};
use done::Spent;
use feed::Feed;
use forget::Requests;
use hdrhistogram::Histogram;
use health::Told;
use ingest::endpoint::Templates;
use ingest::format::FormatId;
use ingest::parse::{Parsed, Parser};
use ingest::source::kafka::{Commit, Committed, Fetched, Next};
use model::Time;
use model::time::{NS_PER_MIN, NS_PER_S};
use places::Places;
use reading::Read;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use upkeep::Upkeep;

/// Parts of what came for each thread: whoever is done first takes the next.
const PARTS_EACH: usize = 4;
/// How long the source is waited for before anything else is looked after.
const WAIT: Duration = Duration::from_millis(100);
/// A partition that brought nothing for so long is asked whether it has anything; if not, it holds
/// nobody back.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(1);
/// Event time that goes on by more than this at once is history or follows a silence: then silent
/// partitions are looked at again.
const JUMP_NS: i64 = NS_PER_MIN;
/// When nothing at all came for so long, event time goes on with the clock on the wall.
const QUIET_AFTER: Duration = Duration::from_mins(1);
/// An event further ahead of the clock on the wall than this has a wrong time.
pub(crate) const AHEAD_MAX_NS: i64 = 5 * NS_PER_MIN;
/// A file that is read so far ahead of others, in event time, waits for them.
const AHEAD_OF_OTHERS_NS: i64 = NS_PER_MIN;
/// How long the store is waited for between two looks at the source.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// After how long reading is tried again when too much of what came was no event.
pub(crate) const POISON_PAUSE: Duration = Duration::from_mins(1);

/// A finding waits for the end of its epoch no longer than this.
const FINDINGS_WAIT_MAX: Duration = Duration::from_millis(250);
/// Events that were older than this when their finding was stored were history, and no delay.
const LATENCY_MS_MAX: i64 = 10 * 60 * 1_000;
/// How often it is looked whether the topics have grown.
pub(crate) const GROWTH_LOOK_EVERY: Duration = Duration::from_secs(20);

/// What the service is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) settings: Settings,
    pub(crate) format: Option<FormatId>,
    pub(crate) parser: &'a Parser,
    pub(crate) plan: Plan,
    pub(crate) endpoints: ingest::endpoint::Settings,
    pub(crate) source: Feed,
    pub(crate) keeper: Keeper,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) requests: Requests,
    pub(crate) control: Control,
    /// The key of fingerprints.
    pub(crate) key: [u8; 32],
    /// The application, the prefix of its consumer groups, as rows of `pipeline_health` name it.
    pub(crate) app: String,
    /// This process, as they name it.
    pub(crate) worker: String,
    pub(crate) runtime: Handle,
    pub(crate) threads: usize,
    /// Set when the service is to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// What whoever operates the service sees of it.
    pub(crate) operation: Arc<Operation>,
    pub(crate) reload: Reload,
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
    /// What the last checkpoint held.
    written: state::Written,
    /// When it was last looked whether the topics have grown.
    looked: Instant,
}

/// The running service.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    parts: Parts<'a>,
    mind: Option<Mind>,
    passed: Passed,
    epochs: u64,
    breaker: Breaker,
    /// Milliseconds from the time of an event that raised a finding to the store's answer.
    latency: Histogram<u64>,
    spent: Spent,
    /// Events whose time was too far ahead.
    ahead: u64,
    upkeep: Upkeep,
    told: Told,
    /// When it was last asked whether somebody is to be forgotten.
    looked: Option<Instant>,
    /// What is announced, as it was read last.
    board: Board,
    /// What came while what came before was parsed.
    upcoming: Option<Next>,
}

/// A histogram of milliseconds with three digits.
fn latency() -> Histogram<u64> {
    // The digits are in range, which is all that can be wrong.
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are allowed"))
}

/// What is said when most of what came is no event.
pub(crate) fn poisoned(share: f64, of: u64, most: &str) -> String {
    format!(
        "{:.0} % of the last {of} records are no events (mostly {most}), more than run.poison_share_max: nothing is \
         committed, and reading begins again in {} s where it was committed last; name the right \
         run.format, or set the share higher",
        share * 100.0,
        POISON_PAUSE.as_secs(),
    )
}

impl<'a> Live<'a> {
    pub(crate) fn new(parts: Parts<'a>) -> Self {
        let breaker = Breaker::new(parts.settings.poison_share_max);
        Self {
            parts,
            mind: None,
            passed: Passed::default(),
            epochs: 0,
            breaker,
            latency: latency(),
            spent: Spent::default(),
            upcoming: None,
            ahead: 0,
            upkeep: Upkeep::default(),
            told: Told::default(),
            looked: None,
            board: Board::default(),
        }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self, now: fn() -> Instant) -> Result<Done, LiveError> {
        self.parts.operation.health.enter(Doing::StandingBy);
        while !self.parts.stop.load(Ordering::Relaxed) {
            self.look_after(now)?;
            let waited = now();
            let next = match self.upcoming.take() {
                Some(next) => next,
                None => self.parts.source.next(WAIT)?,
            };
            self.spent.read += (now() - waited).as_secs_f64();
            match next {
                Next::Lead(committed) => {
                    crate::note("leading: reading all partitions");
                    self.take_lead(&committed, now)?;
                }
                Next::Lost => {
                    crate::note(
                        "another process leads, or the brokers did not answer for too long: standing by",
                    );
                    self.void();
                }
                Next::Records(fetched) => {
                    self.round(fetched, now)?;
                    self.follow_growth(now)?;
                }
            }
            if let Some(complaint) = self.parts.source.complaint() {
                self.parts.operation.metrics.add(Metric::Complaints, &[], 1);
                operation::log::warn(&crate::render::plain(&complaint));
            }
        }
        self.parts.operation.health.enter(Doing::Stopping);
        self.seal(now)?;
        self.measure();
        let outlets = self.parts.keeper.close();
        Ok(Done {
            passed: self.passed,
            epochs: self.epochs,
            ahead: self.ahead,
            dead_letters: self.parts.dead_letters.sent(),
            latency: self.latency,
            outlets,
            spent: self.spent,
        })
    }

    /// Takes up where the committed offsets say, or tries again where no broker answers.
    fn take_lead(
        &mut self,
        committed: &[Committed],
        now: fn() -> Instant,
    ) -> Result<(), LiveError> {
        let operation = Arc::clone(&self.parts.operation);
        match operation.health.waiting(|| self.restore(committed, now())) {
            Err(error) if error.is_passing() => {
                operation::log::warn(&format!("waiting: {error}"));
                self.void();
                self.parts.source.ask_again();
                Ok(())
            }
            done => done,
        }
    }

    /// Forgets everything since the last commit.
    fn void(&mut self) {
        self.mind = None;
        self.passed.intake.forget();
        self.breaker.reset();
        self.parts.dead_letters.forget();
        self.parts.keeper.forget();
        self.parts.checkpoints.forget();
        self.board.look_again();
        self.parts.operation.health.enter(Doing::StandingBy);
    }

    /// Takes in what came: parsed, counted and put in order. The records and the rejects.
    fn take_in(&mut self, fetched: Vec<Fetched>, moment: Instant) -> Result<(u64, u64), LiveError> {
        let Some(mind) = self.mind.as_mut() else { return Ok((0, 0)) };
        if self.parts.source.has_changed() {
            mind.places.follow(self.parts.source.partitions(), moment);
            self.parts.keeper.name_inputs(self.parts.source.names());
        }
        let latest = (self.parts.wall)().plus(AHEAD_MAX_NS);
        if !fetched.is_empty() {
            mind.heard = moment;
        }
        let (parser, format) = (self.parts.parser, self.parts.format);
        let read = |one: Fetched| reading::read(parser, format, one, latest);
        let (mut records, mut rejects) = (0, 0);
        let (before, was_idle) = (mind.places.latest(), mind.places.is_idle());
        let threads = self.parts.threads;
        let is_busy = !fetched.is_empty();
        // A fetch is mostly of one partition.
        let parts =
            fetched.into_iter().flat_map(|one| one.into_parts(threads * PARTS_EACH)).collect();
        let source = &mut self.parts.source;
        let beside = || if is_busy { source.next_ahead() } else { Ok(None) };
        let (all, upcoming) = workers::run_all_beside(threads, parts, read, beside);
        self.upcoming = upcoming?;
        for Read { fetched: one, mut parsed, ahead, fronts } in all {
            mind.places.skip(&one, &mut parsed);
            mind.places.advance(&one, &parsed, moment);
            mind.places.hear(&one, fronts);
            self.ahead += ahead;
            Upkeep::read(&self.parts.operation.metrics, &one, &parsed);
            records += parsed.records;
            rejects += parsed.rejects.harmful();
            if let Some(partition) = self.parts.source.partitions().get(one.chunk.source as usize) {
                self.parts.dead_letters.add(partition, parsed.rejects.take_samples());
            }
            mind.events += parsed.batch.events.len() as u64;
            let input = one.chunk.source;
            self.passed.add(input, &parsed);
            let Parsed { batch, .. } = parsed;
            let places = order::places(&batch);
            let late = mind.order.late();
            mind.order.push(batch, places);
            self.passed.intake.late(input, mind.order.late() - late);
        }
        let jumped = |latest: Time| before.is_none_or(|it| latest.since(it) > JUMP_NS);
        if mind.places.latest().is_some_and(jumped) {
            // Whoever had nothing may have old events too, which are only on their way.
            for (place, next) in mind.places.idle() {
                if was_idle || !self.parts.source.is_at_end(place, next)? {
                    mind.places.look(place, false, moment);
                }
            }
        }
        Ok((records, rejects))
    }

    /// One round: what came is parsed, ordered and judged, and kept.
    fn round(&mut self, fetched: Vec<Fetched>, now: fn() -> Instant) -> Result<(), LiveError> {
        let moment = now();
        let (records, rejects) = self.take_in(fetched, moment)?;
        self.spent.parse += (now() - moment).as_secs_f64();
        if let Some((share, of)) = self.breaker.see(moment, records, rejects) {
            return self.refuse(share, of, now);
        }
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        for (place, next) in mind.places.silent(moment, SILENT_AFTER) {
            let is_idle = self.parts.source.is_at_end(place, next)?;
            mind.places.look(place, is_idle, now());
        }
        for place in self.parts.source.ended() {
            mind.places.look(place, true, moment);
        }
        self.parts.source.hold_back(&mind.places.ahead(AHEAD_OF_OTHERS_NS));
        let lateness = i64::from(self.parts.settings.lateness_ms) * (NS_PER_S / 1_000);
        let quiet = moment.saturating_duration_since(mind.heard);
        let mut watermark = mind.places.watermark(lateness);
        let is_quiet = quiet >= QUIET_AFTER && mind.places.is_idle();
        if is_quiet {
            // Nothing came: the hour ends by the clock on the wall.
            watermark = watermark.map(|it| it.plus(quiet.as_nanos() as i64 - lateness));
        }
        let judging = now();
        self.upkeep.watermark = watermark;
        if let Some(watermark) = watermark {
            self.judge(watermark, is_quiet)?;
        }
        let storing = now();
        self.spent.judge += (storing - judging).as_secs_f64();
        self.deliver(Delivery::Findings)?;
        let stored = now();
        self.spent.store += (stored - storing).as_secs_f64();
        self.time_findings();
        let Some(mind) = self.mind.as_ref() else { return Ok(()) };
        let epoch = Duration::from_secs(u64::from(self.parts.settings.epoch_seconds));
        let since = moment.saturating_duration_since(mind.sealed);
        let is_due = mind.events >= self.parts.settings.epoch_events
            || self.parts.dead_letters.is_full()
            || since >= epoch
            || (since >= FINDINGS_WAIT_MAX && self.parts.keeper.holds_findings());
        let is_moved = mind.places.is_moved();
        if is_due && (is_moved || self.is_asked(moment, epoch)?) {
            self.seal(now)?;
            self.spent.seal += (now() - stored).as_secs_f64();
        }
        Ok(())
    }

    /// Notes how long it took until findings were stored.
    fn time_findings(&mut self) {
        let wall = (self.parts.wall)();
        for raised in self.parts.keeper.take_stored() {
            let delay_ms = wall.since(raised) / (NS_PER_S / 1_000);
            if (0..=LATENCY_MS_MAX).contains(&delay_ms) {
                self.latency.saturating_record(delay_ms as u64);
            }
        }
    }

    /// Too much of what came is no event: everything since the last commit is given up, and after a
    /// while it is tried once more.
    fn refuse(&mut self, share: f64, of: u64, now: fn() -> Instant) -> Result<(), LiveError> {
        let reasons = self.passed.rejects.iter().map(|(reason, count)| (count, reason.as_str()));
        let most = reasons.max().map_or("", |(_, reason)| reason);
        operation::log::warn(&poisoned(share, of, most));
        self.void();
        self.parts.operation.health.enter(Doing::HeldBack);
        self.parts.source.pause()?;
        let until = now() + POISON_PAUSE;
        while now() < until && !self.parts.stop.load(Ordering::Relaxed) {
            self.parts.operation.health.turn();
            if let Next::Lost = self.parts.source.stay(STORE_PAUSE)? {
                return Ok(());
            }
        }
        if self.parts.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        // The group is asked anew what is committed, as for whoever begins to lead.
        self.parts.source.ask_again();
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
        if is_quiet && mind.detection.close_before(watermark, &mut stage, keeper)? {
            mind.places.touch();
        }
        mind.order.settle(&due);
        Ok(())
    }

    /// Brings what was found to the store, however long that takes.
    fn deliver(&mut self, how: Delivery) -> Result<(), LiveError> {
        self.insist(|parts| match parts.keeper.deliver(how, &parts.stop) {
            Err(error) if error.is_passing() => Ok(Some(error.to_string())),
            result => result.map(|()| None).map_err(LiveError::from),
        })
    }

    /// Brings the dead letters to their topic, however long that takes.
    fn send_dead_letters(&mut self) -> Result<(), LiveError> {
        self.insist(|parts| match parts.dead_letters.send() {
            Err(error) if error.is_passing() => Ok(Some(error.to_string())),
            result => result.map(|()| None).map_err(LiveError::from),
        })
    }

    /// Tries until it is done, or this process is to stop or no longer leads; the source is kept
    /// alive. `attempt` yields what is in its way.
    fn insist(
        &mut self,
        attempt: impl Fn(&mut Parts<'a>) -> Result<Option<String>, LiveError>,
    ) -> Result<(), LiveError> {
        let operation = Arc::clone(&self.parts.operation);
        let mut is_said = false;
        while let Some(obstacle) = operation.health.waiting(|| attempt(&mut self.parts))? {
            operation.health.enter(Doing::WaitingForStore);
            if !is_said {
                operation::log::warn(&format!("waiting: {obstacle}"));
                is_said = true;
            }
            self.measure();
            // What is not delivered is not committed either, and will be judged again.
            let is_stopped = self.parts.stop.load(Ordering::Relaxed);
            // Only a leader that was replaced hears anything while nothing is fetched.
            if is_stopped || matches!(self.parts.source.stay(STORE_PAUSE)?, Next::Lost) {
                self.void();
                return Ok(());
            }
        }
        if is_said {
            operation::log::info("going on", &[]);
        }
        operation.store_answered(is_said);
        Ok(())
    }

    /// Commits, however long it takes until a broker answers: nothing is read meanwhile, so that what
    /// is not committed stays as it is. [`Commit::Away`] if this process is to stop or no longer
    /// leads: then nobody knows whether it was done, and what is read again gives the same rows.
    fn commit(&mut self, resume: &[Option<i64>], metadata: &str) -> Result<Commit, LiveError> {
        let answer = Cell::new(Commit::Away);
        self.insist(|parts| {
            answer.set(parts.source.commit(resume, metadata)?);
            let is_away = answer.get() == Commit::Away;
            Ok(is_away.then(|| "no Kafka broker takes the commit".to_owned()))
        })?;
        self.parts.operation.committed(answer.get());
        Ok(answer.get())
    }

    /// Makes what the epoch found visible in the store, unless another process writes there now.
    fn seal_store(&mut self) -> Result<(), LiveError> {
        let Some(mind) = self.mind.as_ref() else { return Ok(()) };
        let epoch = mind.epoch + 1;
        let is_deposed = Cell::new(false);
        self.insist(|parts| match parts.keeper.seal(epoch) {
            Err(error) if error.is_passing() => Ok(Some(error.to_string())),
            Err(error) if error.is_deposed() => {
                is_deposed.set(true);
                Ok(None)
            }
            done => done.map(|()| None).map_err(LiveError::from),
        })?;
        if is_deposed.get() {
            // It slept while another led; the group says whether it is to lead again.
            crate::note("another process writes the epochs: standing by");
            self.void();
            self.parts.source.ask_again();
        }
        Ok(())
    }

    /// Ends an epoch: everything is in the store, then the checkpoint is, then offsets are committed.
    fn seal(&mut self, now: fn() -> Instant) -> Result<(), LiveError> {
        if self.mind.is_none() {
            return Ok(());
        }
        let began = now();
        self.tell_health(began)?;
        self.deliver(Delivery::Whole)?;
        self.send_dead_letters()?;
        self.seal_store()?;
        if self.mind.is_none() {
            return Ok(());
        }
        crate::hold("stored");
        // What the store has goes out by the other ways, before anything says that it is done.
        self.deliver(Delivery::Whole)?;
        crate::hold("delivered");
        let (orders, asked) = self.heed(began)?;
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        let exporting = now();
        let resume = mind.places.hold(&mind.order);
        if resume.iter().all(Option::is_none) {
            // Nothing was ever read, so that there is no offset to commit a state with.
            return Ok(());
        }
        let checkpoints = &mut self.parts.checkpoints;
        let extent = if checkpoints.is_whole_due() { Extent::Whole } else { Extent::Changes };
        let threads = self.parts.threads;
        let written = &mut mind.written;
        let parts = state::write(&mind.detection, &mind.templates, extent, threads, written)?;
        let head = Head {
            epoch: mind.epoch + 1,
            places: mind.places.export(),
            released: mind.order.released().map(Time::ns),
            identities: mind.detection.engine.tally().identities,
            ..Head::default()
        };
        let operation = Arc::clone(&self.parts.operation);
        let put = || self.parts.runtime.block_on(checkpoints.put(head, &parts));
        let (pointer, bytes) = operation.health.waiting(put)?;
        operation.checkpointed(now().saturating_duration_since(exporting), bytes);
        crate::hold("checkpointed");
        match self.commit(&resume, &pointer.to_metadata())? {
            Commit::Done => {
                let Some(mind) = self.mind.as_mut() else { return Ok(()) };
                let length = began.saturating_duration_since(mind.sealed);
                operation.metrics.observe(Metric::EpochSeconds, length);
                let took = now().saturating_duration_since(began);
                operation.metrics.observe(Metric::SealSeconds, took);
                state::settle(&mut mind.detection, &mut mind.templates);
                mind.epoch += 1;
                mind.events = 0;
                mind.sealed = began;
                mind.places.settle();
                let settled = mind.places.settled(mind.detection.engine.hour());
                self.parts.source.release(&settled);
                self.parts.keeper.tend((self.parts.wall)());
                self.epochs += 1;
                crate::hold("forgotten");
                self.settle_forgotten(&asked, &pointer)?;
                self.settle_orders(&orders)?;
                self.time_findings();
            }
            // It was told to stop, or another process leads.
            Commit::Away => {}
            Commit::Refused => {
                crate::note("the commit was refused: another process leads");
                self.void();
            }
        }
        crate::hold("committed");
        Ok(())
    }
}
