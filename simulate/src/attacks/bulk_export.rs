//! A service that fetches small changes takes everything at once: the plain case of egress.

use super::{Plot, Raid, Stage};
use crate::client::Client;
use crate::endpoints::EXPORT;
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

const PAGES: usize = 120;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.service("ledger-sync")?;
    let mut client = Client { size: 15.0, ..service.client.clone() };
    let mut records = Vec::with_capacity(PAGES);
    for (page, time_ns) in (1..).zip(stage.times(stage.at(13, 30), PAGES, 1.95)) {
        let focus = Focus { page, ..Focus::on(any_customer(&mut stage.rng), &mut stage.rng) };
        records.push(client.call_with(time_ns, &EXPORT, &focus, 200));
    }
    let bytes: u64 = records.iter().map(|record| record.bytes_out).sum();
    let plot = Plot {
        name: "service_takes_everything",
        detector: "egress_spike",
        also: &["machine_speed", "joint_outlier", "not_itself"],
        principal: client.caller.principal().to_owned(),
        story: format!(
            "ledger-sync, which fetches some megabytes an hour, takes {:.1} GB from /v1/export in four minutes",
            bytes as f64 / 1e9
        ),
        strength: Strength::Loud,
    };
    Raid::new(plot, records)
}
