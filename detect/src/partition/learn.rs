//! Learning: what a closed window adds to an identity, its peers and everyone.

use super::probes;
use crate::alarm;
use crate::detectors::{dormant, egress_spike, not_itself};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::{Contribution, Group, Measure};
use model::time::NS_PER_H;

/// Learns a closed window: nothing from one that raised a finding, little from one that looks like
/// somebody else's.
pub(super) fn learn(
    context: &Context<'_>,
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
) {
    const WEIGHT_MIN: f64 = 1e-3;
    let weight = not_itself::gate(identity, open);
    let hour = (open.start.ns() / NS_PER_H) as i32;
    let raised = open.raised.iter().map(alarm::recurring);
    let is_learned = identity.recurrence.note(raised, hour) && weight >= WEIGHT_MIN;
    dormant::learn(contribution, identity, open, is_learned);
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
    let group = identity.group;
    if open.loops.is_some() && !identity.is_agent() {
        contribution.everyone.agents += 1;
        if let Some(group) = contribution.group_mut(group) {
            group.agents += 1;
        }
    }
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
    identity.joint_most = identity.joint_most.max(open.joint_surprise);
    learn_counts(contribution, identity, open, weight);
    if open.sized > 0 {
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
    learn_objects(context, contribution, (identity, open), weight);
}

fn learn_objects(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    weight: f64,
) {
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
    let speeds = [Measure::CallsPer10S, Measure::CallsPerMin, Measure::CallsPer10Min];
    for (measure, speed) in speeds.into_iter().zip(&open.speeds) {
        add(measure, &speed.closed, speed.peak);
    }
    let hours = [
        (Measure::DeniedPerHour, open.denied.len() as u32),
        (Measure::FailuresPerHour, open.failures),
        (Measure::ChangedPerHour, open.changes.objects.len() as u32),
        (Measure::SecretsPerHour, open.secrets.as_ref().map_or(0, |it| it.resources.len() as u32)),
    ];
    if let Some(loops) = &open.loops {
        add(Measure::RepeatsPerSession, &loops.shares(), loops.most());
    }
    for (measure, count) in hours {
        let mut one = crate::statistics::Moments::default();
        one.add(f64::from(count), 1.0);
        add(measure, &one, count);
    }
}
