//! People: office hours in their own time zone, breaks, tasks with pauses to think, habits of their own.

use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, is_weekend, ns};
use crate::client::{Client, Sort};
use crate::digits::push_padded;
use crate::endpoints::{Endpoint, LOGIN, ME, TOKEN};
use crate::objects::{Focus, Portfolio};
use crate::prng::{Rng, mix};
use crate::record::{Caller, Record};
use crate::roles::{COMMON, OWN, Role, Task};
use crate::scenario::Span;
use std::collections::VecDeque;
use std::sync::Arc;

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
/// Documents that one person has.
const DOCUMENTS: u64 = 8;

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
    /// The same person in the office, at home, and somewhere else; `None` for who never moves.
    office: Option<Arc<Caller>>,
    home: Option<Arc<Caller>>,
    away: Option<Arc<Caller>>,
    /// The share of days at home.
    home_share: f64,
    /// What tells this person's days from those of others.
    salt: u64,
    holiday: i64,
    peak: i64,
    /// When the person is not at work, the end exclusive.
    absent_ns: (i64, i64),
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
        let shares: &[(Role, f64)] = if span.whole { &Role::SHARES_WHOLE } else { &Role::SHARES };
        let choice = rng.weighted(shares.iter().map(|(_, share)| *share));
        let role = shares.get(choice).map_or(Role::Care, |(role, _)| *role);
        let zone_min = ZONES[rng.weighted(ZONES.iter().map(|(_, share)| *share))].0;
        let mut name = format!("{}-", role.as_str());
        push_padded(&mut name, u64::from(number), 3);
        let browser = BROWSERS[rng.below(BROWSERS.len() as u64) as usize].to_owned();
        let client = Client::consumer((seed, Sort::Person), &name, address(&mut rng), browser);
        let mut person = Self::working(client, role, zone_min, span);
        if span.whole {
            person.comes_and_goes(number, span, &mut rng);
        }
        person
    }

    /// Over many days some begin and some leave, and who sits in an office is at home now and then,
    /// or, seldom, somewhere else.
    fn comes_and_goes(&mut self, number: u32, span: Span, rng: &mut Rng) {
        if span.days() >= 4 {
            let day_ns = span.start_ns + rng.between(2, span.days() as u64 - 1) as i64 * NS_PER_D;
            if rng.chance(0.03) {
                self.start_ns = day_ns;
            } else if rng.chance(0.02) {
                self.leaves_ns = day_ns;
            }
        }
        let at = |address: String| {
            Arc::new(Caller { client_address: address, ..Caller::clone(&self.client.caller) })
        };
        let (high, low) = (64 + number % 64, number / 64 % 250);
        self.home = Some(at(format!("100.{high}.{low}.{}", rng.between(1, 254))));
        self.away = Some(at(format!("198.18.{}.{}", number % 256, rng.between(1, 254))));
        self.home_share = if rng.chance(0.5) { 0.4 * rng.unit() } else { 0.0 };
        self.office = Some(Arc::clone(&self.client.caller));
        self.tasks.extend(OWN.iter().map(|it| (it, it.weight)));
        self.settle();
    }

    /// Where the person works on the day of the shift.
    fn settle(&mut self) {
        let Some(office) = &self.office else { return };
        let roll = Rng::new(self.day as u64, self.salt).unit();
        let place = if roll < self.home_share {
            self.home.as_ref()
        } else if roll > 0.995 {
            self.away.as_ref()
        } else {
            None
        };
        let caller = Arc::clone(place.unwrap_or(office));
        if !Arc::ptr_eq(&caller, &self.client.caller) {
            let stranger = Caller { consumer: None, credential_id: None, ..Caller::clone(&caller) };
            self.client.stranger = Arc::new(stranger);
            self.client.caller = caller;
        }
    }

    /// Somebody who works as `role` with that client, from the span's start.
    pub(crate) fn working(client: Client, role: Role, zone_min: i64, span: Span) -> Self {
        let mut client = client;
        let rng = &mut client.rng;
        let (tasks, pace) = (habits(role, rng), rng.log_normal(1.0, 0.25));
        let portfolio = Portfolio::new(rng.between(25, 50), 0.05, rng);
        let day = (span.start_ns + zone_min * NS_PER_MIN).div_euclid(NS_PER_D) - 1;
        let shift = shift(day, zone_min, rng);
        let salt = if span.whole { rng.clone().bits() } else { 0 };
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
            office: None,
            home: None,
            away: None,
            home_share: 0.0,
            salt,
            holiday: span.holiday,
            peak: span.peak,
            absent_ns: (0, 0),
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

    /// Whether the person is here from the first day to the last.
    pub(crate) const fn stays(&self, span: Span) -> bool {
        self.start_ns == span.start_ns && self.leaves_ns == span.end_ns
    }

    /// The number of the person's nth document.
    pub(crate) const fn document(&self, nth: u64) -> u64 {
        10_000_000 + mix(self.salt) % 80_000_000 / 100 * 100 + nth % DOCUMENTS
    }

    /// Gives the person more to do, as far as it exists already.
    pub(crate) fn learns(&mut self, tasks: &'static [Task]) {
        let weight: f64 = self.tasks.iter().map(|(_, weight)| weight).sum();
        self.tasks.extend(tasks.iter().map(|it| (it, it.weight * 0.05 * weight)));
    }

    /// Takes the person away from work for a while.
    pub(crate) const fn is_away(&mut self, from_until_ns: (i64, i64)) {
        self.absent_ns = from_until_ns;
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
            if self.day == self.holiday {
                self.shift.end_ns = self.shift.start_ns;
            }
            self.settle();
            self.now_ns = self.shift.start_ns.max(self.now_ns);
            return self.now_ns < self.leaves_ns;
        }
        let (lunch_ns, back_ns) = self.shift.lunch_ns;
        if (lunch_ns..back_ns).contains(&self.now_ns) {
            self.now_ns = back_ns;
        }
        self.refresh_token(out);
        let task = self.choose();
        let mut focus = self.portfolio.focus(&mut self.client.rng);
        if self.salt != 0 {
            let nth = mix(self.now_ns.unsigned_abs() ^ self.salt) % DOCUMENTS;
            focus.document = self.document(nth);
        }
        for step in task.steps {
            if !task.firm && self.client.rng.chance(0.12) {
                continue;
            }
            self.step(step, &focus, out);
        }
        let hurry = if self.day == self.peak { 3.0 } else { 1.0 };
        let idle_s = self.client.rng.log_normal(38.0 * self.pace / hurry, 1.1);
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
        let hurry = if self.day == self.peak { 3.0 } else { 1.0 };
        let thought_s = self.client.rng.log_normal(9.0 * self.pace / hurry, 0.8);
        self.now_ns += ns(thought_s) + NS_PER_MIN / 200;
    }

    fn keep(&self, record: Record, out: &mut VecDeque<Record>) {
        let is_absent = (self.absent_ns.0..self.absent_ns.1).contains(&record.time_ns);
        if (self.start_ns..self.leaves_ns).contains(&record.time_ns) && !is_absent {
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
            page.caller = Arc::clone(&self.client.stranger);
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
