//! What a closed hour says of ordinary traffic: its surprises, as the calibration takes them.

use super::learn::Suspect;
use crate::calibration::Shared;
use crate::detectors::newcomer;
use crate::detectors::{Reading, new_network, not_itself};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::Contribution;
use model::Detector;

/// Takes each detector's oddest reading: only windows that had anything to read count.
///
/// What is rare and goes on, for hours or night after night, counts once, and so does what is rare and
/// comes to many in the same hour; what raised counts as just at the cut, because an attack must not become
/// what is ordinary; and who grows a little each day is no measure of how much is large.
pub(super) fn take(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    readings: &[Reading],
) {
    let suspect = Suspect::of(context, identity);
    let mut left = readings;
    while let Some(detector) = left.first().map(|reading| reading.detector) {
        let many = left.iter().take_while(|reading| reading.detector == detector).count();
        let (of_this, rest) = left.split_at(many);
        left = rest;
        let oddest = of_this.iter().map(|reading| reading.surprise as f32).reduce(f32::max);
        let Some(oddest) = oddest.filter(|_| !suspect.bars(detector)) else { continue };
        if !is_occasion(context, identity, open, (detector, oddest)) {
            continue;
        }
        let is_raised = open.raised.iter().any(|it| it.detector == detector);
        let cut =
            is_raised.then(|| context.calibration.surprise_at(detector, context.cut_of(detector)));
        let surprise = cut.map_or(oddest, |cut| oddest.min(cut as f32)).max(0.0);
        let is_said = open.raised.iter().any(|it| it.detector == detector && !it.is_silent);
        if let Some(key) = shared_key(context, (identity, open), of_this, (detector, oddest)) {
            let said = if is_said { oddest } else { 0.0 };
            contribution.shared.push(Shared { detector, key, surprise, said });
            continue;
        }
        if let Some(surprises) = contribution.surprises.get_mut(detector as usize) {
            surprises.push(surprise);
        }
        if let Some(said) = contribution.said.get_mut(detector as usize).filter(|_| is_said) {
            said.push(oddest);
        }
    }
}

/// What a rare reading may be shared by: the network or the endpoint that is new, or odd of it.
fn shared_key(
    context: &Context<'_>,
    (identity, open): (&Identity, &OpenWindow),
    of_this: &[Reading],
    (detector, oddest): (Detector, f32),
) -> Option<u32> {
    if !context.calibration.is_rare(detector, oddest) {
        return None;
    }
    match detector {
        Detector::NewNetwork => new_network::network(&context.view(identity, open)),
        Detector::FirstSeenEndpoint => {
            let most = of_this.iter().max_by(|a, b| a.surprise.total_cmp(&b.surprise));
            most.and_then(|it| it.entity).map(|it| it.0)
        }
        // A job that many are given at once makes all of them look like somebody else.
        Detector::NotItself => {
            let strangest = not_itself::strangest(context.population, identity, open);
            strangest.map(|(endpoint, _)| endpoint.0)
        }
        _ => None,
    }
}

/// Whether a reading is not one more of an occasion that counted already.
fn is_occasion(
    context: &Context<'_>,
    identity: &mut Identity,
    open: &OpenWindow,
    (detector, surprise): (Detector, f32),
) -> bool {
    if !context.calibration.is_rare(detector, surprise) {
        return true;
    }
    if newcomer::is_no_measure(&context.view(identity, open), detector) {
        return false;
    }
    let rare = identity.rare.get_or_insert_default();
    rare.counts(detector, surprise, open.start.hour_number())
}
