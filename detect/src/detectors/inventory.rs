//! Inventory surprise: endpoints and hosts that nobody was ever answered by, and answer now.

use super::{About, UPPER_SURPRISE, Words, later};
use crate::classes::Class;
use crate::engine::Context;
use crate::explain::{counted, fine_percent, number, quote, span};
use crate::population::New;
use crate::statistics::tail::largest_of;
use crate::watch::{At, Closed, Raised, Spot, Subject, Thing, Told};
use model::{Contributor, Detector, EndpointId, Evidence, Finding};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "new endpoints",
    danger: 0.6,
    owasp: &["API9:2023", "API8:2023", "ASI04"],
    attack: &["T1190", "T1133"],
};

/// Hours of log before anything is called new.
const LOGGED_H_MIN: u32 = 7 * 24;
/// Fewer new endpoints than this are no release.
const RELEASE_MIN: usize = 3;
/// New things that are told apart in an hour.
const THINGS_MAX: usize = 1_024;
/// What is looked at of an hour: how many are new, and whether one of them is odd in one of three ways.
const LOOKS: f64 = 4.0;
/// An hour with a finding counts for as many times what 99.9 % of hours stay under, at most: releases that
/// come again become ordinary in a few steps, each of which was told.
const COUNTED: f64 = 2.0;
/// How much rarer a name is that says administration, access or bulk.
const PRIVILEGED: f64 = 30.0;

/// What is new in the open hour.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct NewThings {
    things: BTreeMap<Spot, Thing>,
    /// What the hour's finding is about, once there is one.
    raised: Option<(Spot, Raised)>,
    tripwire: u32,
    missed: u64,
}

/// What an hour's new things say.
struct Read<'a> {
    told: Told,
    oddest: (&'a Spot, &'a Thing),
    /// The hour is odd for how many are new, and not for one of them.
    is_release: bool,
    /// The surprise of the oddest, were its callers known.
    named: f64,
}

impl NewThings {
    /// Takes in what partitions noted.
    pub(crate) fn take(&mut self, new_things: BTreeMap<Spot, Thing>) {
        for (spot, thing) in new_things {
            if let Some(known) = self.things.get_mut(&spot) {
                known.absorb(thing);
            } else if self.things.len() < THINGS_MAX {
                self.things.insert(spot, thing);
            } else {
                self.missed += thing.calls;
            }
        }
    }

    /// Raises what may be raised while the hour is open.
    pub(crate) fn look(&mut self, at: &At<'_>, findings: &mut Vec<Finding>) {
        let count = self.things.len() as u32;
        if count == 0 || count < self.tripwire {
            return;
        }
        self.tripwire = later(count);
        self.say(at, 0, findings);
    }

    /// Judges the hour whole; what it teaches comes back in `closed`.
    pub(crate) fn close(&mut self, at: &At<'_>, findings: &mut Vec<Finding>, closed: &mut Closed) {
        let context = at.context;
        let is_settled = context.logged_h >= LOGGED_H_MIN;
        closed.judged.push((Detector::Inventory, u64::from(is_settled)));
        self.say(at, 1, findings);
        let mut most = None;
        if let Some(mut read) = read(at, &self.things) {
            read.told.is_raised = self.raised.is_some();
            let bound = (COUNTED * read.told.upper).max(RELEASE_MIN as f64);
            most = read.told.is_raised.then_some(bound);
            closed.said.push(read.told);
        }
        let mut hosts: Vec<u64> = self.things.values().filter_map(|it| it.new_host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        closed.new = New {
            endpoints: endpoints_of(&self.things) as u32,
            hosts,
            mcp: self.things.values().filter(|it| it.is_mcp).count() as u32,
            day: context.hour.day_number(),
            logged_h: context.logged_h,
            most,
        };
        let missed = self.missed;
        *self = Self { missed, ..Self::default() };
    }

    /// Raises what passes the cut, or says it again; `more` makes the last revision the highest.
    fn say(&mut self, at: &At<'_>, more: u64, findings: &mut Vec<Finding>) {
        let context = at.context;
        let Some(read) = read(at, &self.things) else { return };
        let is_few = read.is_release && endpoints_of(&self.things) < RELEASE_MIN;
        if is_few || !read.told.may_raise(context) {
            return;
        }
        let seen = self.things.len() as u64;
        let raised = self.raised.get_or_insert_with(|| (read.oddest.0.clone(), Raised::default()));
        if more == 0 && !raised.1.is_due(seen) {
            return;
        }
        let is_first = raised.1.said_at == 0;
        raised.1.said_at = seen;
        // The hour's finding stays one, whatever becomes the oddest.
        let about = raised.0.clone();
        findings.push(finding(context, &read, &self.things, &about, (seen + more, is_first)));
    }

    /// Calls of new things beyond the limit.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.things.values_mut().flat_map(|it| &mut it.evidence)
    }

    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.things.values_mut().for_each(|thing| thing.callers.remove(hashes));
    }
}

