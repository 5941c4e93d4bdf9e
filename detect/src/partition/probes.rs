//! Calls with signs of injection on their way through a partition: counted, learned.

use super::text_hash;
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::{Call, Crossed, OpenWindow};
use crate::population::Contribution;
use model::{EndpointId, Event, EventBatch, Text, Time};

/// Adds a call, if its target has such signs.
pub(super) fn add(
    context: &Context<'_>,
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    (endpoint, now): (EndpointId, Time),
    crossed: &mut Crossed,
) {
    if event.injection_classes.is_empty() {
        return;
    }
    let call = Call::of(batch, event, endpoint, now);
    let network = batch.text(event, Text::ClientNet).map(text_hash);
    let habit = context.population.endpoint(endpoint);
    let ordinary = (open.start, habit.map(|habit| &habit.answers));
    open.probes.get_or_insert_default().add(event, (call, network), ordinary, crossed);
}

/// Learns how many calls of an hour had such signs at an endpoint, which may have been folded since.
pub(super) fn learn(
    contribution: &mut Contribution,
    identity: &mut Identity,
    (open, seen, endpoint): (&OpenWindow, EndpointId, EndpointId),
    weight: f64,
) {
    let probed = open.probes.as_ref().and_then(|probes| probes.at(seen));
    let count = probed.map_or(0, |probed| probed.calls);
    contribution.probes.add(f64::from(count), weight);
    if let Some(habit) = contribution.endpoint_mut(endpoint) {
        habit.probes.add(f64::from(count), weight);
    }
    if count > 0 {
        identity.probing.get_or_insert_default().learn(endpoint, count, weight);
    }
}
