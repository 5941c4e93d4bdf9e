//! Services: steady loops, jobs at fixed hours, relays that follow demand, and one sloppy client.

use crate::actor::Actor;
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S};
use crate::client::{Client, Sort, new_id};
use crate::demand::Demand;
use crate::endpoints as api;
use crate::endpoints::Endpoint;
use crate::prng::Rng;
use crate::record::Caller;
use crate::rounds::{Rounds, Schedule, Work};
use crate::scenario::Span;
use std::sync::Arc;

/// The services that have a part of their own; the others are made of a domain and a job.
const NAMED: [&str; 6] = [
    "billing-sync",
    "mobile-partner",
    "svc-report",
    "ledger-sync",
    "returns-relay",
    "shipping-cache",
];

const JOBS: [&str; 5] = ["watch", "sync", "cache", "relay", "audit"];

/// What the services of one part of the company read and write.
struct Domain {
    name: &'static str,
    reads: &'static [&'static Endpoint],
    writes: &'static [&'static Endpoint],
}

const fn domain(
    name: &'static str,
    reads: &'static [&'static Endpoint],
    writes: &'static [&'static Endpoint],
) -> Domain {
    Domain { name, reads, writes }
}

static DOMAINS: [Domain; 9] = [
    domain("catalogue", &[&api::PRODUCTS, &api::PRODUCT, &api::PRICES], &[&api::PRODUCT_PUT]),
    domain("crm", &[&api::CUSTOMERS, &api::CUSTOMER, &api::NOTES], &[&api::CUSTOMER_PATCH]),
    domain("mail", &[&api::TICKETS, &api::TICKET, &api::ORDER], &[&api::TICKET_NEW]),
    domain("pricing", &[&api::PRICES, &api::PRODUCT, &api::STOCK], &[&api::PRICE_PUT]),
    domain("search", &[&api::PRODUCT, &api::SEARCH, &api::PRODUCTS], &[&api::PRODUCT_PUT]),
    domain("stock", &[&api::STOCK, &api::STOCK_LOW, &api::SHIPMENT], &[&api::STOCK_PUT]),
    domain("fraud", &[&api::PAYMENT, &api::ORDER, &api::PAYMENTS], &[&api::ORDER_PATCH]),
    domain("loyalty", &[&api::CUSTOMER_ORDERS, &api::ORDER, &api::CUSTOMER], &[&api::NOTE_NEW]),
    domain("tax", &[&api::INVOICE, &api::INVOICES, &api::PAYMENT], &[&api::INVOICE_NEW]),
];

/// A service: its name at the gateway, its client, and all that it does.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) actors: Vec<Actor>,
    /// What it reads.
    pub(crate) reads: &'static [&'static Endpoint],
}

impl Service {
    /// The service of that number: the named ones come first.
    pub(crate) fn new(seed: u64, number: u32, span: Span) -> Self {
        let place = number as usize;
        let (name, job) = match NAMED.get(place) {
            Some(name) => ((*name).to_owned(), None),
            None => ordinary(place - NAMED.len()),
        };
        let address = format!("10.20.{}.{}", number / 200, 10 + number % 200);
        let program = format!("{name}/2.{} http-client/1.1", number % 7);
        let mut client = Client::consumer((seed, Sort::Service), &name, address, program);
        let mut rng = Rng::new(seed, 0x5000_0000 + u64::from(number));
        if span.whole {
            employ(&mut client, number, span);
        }
        let mut actors = match job {
            Some((domain, job)) => vec![job_of(&client, domain, job, (span, &mut rng))],
            None => duties(&name, &client, span),
        };
        if span.whole && job.is_some_and(|(_, job)| matches!(job, "sync" | "audit" | "relay")) {
            actors.push(secrets_of(&client, span));
        }
        Self { name, client, actors, reads: job.map_or(&[], |(domain, _)| domain.reads) }
    }
}

/// How careful a service is, and when its key is replaced: one in twelve makes mistakes all the time,
/// one in ten gets a new key on some day.
fn employ(client: &mut Client, number: u32, span: Span) {
    if number % 12 == 11 {
        client.sloppy = 0.12;
    }
    if number % 10 == 7 && span.days() >= 3 {
        let at_ns = span.start_ns + i64::from(number / 10) % span.days() * NS_PER_D + 9 * NS_PER_H;
        let credential_id = Some(new_id(4, u64::from(number) ^ client.rng.clone().bits()));
        let renewed = Caller { credential_id, ..Caller::clone(&client.caller) };
        client.renewed = Some((at_ns, Arc::new(renewed)));
    }
}

/// A service fetches the two or three secrets that it needs, every six hours.
fn secrets_of(client: &Client, span: Span) -> Actor {
    let mut client = client.clone();
    let first_s = 3_600.0 * client.rng.unit();
    let schedule =
        Schedule { first_s, every_s: 21_600.0, jitter_s: 30.0, calls: (2, 3), gap_s: 0.4 };
    Actor::Rounds(Box::new(Rounds::of_few(
        client,
        Work::Calls(const { &[&api::SECRET] }),
        schedule,
        span,
    )))
}

/// A domain and a job; past the last combination the names get a number.
fn ordinary(place: usize) -> (String, Option<(&'static Domain, &'static str)>) {
    let domain = &DOMAINS[place % DOMAINS.len()];
    let job = JOBS[place / DOMAINS.len() % JOBS.len()];
    let copy = place / (DOMAINS.len() * JOBS.len());
    let suffix = if copy == 0 { String::new() } else { format!("-{}", copy + 1) };
    (format!("{}-{job}{suffix}", domain.name), Some((domain, job)))
}