/// How many different endpoints are new.
fn endpoints_of(things: &BTreeMap<Spot, Thing>) -> usize {
    let new = things.iter().filter(|(_, it)| it.is_endpoint_new);
    new.map(|(spot, _)| spot.endpoint).collect::<BTreeSet<_>>().len()
}

/// The law of what is new: how many, by Good and Turing (Biometrika 40, 1953) and by the hours before;
/// and that one of them has all that is rare about it, a Poisson process thinned by the share of each.
fn read<'a>(at: &At<'_>, things: &'a BTreeMap<Spot, Thing>) -> Option<Read<'a>> {
    let context = at.context;
    let is_settled = context.logged_h >= LOGGED_H_MIN;
    if !is_settled || !context.plan.is_enabled(Detector::Inventory) || things.is_empty() {
        return None;
    }
    let usual = context.population.offered;
    let calls = usual.answered / f64::from(context.logged_h.max(1));
    let law = context.population.inventory.endpoints(calls * usual.once_share);
    let endpoints = endpoints_of(things);
    let count = law.surprise(endpoints as f64);
    let rate = |spot: &Spot, it: &Thing, is_named: bool| {
        let inventory = &context.population.inventory;
        let mut rate = if it.new_host.is_some() { inventory.hosts_expected() } else { law.mean };
        if it.unnamed == it.calls && !is_named {
            rate *= usual.unnamed_share;
        }
        if it.is_mcp {
            rate *= inventory.mcp_share();
        }
        if context.classes.of(EndpointId(spot.endpoint)).has(Class::Privileged) {
            rate /= PRIVILEGED;
        }
        rate
    };
    let oddest = things.iter().min_by(|a, b| {
        rate(a.0, a.1, false).total_cmp(&rate(b.0, b.1, false)).then_with(|| a.0.cmp(b.0))
    })?;
    let surprise = |rate: f64| -(-(-rate).exp_m1()).max(f64::MIN_POSITIVE).log10();
    let one = surprise(rate(oddest.0, oddest.1, false));
    let told = Told {
        detector: Detector::Inventory,
        subject: Subject {
            tenant: oddest.0.tenant.clone(),
            address: None,
            entity: context.endpoints.name(EndpointId(oddest.0.endpoint)).to_owned(),
        },
        start: context.hour,
        observed: endpoints as f64,
        expected: law.mean,
        surprise: largest_of(count.max(one), LOOKS).max(0.0),
        upper: law.quantile(UPPER_SURPRISE),
        since: context.hour.plus(-i64::from(context.logged_h) * model::time::NS_PER_H),
        history_n: usual.answered as u64,
        peers_n: 0,
        is_raised: false,
        goes_on: false,
    };
    let named = largest_of(surprise(rate(oddest.0, oddest.1, true)), LOOKS);
    Some(Read { told, oddest, is_release: count >= one, named })
}

