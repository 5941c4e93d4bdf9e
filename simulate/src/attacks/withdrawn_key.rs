//! A key that is no longer valid is tried again and again.

use super::{Plot, Raid, Stage};
use crate::client::Client;
use crate::endpoints::{Endpoint, PRICES, PRODUCTS, STOCK};
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

const ADDRESS: &str = "198.51.100.201";
const FAILURES: usize = 320;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let program = "stock-connector/1.3".to_owned();
    let mut client = Client::nobody(stage.rng.bits(), ADDRESS.to_owned(), program);
    let tried: [&'static Endpoint; 3] = [&STOCK, &PRODUCTS, &PRICES];
    let mut records = Vec::with_capacity(FAILURES);
    for (time_ns, endpoint) in
        stage.times(stage.at(19, 20), FAILURES, 2.2).into_iter().zip(tried.into_iter().cycle())
    {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, endpoint, &focus, 401));
    }
    let plot = Plot {
        name: "withdrawn_key_keeps_failing",
        detector: "auth_failures",
        also: &["denied_probing", "machine_speed", "joint_outlier"],
        principal: ADDRESS.to_owned(),
        story: format!(
            "{ADDRESS} is refused {FAILURES} times in twelve minutes with a key that was withdrawn"
        ),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records)
}
