//! One virtual partition: the identities that hash to it, and all of their state.

mod acting;
mod admission;
mod ahead;
mod close;
mod days;
mod delta;
mod failures;
mod judged;
mod learn;
mod leaving;
mod probes;
mod restore;
mod sample;
mod sources;
mod spans;
mod tools;
mod touched;

pub(crate) use close::is_signal;
pub(crate) use delta::Read as Delta;

use crate::alarm::{self, Alarm};
use crate::delegation;
use crate::detectors::{self, Reading, View, dormant, foreign_object, not_itself, write_burst};
use crate::engine::Context;
use crate::identity::Identity;
use crate::models::features::{self, FEATURES};
use crate::models::peer_groups;
use crate::open_window::{Call, Crossed, First, Flows, NOVEL_MAX, OpenWindow, Secrets};
use crate::population::Contribution;
use crate::rows::Rows;
use crate::snapshot::plain;
use crate::watch::Notes;
use admission::Admission;
use hashbrown::HashTable;
use leaving::Leaving;
use model::tables::Table;
use model::{
    Detector, EndpointId, Endpoints, Event, EventBatch, Finding, PrincipalTrust, Text, Time,
};
use sample::Sample;
use serde::{Deserialize, Serialize};
use touched::Touched;

/// Windows that are recycled rather than freed.
const SPARE_MAX: usize = 2_048;
/// A signal below this surprise is not worth a row, unless its detector ranks all windows.
pub(crate) const SIGNAL_SURPRISE_MIN: f64 = 2.0;
/// The share of peers that use an endpoint from which on it is nothing to begin with it too.
const COMMON: f64 = 0.05;
/// Bytes that an open window takes, about: its lists are small for nearly all, and when it is closed there is
/// a row of `windows` in its place before its memory is given back.
const OPEN_BYTES: usize = size_of::<OpenWindow>() + 704 + 768;

/// What a partition is told, in the order of event time.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A call of one of its identities.
    Call(&'a EventBatch, &'a Event),
    /// Somebody authenticated from an address whose attempts failed before: the hash of the principal
    /// that those were charged to, and the call.
    SuccessAfterFailure(u64, &'a EventBatch, &'a Event),
    /// Nobody watches any longer whether success follows the failures of one of its identities: its hash.
    Unwatched(u64),
    /// One of its identities acted on behalf of the call's principal: its hash, and the call.
    Acted(u64, &'a EventBatch, &'a Event),
}

/// The identities of one partition.
#[derive(Debug, Deserialize, Serialize)]
pub struct Partition {
    #[serde(skip)]
    pub(crate) index: HashTable<u32>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) active: Vec<u32>,
    #[serde(skip)]
    #[expect(clippy::vec_box, reason = "the boxes move on to identities as they are")]
    spare: Vec<Box<OpenWindow>>,
    pub(crate) contribution: Contribution,
    /// For what is watched beside identities, since the last minute's end.
    pub(crate) notes: Notes,
    pub(crate) sample: Sample,
    #[serde(with = "plain")]
    pub(crate) windows: Rows,
    #[serde(with = "plain")]
    pub(crate) signals: Rows,
    /// Rows of the hour that is being closed; empty before and after.
    #[serde(skip)]
    leaving: Leaving,
    #[serde(with = "plain")]
    pub(crate) findings: Vec<Finding>,
    pub(crate) state_bytes: usize,
    /// Who has a place, and what is counted of those that have none.
    pub(crate) admission: Admission,
    /// The UTC day that is open.
    day: i32,
    #[serde(skip)]
    readings: Vec<Reading>,
    /// What changed since the last export, and how many active identities that one had.
    #[serde(skip)]
    touched: Touched,
    #[serde(skip)]
    active_written: usize,
}

