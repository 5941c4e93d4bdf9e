//! Work that follows the demand of the hour: relays, caches, visitors of the site.

use crate::calendar::{NS_PER_D, NS_PER_H, demand, ns};
use crate::client::Client;
use crate::endpoints::Endpoint;
use crate::objects::Portfolio;
use crate::record::Record;
use crate::scenario::Span;
use std::collections::VecDeque;

/// Calls planned at a time.
const CALLS_PER_PLAN: usize = 16;

/// Somebody whose calls come at random, more of them in busy hours.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    pub(crate) client: Client,
    portfolio: Portfolio,
    /// What is called, with its weight.
    mix: Vec<(&'static Endpoint, f64)>,
    per_hour_peak: f64,
    span: Span,
    now_ns: i64,
}

impl Demand {
    /// `per_hour_peak` is the mean number of calls in an hour of full demand, above 0.
    pub(crate) fn new(
        client: Client,
        mix: Vec<(&'static Endpoint, f64)>,
        per_hour_peak: f64,
        span: Span,
    ) -> Self {
        let mut client = client;
        let portfolio = Portfolio::new(300, 0.1, &mut client.rng);
        Self { client, portfolio, mix, per_hour_peak, span, now_ns: span.start_ns }
    }

    /// Makes it end at a time.
    pub(crate) const fn ends(&mut self, end_ns: i64) {
        self.span.end_ns = end_ns;
    }

    /// A business grows, by half a percent a day, and rests on a holiday.
    fn growth(&self) -> f64 {
        if self.span.peak == self.now_ns.div_euclid(NS_PER_D) {
            return 3.0;
        }
        if !self.span.whole {
            return 1.0;
        }
        if self.span.holiday == self.now_ns.div_euclid(NS_PER_D) {
            return 0.5;
        }
        1.0 + 0.005 * (self.now_ns - self.span.start_ns) as f64 / NS_PER_D as f64
    }

    /// The next few calls.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        for _ in 0..CALLS_PER_PLAN {
            let per_hour = (self.per_hour_peak * self.growth() * demand(self.now_ns)).max(0.01);
            let hours = self.client.rng.exponential(1.0 / per_hour);
            self.now_ns += ns(hours * (NS_PER_H / 1_000_000_000) as f64) + 1_000;
            if self.now_ns >= self.span.end_ns {
                return false;
            }
            let choice = self.client.rng.weighted(self.mix.iter().map(|(_, weight)| *weight));
            let Some((endpoint, _)) = self.mix.get(choice) else { return false };
            let focus = self.portfolio.focus(&mut self.client.rng);
            if endpoint.deployed && self.now_ns < self.span.deploy_ns {
                continue;
            }
            let record = self.client.call(self.now_ns, endpoint, &focus);
            let is_again = self.span.whole && matches!(record.status, 429 | 500..);
            out.push_back(record);
            if is_again {
                // A program tries again by itself.
                self.now_ns += ns(1.0);
                if self.now_ns >= self.span.end_ns {
                    return false;
                }
                out.push_back(self.client.call(self.now_ns, endpoint, &focus));
            }
        }
        true
    }
}
