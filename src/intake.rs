//! How much of each input was read and judged: what `pipeline_health` says of it.

use ingest::parse::Parsed;
use model::{Finding, Time};
use store::Health;

/// Inputs that are told apart; further ones share the last place.
const INPUTS_MAX: usize = 1_024;
/// What those are called together.
const OTHERS: &str = "(others)";
/// The application that a replay's rows name.
const REPLAY: &str = "replay";

/// What came of one input, or of one partition since it was last told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Taken {
    /// Records read.
    pub(crate) records: u64,
    /// Events that the records held.
    pub(crate) events: u64,
    /// Findings and revisions whose first sample event came from here.
    pub(crate) findings: u64,
    /// Events that came after later ones were released.
    pub(crate) late: u64,
    /// Records that held no event.
    pub(crate) rejected: u64,
    /// The latest time of an event.
    pub(crate) latest: Option<Time>,
}

/// What came of each input, by its number in positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intake {
    of: Vec<Taken>,
}

/// The place of an input.
pub(crate) const fn place(input: usize) -> usize {
    if input < INPUTS_MAX { input } else { INPUTS_MAX - 1 }
}

/// Names by place: each input's own, and one for those that share the last.
pub(crate) fn by_place<T>(
    inputs: impl ExactSizeIterator<Item = T>,
    others: impl FnOnce() -> T,
) -> Vec<T> {
    let is_many = inputs.len() > INPUTS_MAX;
    let own = if is_many { INPUTS_MAX - 1 } else { INPUTS_MAX };
    inputs.take(own).chain(is_many.then(others)).collect()
}

/// What those are called that share the last place.
pub(crate) fn others() -> String {
    OTHERS.to_owned()
}

impl Intake {
    fn note(&mut self, input: u32, note: impl FnOnce(&mut Taken)) {
        let place = place(input as usize);
        if self.of.len() <= place {
            self.of.resize(place + 1, Taken::default());
        }
        if let Some(taken) = self.of.get_mut(place) {
            note(taken);
        }
    }

    /// Notes what records held.
    pub(crate) fn add(&mut self, input: u32, parsed: &Parsed) {
        self.note(input, |taken| {
            taken.records += parsed.records;
            taken.events += parsed.batch.events.len() as u64;
            taken.rejected += parsed.rejects.total();
            taken.latest = taken.latest.max(parsed.times.map(|(_, last)| last));
        });
    }

    /// Notes that events came late.
    pub(crate) fn late(&mut self, input: u32, more: u64) {
        if more > 0 {
            self.note(input, |taken| taken.late += more);
        }
    }

    /// Notes findings and revisions. One without a sample event counts for the first input, so that
    /// all inputs together have all.
    pub(crate) fn found(&mut self, findings: &[Finding]) {
        for finding in findings {
            let input = finding.evidence.first().map_or(0, |it| it.position.source);
            self.note(input, |taken| taken.findings += 1);
        }
    }

    /// What came of a place, which begins anew.
    pub(crate) fn take(&mut self, place: usize) -> Taken {
        self.of.get_mut(place).map(std::mem::take).unwrap_or_default()
    }

    /// Forgets what was not told.
    pub(crate) fn forget(&mut self) {
        self.of.clear();
    }

    /// The rows of a replay, one for each of its inputs that brought a record. No clock says anything in
    /// them, so that the same events give the same bytes: an input without an event has the time of
    /// the last of all.
    pub(crate) fn replayed(&self, names: &[String]) -> Vec<Health> {
        let end = self.of.iter().filter_map(|it| it.latest).max();
        let end = end.unwrap_or(Time::from_ns(0));
        let row = |(topic, taken): (String, &Taken)| {
            let at = taken.latest.unwrap_or(end);
            (taken.records > 0).then(|| Health {
                at,
                app: REPLAY.to_owned(),
                worker: String::new(),
                topic,
                partition: 0,
                offset: taken.records,
                watermark: at,
                events: taken.events,
                findings: taken.findings,
                late: taken.late,
                rejected: taken.rejected,
            })
        };
        let names = by_place(names.iter().cloned(), others);
        names.into_iter().zip(&self.of).filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::reject::Reject;
    use model::{Event, EventBatch, Position};

    fn parsed(seconds: &[i64]) -> Parsed {
        let mut batch = EventBatch::default();
        batch.events = seconds.iter().map(|s| Event::at(Time::from_ns(*s))).collect();
        let times = seconds.first().zip(seconds.last());
        let times = times.map(|(first, last)| (Time::from_ns(*first), Time::from_ns(*last)));
        Parsed { batch, times, records: seconds.len() as u64, ..Parsed::default() }
    }

    #[test]
    fn each_input_of_a_replay_has_one_row_without_a_clock() {
        let mut intake = Intake::default();
        intake.add(0, &parsed(&[3, 5]));
        intake.add(0, &parsed(&[4]));
        intake.late(0, 1);
        let mut bad = parsed(&[]);
        bad.records = 1;
        bad.rejects.add(Reject::NoValue, Position { source: 1, line: 1 }, b"");
        intake.add(1, &bad);
        let rows = intake.replayed(&["a.log", "b.log", "gone.log"].map(str::to_owned));
        let said = |it: &Health| (it.offset, it.events, it.late, it.rejected, it.at.ns());
        let said: Vec<_> = rows.iter().map(said).collect();
        assert_eq!(said, [(3, 3, 1, 0, 5), (1, 0, 0, 1, 5)], "what cannot be read has none");
        assert!(rows.iter().all(|it| it.at == it.watermark && it.worker.is_empty()));
        assert_eq!(rows[1].topic, "b.log");
    }

    #[test]
    fn inputs_beyond_the_limit_share_a_row() {
        let mut intake = Intake::default();
        let names: Vec<_> = (0..INPUTS_MAX + 5).map(|it| it.to_string()).collect();
        for input in 0..names.len() {
            intake.add(input as u32, &parsed(&[7]));
        }
        let rows = intake.replayed(&names);
        assert_eq!((rows.len(), rows[0].events), (INPUTS_MAX, 1));
        let last = rows.last().unwrap();
        assert_eq!((last.topic.as_str(), last.events), (OTHERS, 6));
        assert_eq!(intake.replayed(&names[..INPUTS_MAX]).last().unwrap().topic, "1023");
    }

    #[test]
    fn what_was_told_begins_anew() {
        let mut intake = Intake::default();
        intake.add(2, &parsed(&[1, 2]));
        assert_eq!((intake.take(2).events, intake.take(2).events), (2, 0));
        assert_eq!(intake.take(9), Taken::default());
    }
}
