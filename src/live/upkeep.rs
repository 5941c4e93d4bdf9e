//! What the main loop does beside its work: it says how it fares, and applies a changed configuration.

use super::{Live, LiveError, Mind};
use crate::operation::log;
use crate::operation::metrics::{Metric, Metrics, Outcome, PLACES_MAX};
use crate::operation::reload::{Change, Verdict};
use ingest::parse::Parsed;
use ingest::reject::Reject;
use ingest::source::kafka::Fetched;
use model::tables::Table;
use model::{Detector, Severity, Time};
use std::time::Instant;

/// What is remembered between two turns, to be counted.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// The time before which events were judged.
    pub(super) watermark: Option<Time>,
    /// Partitions that have a name in the metrics.
    named: usize,
    late: Since,
    windows: Since,
    overflowed: Since,
    evicted: Since,
    unnoted: Since,
}

/// A count that begins anew, or at some number, whenever this process begins to lead.
#[derive(Debug, Default)]
struct Since {
    seen: Option<u64>,
}

impl Since {
    /// How many more there are than at the last look; none at the first.
    fn more(&mut self, now: Option<u64>) -> u64 {
        let before = std::mem::replace(&mut self.seen, now);
        now.zip(before).map_or(0, |(now, before)| now.saturating_sub(before))
    }
}

impl Upkeep {
    /// Notes what was read of a partition.
    pub(super) fn read(metrics: &Metrics, one: &Fetched, parsed: &Parsed) {
        let place = one.chunk.source as usize;
        metrics.add(Metric::Records, &[place], parsed.records);
        metrics.add(Metric::ReadBytes, &[place], one.chunk.bytes.len() as u64);
    }
}