impl Partition {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            identities: Vec::new(),
            active: Vec::new(),
            spare: Vec::new(),
            contribution: Contribution {
                surprises: vec![Vec::new(); Detector::ALL.len()],
                said: vec![Vec::new(); Detector::ALL.len()],
                ..Contribution::default()
            },
            notes: Notes::default(),
            sample: Sample::default(),
            windows: Rows::of(Table::Windows),
            signals: Rows::of(Table::Signals),
            leaving: Leaving::default(),
            findings: Vec::new(),
            state_bytes: 0,
            admission: Admission::default(),
            day: i32::MIN,
            readings: Vec::new(),
            touched: Touched::default(),
            active_written: 0,
        }
    }

    /// Takes items in the order of event time, all within the hour that the context names.
    pub(crate) fn process(&mut self, context: &Context<'_>, items: &[Item<'_>]) {
        self.turn_day(context);
        for together in items.chunks(ahead::TOGETHER) {
            self.ask_for(together);
            for item in together {
                self.take(context, item);
            }
        }
    }

    fn take(&mut self, context: &Context<'_>, item: &Item<'_>) {
        match item {
            Item::Call(batch, event) => self.call(context, batch, event),
            Item::SuccessAfterFailure(source, batch, event) => {
                self.success_after_failure(context, *source, (batch, event));
            }
            Item::Unwatched(source) => self.unwatched(*source),
            Item::Acted(actor, batch, event) => self.acted(context, *actor, (batch, event)),
        }
    }

    fn call(&mut self, context: &Context<'_>, batch: &EventBatch, event: &Event) {
        let slot = self.slot_of(context, batch, event);
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        self.touched.add(slot);
        let mut open = take_open(context, (identity, slot), &mut self.active, || self.spare.pop());
        let endpoint = context.endpoints.resolve(event.endpoint_id);
        let now = event.time.max(open.last).max(open.start);
        identity.calls += 1;
        identity.last_seen = identity.last_seen.max(now);
        let mut crossed = open.add(event, endpoint, now);
        let at = (endpoint, now);
        let is_change = add_texts(identity, &mut open, (batch, event), at, &mut crossed);
        open.add_use(batch, event, endpoint, now, &mut crossed);
        open.add_step(context.population, (batch, event), endpoint, now, &mut crossed);
        let is_own = delegation::actor_of(batch, event).is_none();
        open.is_served |= !is_own;
        // A tool is of whoever acts, who may be of another partition.
        if is_own && event.has_text(Text::ToolName) {
            tools::add(identity, &mut open, (batch, event), at, &mut crossed);
        }
        let looked = || not_itself::first_look(context.population, identity, (endpoint, now));
        let first = open.add_endpoint(event, endpoint, (is_change, is_own), looked);
        if first.call || first.accepted {
            let call = Call::of(batch, event, endpoint, now);
            novelty(context, identity, &mut open, (first, call), &mut crossed);
        }
        let is_secret = Secrets::is_read(context, batch, event, endpoint);
        if is_secret {
            let (event, at) = ((batch, event), (endpoint, now));
            Secrets::add((context, identity), &mut open, event, at, &mut crossed);
        }
        probes::add(context, &mut open, (batch, event), (endpoint, now), &mut crossed);
        let owners = &context.population.owners;
        foreign_object::see(owners, identity, &mut open, (batch, event), endpoint);
        let marks = (context.classes.of(endpoint), is_secret);
        Flows::see(identity, &mut open, (batch, event), (endpoint, now), marks, &mut crossed);
        if open.calls >= open.itself_tripwire {
            crossed.add(Detector::NotItself);
        }
        if open.waking.asks(open.calls, first, || context.classes.of(endpoint)) {
            crossed.add(Detector::Dormant);
        }
        let is_opening = !event.principal_type.is_named()
            && matches!(event.status(), Some(200..=299))
            && context.population.is_guarded(endpoint);
        note_endpoint(&mut self.contribution, (event, endpoint), now, is_opening);
        self.notes.see(is_opening, (batch, event), endpoint, &mut open);
        self.notes.stock.take((context.population, context.logged_h), (batch, event), endpoint);
        self.notes.paths.see(batch, event);
        if first.sized && event.injection_classes.is_empty() {
            self.notes.size((batch, event), endpoint, context.population.sizes(endpoint));
        }
        if let Some(daily) = &mut identity.daily {
            daily.add(batch, event, endpoint, now);
        }
        if !open.raised.is_empty() {
            alarm::add_evidence(&mut open, (batch, event), endpoint, is_secret);
        }
        // What many do together is no deviation of one.
        if !crossed.is_empty() && !identity.is_overflow() {
            let alarm = Alarm { batch, event, endpoint, now };
            alarm::sound(context, identity, &mut open, crossed, Some(&alarm), &mut self.findings);
        }
        identity.open = Some(open);
    }

    fn slot_of(&mut self, context: &Context<'_>, batch: &EventBatch, event: &Event) -> u32 {
        let name = batch.text(event, Text::PrincipalId).unwrap_or("anonymous");
        let hash = event.principal_hash;
        let who = (name, event.principal_type, event.principal_source);
        if let Some(slot) = self.find(hash, name) {
            return self.keep(context, (slot, who), (batch, event));
        }
        let slot = self.admit(context, hash, who, (batch, event));
        if let Some(identity) = self.identities.get_mut(slot as usize)
            && !identity.is_overflow()
        {
            let label = batch.text(event, Text::PrincipalName).filter(|label| *label != name);
            identity.label = label.map(Into::into);
        }
        slot
    }

    /// Closes the hour: scores every open window against the baseline as it was, then learns.
    pub(crate) fn close(&mut self, context: &Context<'_>) {
        let active = std::mem::take(&mut self.active);
        self.admission.note_open(active.len());
        // What the last minute noted was not taken in yet.
        let is_flooded = context.is_flooded || self.notes.firsts.beyond > 0;
        let context = &Context { is_flooded, ..*context };
        for together in active.chunks(ahead::TOGETHER) {
            self.ask_for_closing(together);
            for slot in together {
                self.close_one(context, *slot);
            }
        }
        self.active = active;
        self.active.clear();
        self.touched.close();
    }

    fn close_one(&mut self, context: &Context<'_>, slot: u32) {
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        let Some(mut open) = identity.open.take() else { return };
        self.touched.add(slot);
        open.close_speeds();
        let before = identity.state_bytes();
        let mut readings = std::mem::take(&mut self.readings);
        readings.clear();
        open.foreign = foreign_object::count(&context.view(identity, &open));
        let view = context.view(identity, &open);
        // It may only have acted for others: nothing of its own is judged or learned then.
        let is_idle = open.calls == 0;
        let is_many = identity.is_overflow();
        let asked = |detector: &&Detector| {
            // What comes together may be of those two.
            let is_of_others = matches!(
                detector,
                Detector::Delegation | Detector::ToolDrift | Detector::Coincidence
            );
            !is_many && (!is_idle || is_of_others)
        };
        // A flood is no measure of what is ordinary: it must raise nobody's cut.
        let is_measure = !learn::is_of_flood(context, identity);
        for detector in Detector::ALL.iter().filter(asked) {
            detectors::read(*detector, &view, &mut readings);
            if is_measure
                && detectors::could_read(*detector, &view)
                && let Some(judged) = self.contribution.judged.get_mut(*detector as usize)
            {
                *judged += 1;
            }
        }
        let joint = readings.iter().find(|reading| reading.detector == Detector::JointOutlier);
        open.joint_surprise = joint.map_or(0.0, |reading| reading.surprise as f32);
        self.contribution.windows += 1;
        close::settle(context, identity, &mut open, &mut readings, &mut self.findings);
        // After it, so that what only the whole hour shows counts as raised too.
        if is_measure {
            judged::take(context, &mut self.contribution, (identity, &open), &readings);
        }
        for reading in &readings {
            // A finding's query looks for what was observed here.
            let is_said = open.raised.iter().any(|it| alarm::is_of(it, reading));
            if is_signal(reading, is_said) {
                let score = context.calibration.score(reading.detector, reading.surprise);
                let entity = detectors::entity(&context.view(identity, &open), reading);
                self.signals.push_signal(identity, entity, reading, score);
            }
        }
        spans::rank(context, (identity, &open), &mut readings, &mut self.signals);
        self.readings = readings;
        if !is_idle && !is_many {
            days::note(context, identity, &mut open, &mut self.findings);
        }
        self.windows.push_window(identity, &open);
        self.leaving.cut(&mut self.windows, &mut self.signals);
        if open.raised.is_empty() && !is_idle && !is_many {
            self.sample.offer((slot, identity.hash, open.start), || features::of(&open));
        }
        learn::learn(context, &mut self.contribution, identity, &open);
        self.state_bytes = (self.state_bytes + identity.state_bytes()).saturating_sub(before);
        if self.spare.len() < SPARE_MAX {
            self.spare.push(open.recycle());
        }
    }

    /// Follows the folds of the learned templates, so that profiles of now can be compared.
    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        for identity in &mut self.identities {
            identity.follow(endpoints);
        }
        self.touched.add_all(self.identities.len());
    }

    /// Takes out the findings that were raised since the last time.
    pub(crate) fn drain_findings(&mut self) -> Vec<Finding> {
        if !self.findings.is_empty() {
            self.touched.note();
        }
        std::mem::take(&mut self.findings)
    }

    /// Takes out what was noted since the last time.
    pub(crate) fn take_notes(&mut self) -> Notes {
        if !self.notes.is_empty() {
            self.touched.note();
        }
        if self.notes.firsts.beyond > 0 {
            self.notes.firsts.spill = self.admission.spill();
        }
        std::mem::take(&mut self.notes)
    }

    /// Notes that an order changed identities.
    pub(crate) fn note_order(&mut self) {
        self.touched.add_all(self.identities.len());
    }

    /// Notes that the exchange takes away what an hour brought.
    pub(crate) const fn note_exchange(&mut self) {
        self.touched.close();
    }

    /// Profile vectors of identities with enough history, with their hashes.
    pub(crate) fn profile_vectors(&self) -> Vec<(u64, [f64; peer_groups::DIMENSIONS])> {
        let each = self.identities.iter();
        each.filter_map(|it| Some((it.hash, peer_groups::vector(it)?))).collect()
    }

    /// Puts every identity into its group of `groups`, and its history behind that group.
    pub(crate) fn regroup(&mut self, groups: Option<&peer_groups::PeerGroups>) {
        for identity in &mut self.identities {
            identity.group = groups.and_then(|groups| {
                peer_groups::vector(identity).map(|vector| groups.nearest(&vector))
            });
            self.contribution.enrol(identity);
        }
        self.touched.add_all(self.identities.len());
    }

    /// The sampled feature vectors, with the groups that their identities are in now.
    pub(crate) fn feature_vectors(&self) -> impl Iterator<Item = (Option<u8>, &[f32; FEATURES])> {
        self.sample.iter().map(|sampled| {
            let group = self.identities.get(sampled.slot as usize).and_then(|it| it.group);
            (group, &sampled.vector)
        })
    }

    /// How many windows are open.
    pub(crate) fn open_windows(&self) -> usize {
        self.active.len()
    }
}

