//! Learning: what a closed window adds to an identity, its peers and everyone.

#[cfg(test)]
mod tests;

use super::{acting, probes, sources, tools};
use crate::alarm;
use crate::control;
use crate::detectors::{dormant, egress_spike, foreign_object, newcomer, not_itself, sequence};
use crate::engine::Context;
use crate::identity::{Identity, Operations, Recurring};
use crate::open_window::OpenWindow;
use crate::population::{Access, Contribution, Group, Measure};
use model::Detector;

/// Objects of one endpoint that an identity reads in an hour as their owner, at most.
const OWNED_MAX: usize = 32;
/// Objects read that a partition keeps of an hour.
const ACCESSES_MAX: usize = 65_536;

/// What of an identity is no measure of anything while its days add up to a growth: who grows a little
/// each day must not bring along what a large hour is measured by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Suspect {
    /// How much it takes, in bytes and so in calls.
    of_bytes: bool,
    /// How many objects it reads.
    of_objects: bool,
}

impl Suspect {
    pub(super) fn of(context: &Context<'_>, identity: &Identity) -> Self {
        let Some(daily) = identity.daily.as_ref().filter(|_| !context.plan.learns_all) else {
            return Self::default();
        };
        let Some(drip) = &daily.drip else { return Self::default() };
        let (of_bytes, of_objects) = drip.suspects(daily.day, &context.population.trend);
        Self { of_bytes, of_objects }
    }

    /// Whether a detector's surprises of its hours are none of ordinary traffic.
    pub(super) const fn bars(self, detector: Detector) -> bool {
        match detector {
            Detector::EgressSpike | Detector::MachineSpeed | Detector::JointOutlier => {
                self.of_bytes
            }
            Detector::ObjectEnumeration | Detector::ForeignObject => self.of_objects,
            Detector::Coincidence => self.of_bytes || self.of_objects,
            _ => false,
        }
    }
}

/// Learns a closed window: nothing from one that raised a finding, but for what a log's first day says of
/// itself, and little from one that looks like somebody else's.
pub(super) fn learn(
    context: &Context<'_>,
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
) {
    const WEIGHT_MIN: f64 = 1e-3;
    let learns_all = context.plan.learns_all;
    note_operations(context, identity, open);
    let hour = open.start.hour_number();
    not_itself::note(identity, open);
    let (weight, is_itself) =
        if learns_all { (1.0, true) } else { belief(context, identity, open) };
    let raised = told(open).filter(|it| it.detector != Detector::NotItself);
    // What is quiet while an incident is open may be part of it.
    let is_suspect = open.raised.is_empty()
        && context.incidents.has_open(identity.tenant(), &identity.name, open.start);
    let is_usual = identity.recurrence.note(raised, hour) && is_itself;
    let announced = context.plan.change_windows.iter().chain(context.announced);
    let is_held = control::is_held(announced, (identity, open), context.endpoints);
    let is_held = is_held || is_of_flood(context, identity);
    let is_beginning = newcomer::is_beginning(context, open);
    let is_believed = (is_usual && !is_suspect) || is_beginning;
    let is_learned = learns_all || (is_believed && !is_held && weight >= WEIGHT_MIN);
    let kept = if is_learned { weight } else { 0.0 };
    learn_anyway(context, contribution, (identity, open), kept);
    if open.calls == 0 {
        return;
    }
    if !is_learned {
        identity.withheld += 1;
        identity.withheld_calls += u64::from(open.calls);
        // A first time is the first only once, whatever became of the rest of the hour.
        for seen in &open.endpoints {
            identity.profile.mark(context.endpoints.resolve(seen.endpoint), seen.is_accepted);
        }
        return;
    }
    let first = identity.learned == 0;
    identity.learned += 1;
    if first {
        contribution.everyone.members += 1;
    }
    let (group, was_agent) = (identity.group, identity.is_agent());
    learn_profile(context, contribution, (identity, open), weight);
    identity.joint_most = identity.joint_most.max(open.joint_surprise);
    let suspect = Suspect::of(context, identity);
    if !suspect.of_bytes {
        learn_counts(contribution, identity, open, weight);
    }
    // Not each hour of an agent's says that it is one.
    if identity.is_agent() && !was_agent {
        contribution.everyone.agents += 1;
        if let Some(group) = contribution.group_mut(group) {
            group.agents += 1;
        }
    }
    if open.sized > 0 && !suspect.of_bytes {
        let within = egress_spike::within(identity, open.bytes_out);
        identity.bytes.add(open.bytes_out, weight);
        identity.bytes_most = identity.bytes_most.max(open.bytes_out as f32);
        let learn = |group: &mut Group| {
            group.bytes.add(open.bytes_out, weight);
            if let Some(within) = within {
                group.bytes_within.add(within, weight);
            }
        };
        learn(&mut contribution.everyone);
        contribution.group_mut(group).map(learn);
    }
    if !suspect.of_objects {
        learn_objects(context, contribution, (identity, open), weight);
    }
}

