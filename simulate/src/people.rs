//! People: office hours in their own time zone, breaks, tasks with pauses to think, habits of their own.

use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, is_weekend, ns};
use crate::client::{Client, Sort};
use crate::digits::push_padded;
use crate::endpoints::{Endpoint, LOGIN, ME, TOKEN};
use crate::objects::{Focus, Portfolio};
use crate::prng::Rng;
use crate::record::Record;
use crate::roles::{COMMON, Role, Task};
use crate::scenario::Span;
use std::collections::VecDeque;

/// Minutes east of UTC, each with its share of the staff.
const ZONES: [(i64, f64); 6] =
    [(60, 0.48), (0, 0.20), (-300, 0.12), (-480, 0.05), (330, 0.10), (480, 0.05)];
/// The addresses that the offices' people share.
const OFFICES: [&str; 3] = ["203.0.113.10", "203.0.113.74", "203.0.113.138"];
const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0",
];
/// How long a token is valid.
const TOKEN_NS: i64 = NS_PER_H;

/// One day's work.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "names end in their unit")]
struct Shift {
    start_ns: i64,
    lunch_ns: (i64, i64),
    end_ns: i64,
}

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) role: Role,
    /// Minutes east of UTC.
    pub(crate) zone_min: i64,
    pub(crate) portfolio: Portfolio,
    /// The tasks this person does at all, with how often.
    tasks: Vec<(&'static Task, f64)>,
    /// How long this person thinks beside others: 1 is as long.
    pace: f64,
    /// When the person stops for good.
    pub(crate) leaves_ns: i64,
    start_ns: i64,
    deploy_ns: i64,
    /// The local day of the shift, counted from the epoch.
    day: i64,
    shift: Shift,
    now_ns: i64,
    token_until_ns: i64,
}

impl Person {
    /// The person of that number.
    pub(crate) fn new(seed: u64, number: u32, span: Span) -> Self {
        let mut rng = Rng::new(seed, 0x7000_0000 + u64::from(number));
        let role = Role::SHARES[rng.weighted(Role::SHARES.iter().map(|(_, share)| *share))].0;
        let zone_min = ZONES[rng.weighted(ZONES.iter().map(|(_, share)| *share))].0;
        let mut name = format!("{}-", role.as_str());
        push_padded(&mut name, u64::from(number), 3);
        let browser = BROWSERS[rng.below(BROWSERS.len() as u64) as usize].to_owned();
        let client = Client::consumer((seed, Sort::Person), &name, address(&mut rng), browser);
        Self::working(client, role, zone_min, span)
    }

    /// Somebody who works as `role` with that client, from the span's start.
    pub(crate) fn working(client: Client, role: Role, zone_min: i64, span: Span) -> Self {
        let mut client = client;
        let rng = &mut client.rng;
        let (tasks, pace) = (habits(role, rng), rng.log_normal(1.0, 0.25));
        let portfolio = Portfolio::new(rng.between(25, 50), 0.05, rng);
        let day = (span.start_ns + zone_min * NS_PER_MIN).div_euclid(NS_PER_D) - 1;
        let shift = shift(day, zone_min, rng);
        Self {
            client,
            role,
            zone_min,
            portfolio,
            tasks,
            pace,
            leaves_ns: span.end_ns,
            start_ns: span.start_ns,
            deploy_ns: span.deploy_ns,
            day,
            shift,
            now_ns: shift.start_ns,
            token_until_ns: 0,
        }
    }

    /// The same person at work without regard to office hours, from `start_ns` to `end_ns`.
    pub(crate) fn at_hours(mut self, start_ns: i64, end_ns: i64) -> Self {
        self.shift = Shift { start_ns, lunch_ns: (end_ns, end_ns), end_ns };
        (self.now_ns, self.start_ns, self.leaves_ns) = (start_ns, start_ns, end_ns);
        self
    }

    /// Whether the person does a task with this endpoint.
    pub(crate) fn uses(&self, endpoint: &Endpoint) -> bool {
        let mut steps = self.tasks.iter().flat_map(|(task, _)| task.steps);
        steps.any(|step| std::ptr::eq(*step, endpoint))
    }