/// Takes out the open hour of the identity at a slot, and begins it if it has none.
fn take_open(
    context: &Context<'_>,
    (identity, slot): (&mut Identity, u32),
    active: &mut Vec<u32>,
    spare: impl FnOnce() -> Option<Box<OpenWindow>>,
) -> Box<OpenWindow> {
    identity.open.take().unwrap_or_else(|| {
        active.push(slot);
        begin(context, identity, spare())
    })
}

fn begin(
    context: &Context<'_>,
    identity: &mut Identity,
    spare: Option<Box<OpenWindow>>,
) -> Box<OpenWindow> {
    let mut open = spare.unwrap_or_else(|| Box::new(OpenWindow::new()));
    open.start = context.hour;
    dormant::begin(context, identity, &mut open);
    identity.age(context.hour);
    identity.follow(context.endpoints);
    identity.hours += 1;
    let day = context.hour.day_number();
    if identity.last_day != day {
        identity.last_day = day;
        identity.days = identity.days.saturating_add(1);
    }
    if let Some(daily) = &mut identity.daily {
        daily.begin(day);
    }
    let empty = OpenWindow::new();
    detectors::set_tripwires(&context.view(identity, &empty), &mut open);
    open
}

/// Adds what texts say of a call; whether it changed an object.
fn add_texts(
    identity: &Identity,
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    (endpoint, now): (EndpointId, Time),
    crossed: &mut Crossed,
) -> bool {
    let mut is_change = false;
    let hash = |column| batch.text(event, column).map(text_hash);
    let network = hash(Text::ClientNet);
    let source = (network, open.add_source(network, hash(Text::UserAgentOriginal)));
    sources::add(identity, open, (batch, event), (endpoint, now), source, crossed);
    if let Some(method) = batch.text(event, Text::HttpRequestMethod) {
        if matches!(method, "POST" | "PUT" | "PATCH" | "DELETE") {
            open.writes += 1;
            open.paces.add_write(open.start, now);
        }
        if write_burst::is_change(method) {
            let path = hash(Text::UrlPath).unwrap_or(0);
            is_change = open.changes.add(event, (method, path), now, crossed);
        }
    }
    if event.principal_trust == PrincipalTrust::Claimed
        && let Some(name) = batch.text(event, Text::PrincipalClaimed)
    {
        open.add_claimed(text_hash(name), name);
    }
    is_change
}

