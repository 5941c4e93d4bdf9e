//! One virtual partition: the identities that hash to it, and all of their state.

mod days;
mod delta;
mod learn;
mod probes;
mod restore;
mod touched;

pub(crate) use delta::Read as Delta;

use crate::alarm::{self, Alarm};
use crate::detectors::{self, Reading, View, dormant, not_itself, write_burst};
use crate::engine::Context;
use crate::identity::Identity;
use crate::models::features::{self, FEATURES};
use crate::models::peer_groups;
use crate::open_window::{Call, Crossed, First, NOVEL_MAX, OpenWindow, Secrets};
use crate::population::Contribution;
use crate::rows::Rows;
use crate::snapshot::plain;
use hashbrown::HashTable;
use model::limit::PARTITIONS;
use model::tables::Table;
use model::time::{NS_PER_D, NS_PER_H};
use model::{
    Detector, EndpointId, Endpoints, Event, EventBatch, Finding, PrincipalTrust, PrincipalType,
    Text, Time,
};
use serde::{Deserialize, Serialize};
use touched::Touched;

/// Windows that are recycled rather than freed.
const SPARE_MAX: usize = 2_048;
/// Feature vectors that one partition keeps for the joint model.
const VECTORS_MAX: usize = 256;
/// A signal below this surprise is not worth a row, unless its detector ranks all windows.
const SIGNAL_SURPRISE_MIN: f64 = 2.0;
/// Bytes that an open window takes, about: its lists are small for nearly all.
const OPEN_BYTES: usize = size_of::<OpenWindow>() + 512;

/// What a partition is told, in the order of event time.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A call of one of its identities.
    Call(&'a EventBatch, &'a Event),
    /// Somebody authenticated from an address whose attempts failed before: the hash of the principal
    /// that those were charged to, and the call.
    SuccessAfterFailure(u64, &'a EventBatch, &'a Event),
}