fn finding(
    context: &Context<'_>,
    read: &Read<'_>,
    things: &BTreeMap<Spot, Thing>,
    about: &Spot,
    revision: (u64, bool),
) -> Finding {
    let name = |spot: &Spot| context.endpoints.name(EndpointId(spot.endpoint)).to_owned();
    let (spot, thing) = read.oddest;
    let cut =
        context.calibration.surprise_at(read.told.detector, context.cut_of(read.told.detector));
    let told = Told {
        subject: Subject { entity: name(about), ..read.told.subject.clone() },
        ..read.told.clone()
    };
    let logged = span(i64::from(context.logged_h) * model::time::NS_PER_H);
    let expected = format!(
        "{} new endpoints are expected in an hour and 99.9 % of hours stay under {}",
        number(told.expected),
        number(told.upper),
    );
    let (sentence, counterfactual) = if read.is_release {
        let first = things.values().map(|it| it.first).min().unwrap_or_default();
        let last = things.values().map(|it| it.last).max().unwrap_or_default();
        let law = context.population.inventory.endpoints(told.expected);
        let least = crate::statistics::moments::smallest(|count| {
            largest_of(law.surprise(count), LOOKS) >= cut
        });
        (
            format!(
                "{} answered with success {} that had never been in {logged} of log; {expected}.",
                counted(endpoints_of(things) as u64, "endpoint"),
                crate::explain::clock(first, last),
            ),
            format!("would not be reported at {} or fewer", number(least.max(3.0) - 1.0)),
        )
    } else {
        let counterfactual = if thing.unnamed == thing.calls && read.named < cut {
            "would not be reported if its callers had credentials"
        } else {
            "would not be reported if it had answered before"
        };
        (
            one_in_words(context, (spot, thing), &name(spot), &logged, &expected),
            counterfactual.to_owned(),
        )
    };
    let share = 1.0 / things.len().max(1) as f64;
    let contributors = things.iter().take(Finding::CONTRIBUTORS_MAX).map(|(spot, _)| Contributor {
        name: if spot.host.is_empty() {
            name(spot)
        } else {
            format!("{} at {}", name(spot), spot.host)
        },
        observed: 1.0,
        share,
    });
    let words = Words {
        sentence,
        counterfactual,
        contributors: contributors.collect(),
        evidence_sql: format!(
            "SELECT endpoint, first_seen, last_seen, requests, answered, answered_unauthenticated \
             FROM endpoints WHERE endpoint = {} OR first_seen >= TIMESTAMP '{}' ORDER BY first_seen LIMIT 48",
            quote(&name(about)),
            told.start,
        ),
        danger: if thing.unnamed > 0 && thing.is_mcp { 0.85 } else { ABOUT.danger },
    };
    told.finding(context, words, (thing.last, &thing.evidence), revision)
}

fn one_in_words(
    context: &Context<'_>,
    (spot, thing): (&Spot, &Thing),
    name: &str,
    logged: &str,
    expected: &str,
) -> String {
    let inventory = &context.population.inventory;
    let at = if spot.host.is_empty() { String::new() } else { format!(" at {}", spot.host) };
    let never = if thing.new_host.is_some() { "the host" } else { "it" };
    let mcp = if thing.is_mcp {
        format!(
            "; it speaks MCP, as {} of what was new before did",
            fine_percent(inventory.mcp_share())
        )
    } else {
        String::new()
    };
    let unnamed = if thing.unnamed == thing.calls {
        format!(
            "; {} of the calls answered before were without credentials",
            fine_percent(context.population.offered.unnamed_share)
        )
    } else {
        String::new()
    };
    let hosts = if thing.new_host.is_some() {
        format!("{} new hosts and ", number(inventory.hosts_expected()))
    } else {
        String::new()
    };
    format!(
        "{name}{at} answered {} with success since {}, {} of them without credentials, from {}{}; {never} \
         had never answered in {logged} of log{mcp}{unnamed}; {hosts}{expected}.",
        counted(thing.calls, "call"),
        thing.first,
        number(thing.unnamed as f64),
        if thing.is_full() { "at least " } else { "" },
        counted(thing.callers.len() as u64, "caller"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Time;

    #[test]
    fn new_things_are_told_apart_up_to_a_limit() {
        let mut new_things = NewThings::default();
        let things = (0..THINGS_MAX as u32 + 5).map(|endpoint| {
            let spot = Spot { tenant: Box::default(), host: Box::default(), endpoint };
            (spot, Thing::at(Time::from_ns(0)))
        });
        new_things.take(things.collect());
        assert_eq!((new_things.things.len(), new_things.missed), (THINGS_MAX, 0));
    }
}