fn novelty(
    context: &Context<'_>,
    identity: &Identity,
    open: &mut OpenWindow,
    (first, call): (First, Call),
    crossed: &mut Crossed,
) {
    if first.call {
        open.add_sample(call);
    }
    if identity.learned == 0 {
        return;
    }
    if first.call && identity.profile.calls(call.endpoint) <= 0.0 {
        open.novel_seen += 1;
        let population = context.population;
        // A refused one may be somebody's guess.
        let is_offered = first.accepted && population.is_new(call.endpoint, call.at);
        let is_common = population.usage(identity, call.endpoint) >= COMMON;
        open.novel_alone += u32::from(!is_offered && !is_common);
    }
    if first.accepted && !identity.profile.was_accepted(call.endpoint) {
        open.novel_accepted += 1;
        if open.novel.len() < NOVEL_MAX {
            open.novel.push(Call { is_late: !first.call, ..call });
            crossed.add(Detector::FirstSeenEndpoint);
        }
    }
}

fn note_endpoint(
    contribution: &mut Contribution,
    (event, endpoint): (&Event, EndpointId),
    now: Time,
    is_opening: bool,
) {
    contribution.calls += 1;
    let is_answered = matches!(event.status(), Some(200..=299)) && !is_opening;
    let named = event.principal_type.is_named();
    if let Some(habit) = contribution.endpoint_mut(endpoint) {
        if habit.calls == 0 {
            habit.first_seen = now;
        }
        habit.last_seen = habit.last_seen.max(now);
        habit.calls += 1;
        habit.authenticated += u64::from(named);
        habit.answered += u64::from(is_answered);
        habit.answered_named += u64::from(is_answered && named);
        habit.answers.add(event, habit.calls);
    }
}

pub(crate) fn text_hash(text: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // A fixed seed: the hash reaches counts of distinct values, which must be the same every time.
    let mut hasher = foldhash::fast::FixedState::with_seed(0x68_6162_6974_7573).build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

pub(crate) fn view_of<'a>(
    context: &Context<'a>,
    identity: &'a Identity,
    open: &'a OpenWindow,
) -> View<'a> {
    View {
        plan: context.plan,
        endpoints: context.endpoints,
        population: context.population,
        calibration: context.calibration,
        models: context.models,
        classes: context.classes,
        identity,
        open,
        logged_h: context.logged_h,
    }
}
