//! The turn of the day: what detectors of days read is kept, and the day is learned.

use super::Partition;
use crate::alarm;
use crate::daily::Daily;
use crate::detectors::{self, OF_DAYS, Reading, View};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::Contribution;
use model::{Detector, Finding};

impl Partition {
    /// Whether the day that is open is over by the context's hour, and anybody has one.
    pub(crate) fn is_day_over(&self, context: &Context<'_>) -> bool {
        self.day < context.hour.day_number() && self.day != i32::MIN
    }

    /// Ends the day that is open if the context's hour is of a later one.
    pub(super) fn turn_day(&mut self, context: &Context<'_>) {
        let today = context.hour.day_number();
        if self.day < today {
            self.end_day(context);
            self.day = today;
            self.touched.note();
        }
    }

    /// Notes that operations of identities left, and how many bytes they took.
    pub(crate) fn end_of_operations(&mut self, slots: &[u32], bytes: usize) {
        for slot in slots {
            self.touched.add(*slot);
        }
        self.state_bytes = self.state_bytes.saturating_sub(bytes);
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
            let readings = read(&context.view(identity, &empty), OF_DAYS.into_iter());
            let raised = |detector: Detector| {
                identity.daily.iter().any(|it| it.raised.iter().any(|it| it.detector == detector))
            };
            for reading in &readings {
                let view = context.view(identity, &empty);
                let is_measure = detectors::is_measure_day(reading.detector, &view);
                if is_measure && reading.detector != Detector::SlowDrip {
                    let is_raised = raised(reading.detector);
                    judge(context, &mut self.contribution, (reading, is_raised));
                }
                let shown = detectors::as_signal(&context.view(identity, &empty), reading);
                if let Some(shown) = shown {
                    let score = context.calibration.score(reading.detector, reading.surprise);
                    let entity = detectors::entity(&context.view(identity, &empty), &shown);
                    self.signals.push_signal(identity, entity, &shown, score);
                }
            }
            let is_drip = raised(Detector::SlowDrip);
            let drips = readings.iter().filter(|it| it.detector == Detector::SlowDrip);
            let drip = drips.max_by(|a, b| a.surprise.total_cmp(&b.surprise));
            learn(context, &mut self.contribution, identity);
            // Of days that belong together, once they are over, the oddest is judged.
            if let (Some(daily), Some(reading)) = (&mut identity.daily, drip)
                && let Some(drip) = &mut daily.drip
                && let Some(surprise) = drip.end_run(reading.surprise)
            {
                let goes_on = drip.goes_on(daily.day, reading.entity.is_some());
                let is_raised = is_drip || goes_on;
                let oddest = Reading { surprise, ..*reading };
                judge(context, &mut self.contribution, (&oddest, is_raised));
            }
            self.state_bytes = (self.state_bytes + identity.state_bytes()).saturating_sub(before);
            self.touched.add(slot as u32);
        }
    }
}

/// An hour closes: it is noted in its day, and what the day shows by now is raised.
pub(super) fn note(
    context: &Context<'_>,
    identity: &mut Identity,
    open: &mut OpenWindow,
    findings: &mut Vec<Finding>,
) {
    if identity.daily.is_none() {
        identity.daily = Daily::of(identity.days, open);
    }
    let Some(daily) = &mut identity.daily else { return };
    open.objects_new = daily.note(open, identity.days <= 1);
    let view = context.view(identity, open);
    let could_raise = |detector: &Detector| detectors::could_raise_day(*detector, &view);
    let readings = read(&view, OF_DAYS.into_iter().filter(could_raise));
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

fn read(view: &View<'_>, of: impl Iterator<Item = Detector>) -> Vec<Reading> {
    of.flat_map(|detector| detectors::read_day(detector, view)).collect()
}

/// Takes a day's reading into the calibration; what raised counts as just at the cut.
fn judge(context: &Context<'_>, into: &mut Contribution, (reading, is_raised): (&Reading, bool)) {
    let index = reading.detector as usize;
    if let Some(judged) = into.judged.get_mut(index) {
        *judged += 1;
    }
    if let Some(surprises) = into.surprises.get_mut(index) {
        let cut = is_raised.then(|| {
            context.calibration.surprise_at(reading.detector, context.cut_of(reading.detector))
        });
        let surprise = reading.surprise.max(0.0);
        surprises.push(cut.map_or(surprise, |cut| surprise.min(cut)) as f32);
    }
    if let Some(said) = into.said.get_mut(index).filter(|_| is_raised) {
        said.push(reading.surprise as f32);
    }
}

/// Learns the day and ends it.
fn learn(context: &Context<'_>, into: &mut Contribution, identity: &mut Identity) {
    let Some(daily) = &mut identity.daily else { return };
    let drips = || daily.raised.iter().filter(|it| it.detector == Detector::SlowDrip);
    let is_told = drips().any(|it| it.entity.is_none());
    let is_told_of_calls = drips().any(|it| it.entity.is_some());
    if let Some(drip) = &mut daily.drip {
        let is_odd = (!context.plan.learns_all).then_some(daily.is_odd);
        let trend = &context.population.trend;
        let told = (is_told, is_told_of_calls);
        drip.learn(daily.day, (is_odd, told), trend, &mut into.growth);
    }
    let is_beat = daily.raised.iter().any(|it| it.detector == Detector::Cadence);
    let is_habit = daily.beat.learn(daily.day, &daily.rhythm, daily.is_odd, is_beat);
    daily.end(!daily.is_odd && (daily.raised.is_empty() || is_habit));
}
