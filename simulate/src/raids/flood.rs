//! A flood of made-up identities: it has no victim, and the whole site is its object.

use super::Stage;
use crate::attacks::Raid;
use crate::client::{Client, Sort};
use crate::endpoints as api;
use crate::objects::{Focus, any_customer};

/// One in so many of a company begins to call in a busy ordinary hour.
const BEGINNERS: u64 = 100;
/// What such a flood is called where somebody is named: it is nobody's.
const NOBODY: &str = "new identities";

/// A program makes up identities, a call each, from ever new addresses.
pub(super) fn identity_explosion(stage: &mut Stage<'_>) -> Option<Raid> {
    let beginners = stage.cast.size() as u64 / BEGINNERS;
    let count = stage.many(beginners, [20_000, 4_000, 800]);
    let mut records = Vec::with_capacity(count);
    for (nth, time_ns) in (0_u64..).zip(stage.times(count, stage.pick([0.06, 0.5, 3.0]))) {
        let name = format!("u-{:012x}", stage.rng.bits() >> 16);
        let address = format!("198.19.{}.{}", nth / 250 % 250, nth % 250 + 1);
        let seed = (stage.rng.bits(), Sort::Person);
        let mut client = Client::consumer(seed, &name, address, "okhttp/4.12.0".to_owned());
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &api::PRODUCTS, &focus, 200));
    }
    let story = format!(
        "{count} identities that never called make a call each; in a busy ordinary hour {beginners} begin to"
    );
    stage.raid("identity_explosion", NOBODY, story, records)
}