/// What was raised of an hour, as far as habits go: a coincidence is one where each of its parts is.
fn told(open: &OpenWindow) -> impl Iterator<Item = Recurring> {
    open.raised.iter().flat_map(move |raised| alarm::recurring(open, raised))
}

/// Learns which endpoints an hour called.
fn learn_profile(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    weight: f64,
) {
    let group = identity.group;
    for seen in &open.endpoints {
        let endpoint = context.endpoints.resolve(seen.endpoint);
        let calls = f64::from(seen.calls) * weight;
        contribution.add_mix(endpoint, calls);
        probes::learn(contribution, identity, (open, seen.endpoint, endpoint), weight);
        let added = identity.profile.add(endpoint, calls, seen.is_accepted);
        if let Some(dropped) = added.dropped {
            contribution.everyone.add_users(dropped, -1);
            if let Some(group) = contribution.group_mut(group) {
                group.add_users(dropped, -1);
            }
        }
        if added.is_new {
            contribution.everyone.add_users(endpoint, 1);
            if let Some(group) = contribution.group_mut(group) {
                group.add_users(endpoint, 1);
            }
        }
    }
}

/// Notes what an hour had at which endpoint, for the rows that are written once its day is over.
fn note_operations(context: &Context<'_>, identity: &mut Identity, open: &OpenWindow) {
    // Who stands for all that there is no room for has no privileges of its own.
    if open.calls == 0 || identity.is_overflow() {
        return;
    }
    let day = open.start.day_number();
    // Those of a day before are gone by now: its rows leave before an hour of a later day opens.
    if identity.operations.as_ref().is_none_or(|it| it.day != day) {
        identity.operations = Some(Box::new(Operations::of(day)));
    }
    if let Some(operations) = &mut identity.operations {
        // What was raised in silence, since it is a habit, is no finding.
        let has_finding = open.raised.iter().any(|it| !it.is_silent);
        operations.add(open, context.endpoints, has_finding);
    }
}

/// Whether an hour says nothing of what one identity does: it is that of many, or of somebody who came
/// with many others. Peers are not to be those that a flood is made of.
pub(super) fn is_of_flood(context: &Context<'_>, identity: &Identity) -> bool {
    identity.is_overflow() || (context.is_flooded && identity.hours <= 1)
}

/// How much of an hour to believe (0 to 1), and whether it may be learned as far as looking like
/// somebody else goes.
///
/// What makes an hour look foreign is a habit of its own if it comes back night after night with
/// nothing worse beside it: without that, a job that runs once a day would never be learned, and
/// each of its nights be told for ever.
fn belief(context: &Context<'_>, identity: &mut Identity, open: &OpenWindow) -> (f64, bool) {
    const STRANGE: f64 = 0.5;
    let weight = not_itself::gate(identity, open);
    let is_raised = told(open).any(|it| it.detector == Detector::NotItself);
    if weight >= STRANGE && !is_raised {
        return (weight, true);
    }
    let mut others = told(open).filter(|it| it.detector != Detector::NotItself);
    let strangest = not_itself::strangest(context.population, identity, open);
    let Some((endpoint, calls)) = strangest.filter(|_| others.all(Recurring::may_recur)) else {
        return (weight, !is_raised);
    };
    let strange = Recurring {
        detector: Detector::NotItself,
        endpoint: Some(context.endpoints.resolve(endpoint)),
        magnitude: f64::from(calls),
        is_silent: false,
        is_part: false,
    };
    if identity.recurrence.note(std::iter::once(strange), open.start.hour_number()) {
        return (1.0, true);
    }
    (weight, !is_raised)
}

/// What decides for itself what it learns of an hour that is not learned, whose weight is 0.
fn learn_anyway(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    weight: f64,
) {
    let is_learned = weight > 0.0;
    dormant::learn(contribution, identity, open, is_learned);
    if open.calls > 0 {
        learn_foreign(context, &mut *identity, open);
    }
    if let Some(flows) = open.flows.as_ref().filter(|flows| flows.reads > 0) {
        identity.flowing.get_or_insert_default().learn(flows, open.end(), is_learned);
        if is_learned {
            contribution.flowing.learn(flows);
        }
    }
    learn_steps(context, contribution, open, weight);
    sources::learn(context, contribution, (&mut *identity, open), is_learned);
    acting::learn(contribution, identity, open, is_learned);
    acting::note_own(context, contribution, (&*identity, open));
    tools::learn(contribution, identity, open, is_learned);
}

