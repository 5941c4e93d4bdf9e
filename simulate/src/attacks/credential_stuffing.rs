//! One address tries a list of passwords, and three of them fit.

use super::{Plot, Raid, Stage};
use crate::calendar::{NS_PER_MIN, ns};
use crate::client::Client;
use crate::endpoints::{ME, TOKEN};
use crate::objects::{Focus, any_customer};
use crate::prng::Rng;
use crate::truth::Strength;

const ADDRESS: &str = "192.0.2.77";
const PROGRAM: &str = "okhttp/4.12.0";
const FAILURES: usize = 1_500;
const SUCCESSES: i64 = 3;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let mut guesser = Client::nobody(stage.rng.bits(), ADDRESS.to_owned(), PROGRAM.to_owned());
    let mut records = Vec::with_capacity(FAILURES);
    for time_ns in stage.times(stage.at(15, 30), FAILURES, 0.47) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(guesser.call_with(time_ns, &TOKEN, &focus, 401));
    }
    let end_ns = records.last()?.time_ns;
    for nth in 1..=SUCCESSES {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let rng = Rng::new(stage.rng.bits(), 0);
        let Some(victim) = stage.cast.person(|_| true) else { break };
        let mut entered = victim.client.stolen(ADDRESS, PROGRAM, rng);
        let time_ns = end_ns + nth * NS_PER_MIN / 4;
        records.push(entered.call_with(time_ns, &TOKEN, &focus, 200));
        records.push(entered.call_with(time_ns + ns(2.0), &ME, &focus, 200));
    }
    let plot = Plot {
        name: "credential_stuffing",
        detector: "auth_failures",
        also: &["machine_speed", "joint_outlier"],
        principal: ADDRESS.to_owned(),
        story: format!(
            "{ADDRESS} fails {FAILURES} times at POST /v1/token in twelve minutes, then signs in as {SUCCESSES} people"
        ),
        strength: Strength::Loud,
    };
    Raid::new(plot, records)
}
