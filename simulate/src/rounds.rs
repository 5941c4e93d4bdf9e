//! Work on a schedule: polling, batch jobs, paging through lists, runs of an agent's skill.

use crate::calendar::ns;
use crate::client::Client;
use crate::endpoints::{Endpoint, HOME, SCANNED};
use crate::objects::{Focus, Portfolio};
use crate::record::Record;
use crate::scenario::Span;
use crate::tools::Tool;
use std::collections::VecDeque;

/// What a round consists of.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Calls of these endpoints, one after the other.
    Calls(&'static [&'static Endpoint]),
    /// The pages of one list, from the first.
    Pages(&'static Endpoint),
    /// Calls of these tools, one after the other.
    Tools(&'static [&'static Tool]),
    /// What nobody has, one after the other from anywhere on: scanning.
    Scan,
    /// One call again and again, which always fails.
    Failing(&'static Endpoint),
}

/// A schedule. Times are in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// From the span's start to the first round.
    pub(crate) first_s: f64,
    /// From one round's start to the next one's.
    pub(crate) every_s: f64,
    /// How late a round may be.
    pub(crate) jitter_s: f64,
    /// The fewest and the most calls in a round.
    pub(crate) calls: (u64, u64),
    /// Between two calls of a round, the median.
    pub(crate) gap_s: f64,
}

/// Somebody who works on a schedule.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    client: Client,
    portfolio: Portfolio,
    work: Work,
    schedule: Schedule,
    /// What it is always about, if that is few things.
    few: Option<Vec<Focus>>,
    span: Span,
    /// When the next round is due.
    due_ns: i64,
    /// When the last call was made.
    last_ns: i64,
}

impl Rounds {
    pub(crate) fn new(client: Client, work: Work, schedule: Schedule, span: Span) -> Self {
        let mut client = client;
        let portfolio = Portfolio::new(400, 0.1, &mut client.rng);
        let due_ns = span.start_ns + ns(schedule.first_s);
        Self { client, portfolio, work, schedule, few: None, span, due_ns, last_ns: span.start_ns }
    }

    /// The same, about few things and always the same ones.
    pub(crate) fn of_few(client: Client, work: Work, schedule: Schedule, span: Span) -> Self {
        let mut rounds = Self::new(client, work, schedule, span);
        let few = (0..3).map(|_| rounds.portfolio.focus(&mut rounds.client.rng)).collect();
        rounds.few = Some(few);
        rounds
    }

    /// Makes it end at a time.
    pub(crate) const fn ends(&mut self, end_ns: i64) {
        self.span.end_ns = end_ns;
    }

    /// One round.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        let Schedule { every_s, jitter_s, calls, gap_s, .. } = self.schedule;
        let late_ns = ns(self.client.rng.unit() * jitter_s);
        let mut now_ns = (self.due_ns + late_ns).max(self.last_ns);
        let calls = self.client.rng.between(calls.0, calls.1);
        for nth in 0..calls {
            if now_ns >= self.span.end_ns {
                return false;
            }
            out.push_back(self.step(now_ns, nth));
            self.last_ns = now_ns;
            now_ns += ns(self.client.rng.log_normal(gap_s, 0.25)) + 1_000;
        }
        // A schedule that does not move would never end.
        self.due_ns += ns(every_s.max(1.0));
        self.due_ns < self.span.end_ns
    }

    fn step(&mut self, now_ns: i64, nth: u64) -> Record {
        let few = self.few.as_ref();
        let known = few.and_then(|few| few.get(nth as usize % few.len().max(1)).copied());
        let focus = known.unwrap_or_else(|| self.portfolio.focus(&mut self.client.rng));
        match &self.work {
            Work::Calls(endpoints) => match endpoints.get(nth as usize % endpoints.len().max(1)) {
                Some(endpoint) => self.client.call(now_ns, endpoint, &focus),
                None => self.client.call_tool(now_ns, None),
            },
            Work::Pages(list) => {
                let focus = Focus { page: nth + 1, ..focus };
                self.client.call(now_ns, list, &focus)
            }
            Work::Tools(tools) => {
                let tool = tools.get(nth as usize % tools.len().max(1)).copied();
                self.client.call_tool(now_ns, tool)
            }
            Work::Scan => {
                let start = self.due_ns.unsigned_abs() / 1_000_000_000 / 7;
                let place = (start + nth) as usize % SCANNED.len();
                let endpoint = SCANNED.get(place).unwrap_or(&HOME);
                self.client.call_with(now_ns, endpoint, &focus, 404)
            }
            Work::Failing(endpoint) => self.client.call_with(now_ns, endpoint, &focus, 503),
        }
    }
}