/// Learns an hour's steps; where the whole site has changed, also of one that looks like somebody else's.
fn learn_steps(
    context: &Context<'_>,
    contribution: &mut Contribution,
    open: &OpenWindow,
    weight: f64,
) {
    let (steps, known) = (&open.steps, &context.population.steps);
    if !steps.pairs.is_empty() {
        contribution.steps.judge(open.raised.iter().any(|it| it.detector == Detector::Sequence));
    }
    let is_new_order = known.is_changed() && open.raised.is_empty();
    let weight = if is_new_order { 1.0 } else { weight } as f32;
    if weight <= 0.0 {
        return;
    }
    for pair in &steps.pairs {
        let (from, to) = (context.endpoints.resolve(pair.from), context.endpoints.resolve(pair.to));
        contribution.steps.add(from, to, pair.steps as f32 * weight);
    }
    contribution.steps.add_sessions(steps.sessions as f32 * weight);
    for (endpoint, skips) in steps.skips(context.population) {
        contribution.steps.add_skips(context.endpoints.resolve(endpoint), skips, weight);
    }
}

/// Notes the objects of others that an hour had: of the days, whatever became of the hour.
fn learn_foreign(context: &Context<'_>, identity: &mut Identity, open: &OpenWindow) {
    let day = open.start.day_number();
    if open.foreign > 0 || identity.foreign.is_some() {
        let marks = foreign_object::marks(&context.view(identity, open));
        let foreign = identity.foreign.get_or_insert_default();
        foreign.add(day, open.foreign, &marks);
        let said = open.told_of(Detector::ForeignObject).filter(|it| !it.is_silent);
        for raised in said {
            if raised.detector == Detector::ForeignObject {
                foreign.say(day);
            } else {
                foreign.say_hour(day, open.foreign);
            }
        }
    }
    if identity.foreign.as_ref().is_some_and(|it| it.is_over(day)) {
        identity.foreign = None;
    }
}

fn learn_objects(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    weight: f64,
) {
    let day = open.start.day_number();
    for set in &open.objects {
        let (endpoint, count) = (context.endpoints.resolve(set.endpoint), set.objects.len());
        contribution.objects.add(count as f64, weight);
        if let Some(habit) = contribution.endpoint_mut(endpoint) {
            habit.objects.add(count as f64, weight);
        }
        if let Some(habit) = identity.objects_mut(endpoint) {
            habit.per_hour.add(count as f64, weight);
            habit.most = habit.most.max(count as u32);
        }
        // Who reads so many is no owner: an export or a search engine says nothing of whose they are.
        if count > OWNED_MAX || !identity.kind.is_given() {
            continue;
        }
        let room = ACCESSES_MAX.saturating_sub(contribution.accesses.len());
        contribution.unnoted += count.saturating_sub(room) as u64;
        let each = set.objects.iter().take(room);
        contribution
            .accesses
            .extend(each.map(|object| Access::new(endpoint, object, identity.hash, day)));
    }
}

fn learn_counts(
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
    weight: f64,
) {
    let mut add = |measure: Measure, moments: &crate::statistics::Moments, peak: u32| {
        let index = measure as usize;
        if let (Some(own), Some(most)) =
            (identity.counts.get_mut(index), identity.most.get_mut(index))
        {
            own.merge(moments, weight);
            *most = (*most).max(peak);
        }
        if let Some(sums) = contribution.everyone.counts.get_mut(index) {
            sums.merge(moments, weight);
        }
        if let Some(sums) =
            contribution.group_mut(identity.group).and_then(|group| group.counts.get_mut(index))
        {
            sums.merge(moments, weight);
        }
    };
    let speeds = [Measure::CallsPer10S, Measure::CallsPerMin, Measure::CallsPer5Min];
    for (measure, speed) in speeds.into_iter().zip(&open.speeds) {
        add(measure, &speed.closed, speed.peak);
    }
    let hours = [
        (Measure::ForeignPerHour, open.foreign),
        (Measure::DeniedPerHour, open.denied.len() as u32),
        (Measure::FailuresPerHour, open.failures),
        (Measure::ChangedPerHour, open.changes.objects.len() as u32),
        (Measure::WritesPerHour, open.writes),
        (Measure::SecretsPerHour, open.secrets.as_ref().map_or(0, |it| it.resources.len() as u32)),
    ];
    add(Measure::BitsPerStep, &open.steps.blocks, sequence::kept(open));
    if let Some(loops) = &open.loops {
        add(Measure::RepeatsPerSession, &loops.shares(), loops.most());
    }
    for (measure, count) in hours {
        let mut one = crate::statistics::Moments::default();
        one.add(f64::from(count), 1.0);
        add(measure, &one, count);
    }
}