impl Live<'_> {
    /// Once a turn: the loop lives, the metrics are of now, and a changed configuration is applied
    /// between two epochs.
    pub(super) fn look_after(&mut self, now: fn() -> Instant) -> Result<(), LiveError> {
        self.parts.operation.health.turn();
        if self.parts.source.has_answered() {
            self.parts.operation.health.broker_answered();
        }
        if self.parts.reload.is_wanted() {
            // What was judged under the old configuration is committed before the new one counts.
            if self.mind.as_ref().is_some_and(|mind| mind.places.is_moved()) {
                self.seal(now)?;
            }
            self.reload();
        }
        self.measure();
        Ok(())
    }

    /// Reads the configuration again, and applies it where nothing of what changed needs a restart.
    fn reload(&mut self) {
        let listed = |changes: &[Change]| {
            changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let goes_on = "the configuration was not reloaded, and the one that runs goes on";
        let outcome = match self.parts.reload.read() {
            Ok(Verdict::Same) => {
                log::info("the configuration was read again: nothing has changed", &[]);
                Outcome::Done
            }
            Ok(Verdict::Apply(config, changes)) => match config.detect.check() {
                Ok(plan) => {
                    if let Some(mind) = &mut self.mind {
                        mind.detection.engine.replan(plan.clone());
                    }
                    self.parts.plan = plan;
                    log::write_as(config.run.log_format);
                    self.parts.settings = config.run;
                    log::info(
                        &format!("the configuration was reloaded: {}", listed(&changes)),
                        &[],
                    );
                    Outcome::Done
                }
                Err(error) => {
                    log::error(&format!("{goes_on}: {error}"));
                    Outcome::Failed
                }
            },
            Ok(Verdict::Refuse(changes)) => {
                log::warn(&format!("{goes_on}; a restart is needed for {}", listed(&changes)));
                Outcome::Refused
            }
            Err(error) => {
                log::error(&format!("{goes_on}: {error}"));
                Outcome::Failed
            }
        };
        self.parts.operation.metrics.count(Metric::Reloads, outcome);
    }

    /// Brings the metrics up to date.
    pub(super) fn measure(&mut self) {
        let metrics = &self.parts.operation.metrics;
        let (passed, keeper) = (&self.passed, &self.parts.keeper);
        let set = |metric, value: u64| metrics.set(metric, &[], value as i64);
        set(Metric::IsLeader, u64::from(self.mind.is_some()));
        set(Metric::Rebalances, self.parts.source.assignments());
        set(Metric::Events, passed.events);
        set(Metric::Ahead, self.ahead);
        set(Metric::LateNotScored, passed.late_not_scored);
        set(Metric::Epochs, self.epochs);
        set(Metric::Waiting, keeper.waiting() as u64);
        for (index, reason) in Reject::ALL.iter().enumerate() {
            metrics.set(Metric::Rejects, &[index], passed.rejects.count(*reason) as i64);
        }
        for (detector, of) in passed.raised.iter().enumerate().take(Detector::ALL.len()) {
            for (severity, raised) in of.iter().enumerate().take(Severity::ALL.len()) {
                metrics.set(Metric::Findings, &[detector, severity], raised.findings as i64);
                metrics.set(Metric::Revisions, &[detector, severity], raised.revisions as i64);
            }
        }
        for (index, tally) in keeper.tallies().iter().enumerate().take(Table::ALL.len()) {
            metrics.set(Metric::StoreInserts, &[index], tally.inserts as i64);
            metrics.set(Metric::StoreRows, &[index], tally.rows as i64);
            metrics.set(Metric::StoreRetries, &[index], tally.retries as i64);
            metrics.set(Metric::StoreFailures, &[index], tally.failures as i64);
            metrics.set(Metric::DeadLetters, &[index], tally.dead_letters as i64);
        }
        self.measure_mind();
    }

    /// The metrics of what is only known while this process leads.
    fn measure_mind(&mut self) {
        let Self { parts, mind, upkeep, .. } = self;
        let metrics = &parts.operation.metrics;
        let partitions = parts.source.partitions();
        for (place, it) in partitions.iter().enumerate().skip(upkeep.named) {
            metrics.name_place(place, &it.topic, &it.number.to_string());
        }
        upkeep.named = partitions.len();
        let tally = mind.as_ref().map(|mind| mind.detection.engine.tally());
        metrics.add(Metric::Windows, &[], upkeep.windows.more(tally.map(|it| it.windows)));
        let overflowed = upkeep.overflowed.more(tally.map(|it| it.overflowed_calls));
        metrics.add(Metric::OverflowedCalls, &[], overflowed);
        let evicted = upkeep.evicted.more(tally.map(|it| it.evicted_identities));
        metrics.add(Metric::EvictedIdentities, &[], evicted);
        metrics.add(Metric::Unnoted, &[], upkeep.unnoted.more(tally.map(|it| it.unnoted)));
        let late = mind.as_ref().map(|mind| mind.order.late());
        metrics.add(Metric::Late, &[], upkeep.late.more(late));
        let (Some(mind), Some(tally)) = (mind, tally) else {
            upkeep.watermark = None;
            for unknown in [Metric::Lag, Metric::WatermarkDelay] {
                metrics.forget(unknown);
            }
            for nothing in
                [Metric::Held, Metric::Identities, Metric::StateBytes, Metric::OverflowedIdentities]
            {
                metrics.set(nothing, &[], 0);
            }
            return;
        };
        metrics.set(Metric::Held, &[], mind.order.len() as i64);
        metrics.set(Metric::Identities, &[], tally.identities as i64);
        metrics.set(Metric::StateBytes, &[], tally.state_bytes as i64);
        metrics.set(Metric::OverflowedIdentities, &[], tally.overflowed_identities as i64);
        if let Some(watermark) = upkeep.watermark {
            metrics.set(Metric::WatermarkDelay, &[], (parts.wall)().since(watermark));
        }
        let end = |place| parts.source.end(place);
        for (place, lag) in lags(mind, partitions.len(), end).into_iter().enumerate() {
            if let Some(lag) = lag {
                metrics.set(Metric::Lag, &[place], lag);
            }
        }
    }
}

/// How many records each partition has that are not read yet, where that is known; the partitions
/// that share the last series are added up.
fn lags(mind: &Mind, partitions: usize, end: impl Fn(usize) -> Option<i64>) -> Vec<Option<i64>> {
    let mut lags = vec![None; partitions.min(PLACES_MAX)];
    for place in 0..partitions {
        let lag = if mind.places.is_idle_at(place) {
            // The end of a transaction takes an offset that nobody is given.
            Some(0)
        } else {
            let read_to = mind.places.next(place);
            end(place).zip(read_to).map(|(end, read_to)| (end - read_to).max(0))
        };
        if let (Some(slot), Some(lag)) = (lags.get_mut(place.min(PLACES_MAX - 1)), lag) {
            *slot = Some(slot.unwrap_or(0) + lag);
        }
    }
    lags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_begins_anew_is_counted_on() {
        let mut since = Since::default();
        let looks = [None, Some(500), Some(503), Some(503), None, Some(2), Some(9), Some(1)];
        assert_eq!(looks.map(|now| since.more(now)), [0, 0, 3, 0, 0, 0, 7, 0]);
    }
}