    /// One task, or the way to the next day.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        if self.now_ns >= self.shift.end_ns {
            self.day += 1;
            self.shift = shift(self.day, self.zone_min, &mut self.client.rng);
            self.now_ns = self.shift.start_ns.max(self.now_ns);
            return self.now_ns < self.leaves_ns;
        }
        let (lunch_ns, back_ns) = self.shift.lunch_ns;
        if (lunch_ns..back_ns).contains(&self.now_ns) {
            self.now_ns = back_ns;
        }
        self.refresh_token(out);
        let task = self.choose();
        let focus = self.portfolio.focus(&mut self.client.rng);
        for step in task.steps {
            if self.client.rng.chance(0.12) {
                continue;
            }
            self.step(step, &focus, out);
        }
        let idle_s = self.client.rng.log_normal(38.0 * self.pace, 1.1);
        let pause_s = if self.client.rng.chance(0.03) { 420.0 } else { 0.0 };
        self.now_ns += ns(idle_s + pause_s);
        self.now_ns < self.leaves_ns
    }

    fn choose(&mut self) -> &'static Task {
        let choice = self.client.rng.weighted(self.tasks.iter().map(|(_, weight)| *weight));
        self.tasks.get(choice).map_or(&COMMON[0], |(task, _)| task)
    }

    /// A call, if it falls into the span, and the thought before the next one.
    fn step(&mut self, endpoint: &'static Endpoint, focus: &Focus, out: &mut VecDeque<Record>) {
        if endpoint.deployed && self.now_ns < self.deploy_ns {
            return;
        }
        let record = self.client.call(self.now_ns, endpoint, focus);
        self.keep(record, out);
        self.now_ns += ns(self.client.rng.log_normal(9.0 * self.pace, 0.8)) + NS_PER_MIN / 200;
    }

    fn keep(&self, record: Record, out: &mut VecDeque<Record>) {
        if (self.start_ns..self.leaves_ns).contains(&record.time_ns) {
            out.push_back(record);
        }
    }

    /// Gets a new token where the old one has run out: by signing in, or because a call was refused.
    fn refresh_token(&mut self, out: &mut VecDeque<Record>) {
        if self.now_ns < self.token_until_ns {
            return;
        }
        let focus = self.portfolio.focus(&mut self.client.rng);
        if self.token_until_ns == 0 || self.client.rng.chance(0.15) {
            let mut page = self.client.call_with(self.now_ns, &LOGIN, &focus, 200);
            page.caller = std::sync::Arc::clone(&self.client.stranger);
            self.keep(page, out);
        } else if self.client.rng.chance(0.25) {
            let refused = self.client.call_with(self.now_ns, &ME, &focus, 401);
            self.keep(refused, out);
        }
        self.now_ns += ns(self.client.rng.log_normal(3.0, 0.5));
        if self.client.rng.chance(0.04) {
            let mistyped = self.client.call_with(self.now_ns, &TOKEN, &focus, 401);
            self.keep(mistyped, out);
            self.now_ns += ns(self.client.rng.log_normal(6.0, 0.4));
        }
        let granted = self.client.call_with(self.now_ns, &TOKEN, &focus, 200);
        self.keep(granted, out);
        self.token_until_ns = self.now_ns + TOKEN_NS;
        self.now_ns += ns(self.client.rng.log_normal(0.4, 0.5));
    }
}

/// Most people sit behind an office's address, the others have one of their own.
fn address(rng: &mut Rng) -> String {
    if rng.chance(0.6) {
        OFFICES[rng.below(OFFICES.len() as u64) as usize].to_owned()
    } else if rng.chance(0.25) {
        format!("2001:db8:{:x}::{:x}", rng.between(1, 0xffff), rng.between(1, 0xffff))
    } else {
        format!("100.{}.{}.{}", rng.between(64, 127), rng.below(256), rng.between(1, 254))
    }
}

/// The tasks of a role as one person does them: some often, some never, and a few of other roles'.
fn habits(role: Role, rng: &mut Rng) -> Vec<(&'static Task, f64)> {
    let own_tasks = role.tasks().iter().enumerate().map(|(index, task)| (index == 0, task));
    let mut tasks = Vec::new();
    for (always, task) in own_tasks.chain(COMMON.iter().map(|task| (false, task))) {
        let weight = task.weight * rng.log_normal(1.0, 0.6);
        if always || rng.chance(0.75) {
            tasks.push((task, weight));
        }
    }
    if rng.chance(0.3) {
        // The administrators' tasks stay with them.
        let (other, _) = Role::SHARES[rng.below(Role::SHARES.len() as u64 - 1) as usize];
        let odd = rng.pick(other.tasks()).unwrap_or(&COMMON[0]);
        tasks.push((odd, 0.2));
    }
    tasks
}

/// The work of one local day; on most weekend days there is none.
fn shift(day: i64, zone_min: i64, rng: &mut Rng) -> Shift {
    let midnight_ns = day * NS_PER_D - zone_min * NS_PER_MIN;
    let at = |hour: f64| midnight_ns + ns(hour * 3_600.0);
    let start = 8.6 + 0.5 * rng.normal().clamp(-2.5, 2.5);
    let lunch = 12.2 + 0.4 * rng.normal().clamp(-2.0, 2.0);
    let lunch_hours = 0.5 + 0.5 * rng.unit();
    let hours = 8.3 + 0.5 * rng.normal().clamp(-2.5, 2.5);
    let off = is_weekend(day) && !rng.chance(0.06);
    let end_ns = if off { at(start) } else { at(start + hours) };
    Shift { start_ns: at(start), lunch_ns: (at(lunch), at(lunch + lunch_hours)), end_ns }
}
