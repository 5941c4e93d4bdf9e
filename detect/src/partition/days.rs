//! The turn of the day: what detectors of days read is kept, and the day is learned.

use super::Partition;
use crate::alarm;
use crate::daily::{Daily, day_of};
use crate::detectors::{self, OF_DAYS, Reading};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::Contribution;
use model::{Detector, Finding};

impl Partition {
    /// Whether the day that is open is over by the context's hour, and anybody has one.
    pub(crate) fn is_day_over(&self, context: &Context<'_>) -> bool {
        self.day < day_of(context.hour) && self.day != i32::MIN
    }

    /// Ends the day that is open if the context's hour is of a later one.
    pub(super) fn turn_day(&mut self, context: &Context<'_>) {
        let today = day_of(context.hour);
        if self.day < today {
            self.end_day(context);
            self.day = today;
            self.touched.note();
        }
    }

    /// Ends the day that is open.
    pub(crate) fn end_day(&mut self, context: &Context<'_>) {
        let mut empty = OpenWindow::new();
        for (slot, identity) in self.identities.iter_mut().enumerate() {
            let Some(daily) = identity.daily.as_ref().filter(|daily| daily.is_open) else {
                continue;
            };
            empty.start = daily.start();
            let before = identity.state_bytes();
            let readings = read(context, identity, &empty);
            let raised = |detector: Detector| {
                identity.daily.iter().any(|it| it.raised.iter().any(|it| it.detector == detector))
            };
            for reading in &readings {
                judge(context, &mut self.contribution, reading, raised(reading.detector));
                let shown = detectors::as_signal(&context.view(identity, &empty), reading);
                if let Some(shown) = shown {
                    let score = context.calibration.score(reading.detector, reading.surprise);
                    let entity = detectors::entity(&shown, &empty, context.endpoints);
                    self.signals.push_signal(identity, entity, &shown, score);
                }
            }
            learn(identity);
            self.state_bytes = (self.state_bytes + identity.state_bytes()).saturating_sub(before);
            self.touched.add(slot as u32);
        }
    }
}

/// An hour closes: it is noted in its day, and what the day shows by now is raised.
pub(super) fn note(
    context: &Context<'_>,
    identity: &mut Identity,
    open: &OpenWindow,
    findings: &mut Vec<Finding>,
) {
    if identity.daily.is_none() {
        identity.daily = Daily::of(identity.days, open);
    }
    let Some(daily) = &mut identity.daily else { return };
    daily.note(open);
    let readings = read(context, identity, open);
    if readings.is_empty() {
        return;
    }
    let mut raised =
        identity.daily.as_mut().map(|it| std::mem::take(&mut it.raised)).unwrap_or_default();
    alarm::settle_day(context, identity, open, &mut raised, &readings, findings);
    if let Some(daily) = &mut identity.daily {
        daily.raised = raised;
    }
}

fn read(context: &Context<'_>, identity: &Identity, open: &OpenWindow) -> Vec<Reading> {
    let view = context.view(identity, open);
    OF_DAYS.into_iter().filter_map(|detector| detectors::read_day(detector, &view)).collect()
}

/// Takes a day's reading into the calibration; what raised counts as just at the cut.
fn judge(context: &Context<'_>, into: &mut Contribution, reading: &Reading, is_raised: bool) {
    let index = reading.detector as usize;
    if let Some(judged) = into.judged.get_mut(index) {
        *judged += 1;
    }
    if let Some(surprises) = into.surprises.get_mut(index) {
        let cut = is_raised.then(|| context.calibration.surprise_at(reading.detector, context.cut));
        let surprise = reading.surprise.max(0.0);
        surprises.push(cut.map_or(surprise, |cut| surprise.min(cut)) as f32);
    }
}

/// Learns the day and ends it.
fn learn(identity: &mut Identity) {
    let Some(daily) = &mut identity.daily else { return };
    let is_beat = daily.raised.iter().any(|it| it.detector == Detector::Cadence);
    let is_habit = daily.beat.learn(daily.day, &daily.rhythm, daily.is_odd, is_beat);
    daily.end(!daily.is_odd && (daily.raised.is_empty() || is_habit));
}
