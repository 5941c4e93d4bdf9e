//! Calls without credentials: health checks, crawlers, visitors of the site.

use crate::actor::Actor;
use crate::client::Client;
use crate::demand::Demand;
use crate::endpoints as api;
use crate::rounds::{Rounds, Schedule, Work};
use crate::scenario::Span;

/// How many addresses visit the site without signing in.
const VISITORS: u64 = 24;

/// Everybody who never signs in.
pub(crate) fn all(seed: u64, span: Span) -> Vec<Actor> {
    let mut actors = vec![
        prober(seed, "10.0.0.5", "kube-probe/1.35", (10.0, span)),
        prober(seed, "192.0.2.9", "uptime-check/3.0", (60.0, span)),
    ];
    for (address, program) in [
        ("198.51.100.150", "Mozilla/5.0 (compatible; examplebot/2.1)"),
        ("198.51.100.151", "Mozilla/5.0 (compatible; otherbot/1.0)"),
    ] {
        let client = Client::nobody(seed, address.to_owned(), program.to_owned());
        let mix = vec![(&api::HOME, 2.0), (&api::DOCS, 2.0), (&api::ROBOTS, 1.0)];
        actors.push(Actor::Demand(Box::new(Demand::new(client, mix, 60.0, span))));
    }
    for visitor in 0..VISITORS {
        let address = format!("100.{}.{}.{}", 64 + visitor, 7 * visitor, 10 + visitor);
        let program = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Mobile Safari/537.36";
        let client = Client::nobody(seed, address, program.to_owned());
        let mix = vec![(&api::HOME, 3.0), (&api::LOGIN, 2.0), (&api::DOCS, 1.0)];
        actors.push(Actor::Demand(Box::new(Demand::new(client, mix, 9.0, span))));
    }
    actors
}

fn prober(seed: u64, address: &str, program: &str, (every_s, span): (f64, Span)) -> Actor {
    let client = Client::nobody(seed, address.to_owned(), program.to_owned());
    let schedule = Schedule { first_s: 1.0, every_s, jitter_s: 0.05, calls: (1, 1), gap_s: 0.1 };
    Actor::Rounds(Box::new(Rounds::new(
        client,
        Work::Calls(const { &[&api::HEALTH] }),
        schedule,
        span,
    )))
}