fn job_of(
    client: &Client,
    domain: &'static Domain,
    job: &str,
    (span, rng): (Span, &mut Rng),
) -> Actor {
    let client = client.clone();
    let first_s = 600.0 * rng.unit();
    let schedule = match job {
        "watch" => {
            let every_s = 20.0 + 40.0 * rng.unit();
            Schedule { first_s, every_s, jitter_s: 0.4, calls: (1, 2), gap_s: 0.05 }
        }
        "sync" => Schedule { first_s, every_s: 300.0, jitter_s: 2.0, calls: (8, 16), gap_s: 0.2 },
        "audit" => {
            let every_s = 3_600.0;
            Schedule { first_s, every_s, jitter_s: 20.0, calls: (40, 70), gap_s: 1.5 }
        }
        "relay" => {
            let reads = domain.reads.iter().map(|endpoint| (*endpoint, 1.0));
            let writes = domain.writes.iter().map(|endpoint| (*endpoint, 2.0));
            let per_hour = rng.between(90, 160) as f64;
            return on_demand(client, reads.chain(writes).collect(), per_hour, span);
        }
        _ => {
            let reads = domain.reads.iter().map(|endpoint| (*endpoint, 1.0));
            let per_hour = rng.between(220, 420) as f64;
            return on_demand(client, reads.collect(), per_hour, span);
        }
    };
    on_schedule(client, Work::Calls(domain.reads), schedule, span)
}

fn on_demand(
    client: Client,
    mix: Vec<(&'static Endpoint, f64)>,
    per_hour: f64,
    span: Span,
) -> Actor {
    Actor::Demand(Box::new(Demand::new(client, mix, per_hour, span)))
}

fn on_schedule(client: Client, work: Work, schedule: Schedule, span: Span) -> Actor {
    Actor::Rounds(Box::new(Rounds::new(client, work, schedule, span)))
}

type Mix = &'static [(&'static Endpoint, f64)];

/// Ten to fourteen calls an hour.
const HOURLY: Schedule =
    Schedule { first_s: 420.0, every_s: 3_600.0, jitter_s: 15.0, calls: (10, 14), gap_s: 1.2 };
/// Two to four calls every two minutes.
const STEADY: Schedule = Schedule { every_s: 120.0, calls: (2, 4), ..HOURLY };
/// About a hundred calls within four minutes, every four hours.
const EVERY_FOUR_HOURS: Schedule =
    Schedule { first_s: 3_600.0, every_s: 14_400.0, calls: (95, 105), gap_s: 2.2, ..HOURLY };

static INVOICES: [&Endpoint; 2] = [&api::INVOICES, &api::INVOICE];
static PAYMENTS: [&Endpoint; 2] = [&api::PAYMENTS, &api::PAYMENT];
static REPORTS: [&Endpoint; 3] = [&api::REPORTS, &api::REPORT, &api::REPORT_SALES];
static EXPORT: [&Endpoint; 1] = [&api::EXPORT];
static PARTNER: [(&Endpoint, f64); 2] = [(&api::PRODUCT, 3.0), (&api::PRICES, 2.0)];
static RETURNS: [(&Endpoint, f64); 2] = [(&api::RETURN, 2.0), (&api::RETURN_NEW, 1.0)];
static SHIPPING: [(&Endpoint, f64); 4] = [
    (&api::SHIPMENT, 5.0),
    (&api::SHIPMENTS, 2.0),
    (&api::STOCK, 3.0),
    (&api::SHIPMENT_PATCH, 0.4),
];

/// What a named service does.
fn duties(name: &str, client: &Client, span: Span) -> Vec<Actor> {
    let plain = || client.clone();
    let larger = |size: f64| Client { size, ..client.clone() };
    let job = |work, schedule| on_schedule(plain(), work, schedule, span);
    let flow = |mix: Mix, per_hour| on_demand(plain(), mix.to_vec(), per_hour, span);
    match name {
        // Moves about 1.4 GB every four hours: the benign twin of an egress spike.
        "billing-sync" => vec![
            on_schedule(larger(12.0), Work::Calls(&EXPORT), EVERY_FOUR_HOURS, span),
            job(Work::Calls(&INVOICES), STEADY),
        ],
        // Pages through whole lists every hour: the benign twin of enumeration.
        "mobile-partner" => {
            let pages = Schedule { calls: (160, 180), gap_s: 0.9, ..HOURLY };
            vec![job(Work::Pages(&api::PRODUCTS), pages), flow(&PARTNER, 200.0)]
        }
        "svc-report" => {
            vec![job(Work::Calls(&REPORTS), Schedule { every_s: 600.0, ..HOURLY })]
        }
        // Fetches small changes: some megabytes an hour.
        "ledger-sync" => {
            let changes = Schedule { calls: (8, 12), ..HOURLY };
            vec![job(Work::Calls(&EXPORT), changes), job(Work::Calls(&PAYMENTS), STEADY)]
        }
        // Repeats a failing call for four minutes when the API stumbles.
        "returns-relay" => {
            vec![flow(&RETURNS, 150.0), job(Work::Failing(&api::RETURN_NEW), storm(span))]
        }
        _ => vec![flow(&SHIPPING, 260.0)],
    }
}

/// One storm, at 11:21 of the last day.
fn storm(span: Span) -> Schedule {
    let first_ns = span.day_ns + 11 * NS_PER_H + 21 * NS_PER_MIN - span.start_ns;
    let first_s = first_ns as f64 / NS_PER_S as f64;
    Schedule { first_s, every_s: 1e8, jitter_s: 1.0, calls: (120, 120), gap_s: 2.0 }
}
