//! A service shifts a little in everything at once; no single measure stands out.

use super::{Plot, Raid, Stage};
use crate::client::Client;
use crate::endpoints::{Endpoint, LABEL, ORDER_ITEMS, SHIPMENT, SHIPMENT_PATCH, STOCK_PUT};
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

const CALLS: usize = 150;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let rng = stage.rng.clone();
    let service = stage.cast.service("shipping-cache")?;
    let program = service.client.caller.user_agent.clone();
    let mut client = Client { size: 1.7, ..service.client.stolen("10.20.77.9", &program, rng) };
    let mix: [(&'static Endpoint, f64); 5] = [
        (&SHIPMENT, 5.0),
        (&SHIPMENT_PATCH, 2.5),
        (&LABEL, 1.0),
        (&ORDER_ITEMS, 1.0),
        (&STOCK_PUT, 1.5),
    ];
    let mut records = Vec::with_capacity(CALLS);
    for time_ns in stage.times(stage.at(21, 5), CALLS, 40.0) {
        let (endpoint, _) = mix[stage.rng.weighted(mix.iter().map(|(_, weight)| *weight))];
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let roll = stage.rng.unit();
        let status = if roll < 0.06 {
            404
        } else if roll < 0.10 {
            400
        } else {
            200
        };
        records.push(client.call_with(time_ns, endpoint, &focus, status));
    }
    let plot = Plot {
        name: "many_small_shifts",
        detector: "joint_outlier",
        also: &["not_itself", "first_seen_endpoint"],
        principal: client.caller.principal().to_owned(),
        story: "shipping-cache has more errors, more writes, larger answers and a second address, each a little"
            .to_owned(),
        strength: Strength::Weak,
    };
    Raid::new(plot, records)
}
