//! What a closed hour says of ordinary traffic: its surprises, as the calibration takes them.

use super::learn::Suspect;
use crate::calibration::Shared;
use crate::detectors::{Reading, new_network, newcomer};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::Contribution;
use model::Detector;

/// Takes each detector's oddest reading: only windows that had anything to read count.
///
/// What is rare and goes on, for hours or night after night, counts once, and so does what is rare and
/// comes to many in the same hour; what raised counts as just at the cut, because an attack must not become
/// what is ordinary, and not at all where it is far beyond that; nor does what is as odd but was not raised
/// because so many others were. Who grows a little each day is no measure of how much is large.
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
        let is_said = open.raised.iter().any(|it| it.detector == detector && !it.is_silent);
        if detector == Detector::JointOutlier {
            contribution.jointly_told.add(is_said);
        }
        let network = shared_network(context, (identity, open), (detector, oddest));
        let counts = is_occasion(context, identity, open, (detector, oddest));
        // What newcomers raise is no measure, but it is said; of a network that many met, once.
        let is_heard = counts || newcomer::is_no_measure(&context.view(identity, open), detector);
        if let Some(said) = contribution.said.get_mut(detector as usize)
            && is_said
            && is_heard
            && network.is_none()
        {
            said.push(oddest);
        }
        if !counts {
            continue;
        }
        let is_raised = open.raised.iter().any(|it| it.detector == detector);
        if is_raised && context.calibration.is_far(detector, f64::from(oddest)) {
            continue;
        }
        let surprise = held_to_cut(context, (detector, oddest), is_raised).max(0.0);
        if let Some(network) = network {
            let said = is_said.then_some(oddest);
            contribution.shared.push(Shared { network, surprise, said });
            continue;
        }
        if let Some(surprises) = contribution.surprises.get_mut(detector as usize) {
            surprises.push(surprise);
        }
    }
}

/// A surprise, no larger than at the cut where it raised, or did not because so many others had.
fn held_to_cut(context: &Context<'_>, (detector, oddest): (Detector, f32), is_raised: bool) -> f32 {
    let (calibration, cut) = (context.calibration, context.cut_of(detector));
    if is_raised {
        oddest.min(calibration.surprise_at(detector, cut) as f32)
    } else if calibration.is_held_back(detector, f64::from(oddest), cut) {
        oddest.min(calibration.surprise_by_law(detector, cut) as f32)
    } else {
        oddest
    }
}

/// The network that a rare reading is about, which others may have met in the same hour.
fn shared_network(
    context: &Context<'_>,
    (identity, open): (&Identity, &OpenWindow),
    (detector, oddest): (Detector, f32),
) -> Option<u32> {
    let is_shared =
        detector == Detector::NewNetwork && context.calibration.is_rare(detector, oddest);
    is_shared.then(|| new_network::network(&context.view(identity, open))).flatten()
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