/// A feature vector with what is needed to draw a fair, repeatable sample.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sampled {
    #[serde(with = "postcard::fixint::le")]
    key: u64,
    pub(crate) slot: u32,
    vector: [f32; FEATURES],
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
    pub(crate) sample: Vec<Sampled>,
    #[serde(with = "plain")]
    pub(crate) windows: Rows,
    #[serde(with = "plain")]
    pub(crate) signals: Rows,
    #[serde(with = "plain")]
    pub(crate) findings: Vec<Finding>,
    pub(crate) state_bytes: usize,
    pub(crate) overflowed_calls: u64,
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
                ..Contribution::default()
            },
            sample: Vec::new(),
            windows: Rows::of(Table::Windows),
            signals: Rows::of(Table::Signals),
            findings: Vec::new(),
            state_bytes: 0,
            overflowed_calls: 0,
            day: i32::MIN,
            readings: Vec::new(),
            touched: Touched::default(),
            active_written: 0,
        }
    }

    /// Takes items in the order of event time, all within the hour that the context names.
    pub(crate) fn process(&mut self, context: &Context<'_>, items: &[Item<'_>]) {
        self.turn_day(context);
        for item in items {
            match item {
                Item::Call(batch, event) => self.call(context, batch, event),
                Item::SuccessAfterFailure(source, batch, event) => {
                    self.success_after_failure(context, *source, (batch, event));
                }
            }
        }
    }

    fn call(&mut self, context: &Context<'_>, batch: &EventBatch, event: &Event) {
        let slot = self.slot_of(context, batch, event);
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        self.touched.add(slot);
        let mut open = if let Some(open) = identity.open.take() {
            open
        } else {
            self.active.push(slot);
            begin(context, identity, self.spare.pop())
        };
        let endpoint = context.endpoints.resolve(event.endpoint_id);
        let now = event.time.max(open.last).max(open.start);
        identity.calls += 1;
        identity.last_seen = identity.last_seen.max(now);
        let mut crossed = open.add(event, endpoint, now);
        let is_change = add_texts(&mut open, batch, event, now, &mut crossed);
        open.add_use(batch, event, endpoint, now, &mut crossed);
        let looked = || not_itself::of_call(context.population, identity, endpoint);
        let first = open.add_endpoint(event, endpoint, is_change, looked);
        if first.call || first.accepted {
            let call = Call::of(batch, event, endpoint, now);
            novelty(identity, &mut open, (first, call), &mut crossed);
        }
        let is_secret = Secrets::is_read(context, batch, event, endpoint);
        if is_secret {
            let (event, at) = ((batch, event), (endpoint, now));
            Secrets::add((context, identity), &mut open, event, at, &mut crossed);
        }
        probes::add(context, &mut open, (batch, event), (endpoint, now), &mut crossed);
        if open.calls >= open.itself_tripwire {
            crossed.add(Detector::NotItself);
        }
        if open.waking.asks(open.calls, first, || context.classes.of(endpoint)) {
            crossed.add(Detector::Dormant);
        }
        note_endpoint(&mut self.contribution, event, endpoint, now);
        if let Some(daily) = &mut identity.daily {
            daily.add(batch, event, endpoint, now);
        }
        if !open.raised.is_empty() {
            alarm::add_evidence(&mut open, (batch, event), endpoint, is_secret);
        }
        if !crossed.is_empty() {
            let alarm = Alarm { batch, event, endpoint, now };
            alarm::sound(context, identity, &mut open, crossed, Some(&alarm), &mut self.findings);
        }
        identity.open = Some(open);
    }

    fn slot_of(&mut self, context: &Context<'_>, batch: &EventBatch, event: &Event) -> u32 {
        let name = batch.text(event, Text::PrincipalId).unwrap_or("anonymous");
        let hash = event.principal_hash;
        if let Some(slot) = self.find(hash, name) {
            return slot;
        }
        let open_bytes = self.active.len() * OPEN_BYTES;
        let bytes_max = context.plan.state_bytes_max as usize / PARTITIONS;
        if self.state_bytes + open_bytes >= bytes_max {
            self.overflowed_calls += 1;
            // Named by its partition: two partitions must not say the same of different callers.
            let name = format!("{{overflow-{:02}}}", event.partition());
            return self.find(0, &name).unwrap_or_else(|| self.add(0, &name, event));
        }
        let slot = self.add(hash, name, event);
        let tenant = batch.text(event, Text::TenantId).filter(|tenant| *tenant != "default");
        if let Some(identity) = self.identities.get_mut(slot as usize) {
            identity.tenant = tenant.map(Into::into);
            let label = batch.text(event, Text::PrincipalName).filter(|label| *label != name);
            identity.label = label.map(Into::into);
        }
        slot
    }

    fn find(&self, hash: u64, name: &str) -> Option<u32> {
        let same = |slot: &u32| {
            self.identities
                .get(*slot as usize)
                .is_some_and(|identity| identity.hash == hash && &*identity.name == name)
        };
        self.index.find(hash, same).copied()
    }

    fn add(&mut self, hash: u64, name: &str, event: &Event) -> u32 {
        let slot = self.identities.len() as u32;
        let mut identity = Identity::new(name, hash, event.principal_type, event.time);
        identity.source = event.principal_source;
        self.state_bytes += identity.state_bytes();
        self.identities.push(identity);
        let identities = &self.identities;
        self.index.insert_unique(hash, slot, |slot| {
            identities.get(*slot as usize).map_or(0, |identity| identity.hash)
        });
        slot
    }

    fn success_after_failure(
        &mut self,
        context: &Context<'_>,
        source: u64,
        (batch, event): (&EventBatch, &Event),
    ) {
        let same = |slot: &u32| {
            self.identities.get(*slot as usize).is_some_and(|identity| identity.hash == source)
        };
        // Of two identities with one hash, the first: the index has no order of its own.
        let Some(slot) = self.index.iter_hash(source).copied().filter(same).min() else { return };
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        let Some(mut open) = identity.open.take() else { return };
        self.touched.add(slot);
        if open.failures > 0 {
            let name = batch.text(event, Text::PrincipalName);
            let name = name.or(batch.text(event, Text::PrincipalId)).unwrap_or_default();
            open.add_success(event.principal_hash, name);
            open.notes += 1;
            open.last = open.last.max(event.time);
            alarm::add_success(&mut open, batch, event);
            // Whoever alternates failures and successes gets a revision now and then, not at each.
            if open.notes.is_power_of_two() {
                let mut crossed = Crossed::default();
                crossed.add(Detector::AuthFailures);
                alarm::sound(context, identity, &mut open, crossed, None, &mut self.findings);
            }
        }
        identity.open = Some(open);
    }

    /// Closes the hour: scores every open window against the baseline as it was, then learns.
    pub(crate) fn close(&mut self, context: &Context<'_>) {
        let active = std::mem::take(&mut self.active);
        for slot in &active {
            self.close_one(context, *slot);
        }
        self.active = active;
        self.active.clear();
        self.touched.close();
        if self.sample.len() > VECTORS_MAX {
            self.sample.sort_unstable_by_key(|sampled| sampled.key);
            self.sample.truncate(VECTORS_MAX);
        }
    }

    fn close_one(&mut self, context: &Context<'_>, slot: u32) {
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        let Some(mut open) = identity.open.take() else { return };
        self.touched.add(slot);
        open.close_speeds();
        let before = identity.state_bytes();
        let mut readings = std::mem::take(&mut self.readings);
        readings.clear();
        let view = context.view(identity, &open);
        for detector in Detector::ALL {
            let from = readings.len();
            detectors::read(*detector, &view, &mut readings);
            if detectors::could_read(*detector, &view)
                && let Some(judged) = self.contribution.judged.get_mut(*detector as usize)
            {
                *judged += 1;
            }
            // Only windows that had anything to read count as ordinary traffic of this detector.
            let of_this = readings.iter().skip(from).map(|reading| reading.surprise as f32);
            if let Some(oddest) = of_this.reduce(f32::max)
                && let Some(surprises) = self.contribution.surprises.get_mut(*detector as usize)
            {
                // An attack must not become what is ordinary: what raised counts as just at the cut.
                let is_raised = open.raised.iter().any(|it| it.detector == *detector);
                let cut =
                    is_raised.then(|| context.calibration.surprise_at(*detector, context.cut));
                surprises.push(cut.map_or(oddest, |cut| oddest.min(cut as f32)).max(0.0));
            }
        }
        let joint = readings.iter().find(|reading| reading.detector == Detector::JointOutlier);
        open.joint_surprise = joint.map_or(0.0, |reading| reading.surprise as f32);
        self.contribution.windows += 1;
        alarm::settle(context, identity, &mut open, &readings, &mut self.findings);
        for reading in &readings {
            let ranks_all =
                matches!(reading.detector, Detector::NotItself | Detector::JointOutlier);
            // Injection ranks five minutes at a time, below.
            let is_hourly = reading.detector != Detector::Injection;
            if is_hourly && (ranks_all || reading.surprise >= SIGNAL_SURPRISE_MIN) {
                let score = context.calibration.score(reading.detector, reading.surprise);
                let entity = detectors::entity(reading, &open, context.endpoints);
                self.signals.push_signal(identity, entity, reading, score);
            }
        }
        probes::rank(context, (identity, &open), &mut readings, &mut self.signals);
        self.readings = readings;
        days::note(context, identity, &open, &mut self.findings);
        self.windows.push_window(identity, &open);
        if open.raised.is_empty() {
            self.sample.push(Sampled {
                key: sample_key(identity.hash, open.start),
                slot,
                vector: features::of(&open),
            });
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
    let day = (context.hour.ns() / NS_PER_D) as i32;
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
    open: &mut OpenWindow,
    batch: &EventBatch,
    event: &Event,
    now: Time,
    crossed: &mut Crossed,
) -> bool {
    let mut is_change = false;
    let hash = |column| batch.text(event, column).map(text_hash);
    open.add_source(hash(Text::ClientNet), hash(Text::UserAgentOriginal));
    if let Some(method) = batch.text(event, Text::HttpRequestMethod) {
        open.writes += u32::from(matches!(method, "POST" | "PUT" | "PATCH" | "DELETE"));
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
    open.novel_seen += u32::from(first.call && identity.profile.calls(call.endpoint) <= 0.0);
    if first.accepted && !identity.profile.was_accepted(call.endpoint) {
        open.novel_accepted += 1;
        if open.novel.len() < NOVEL_MAX {
            open.novel.push(call);
            crossed.add(Detector::FirstSeenEndpoint);
        }
    }
}

fn note_endpoint(contribution: &mut Contribution, event: &Event, endpoint: EndpointId, now: Time) {
    contribution.calls += 1;
    let named = !matches!(event.principal_type, PrincipalType::Ip | PrincipalType::Anonymous);
    if let Some(habit) = contribution.endpoint_mut(endpoint) {
        if habit.calls == 0 {
            habit.first_seen = now;
        }
        habit.last_seen = habit.last_seen.max(now);
        habit.calls += 1;
        habit.authenticated += u64::from(named);
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

fn sample_key(hash: u64, start: Time) -> u64 {
    let hour = start.ns() / NS_PER_H;
    // SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): fair, whatever the inputs.
    let mut key = hash ^ (hour as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
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
    }
}
