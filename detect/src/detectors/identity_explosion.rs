//! Identity explosion: far more identities come for the first time than ever did, or than there is
//! room for.
//!
//! How many are ordinary says the largest of the hours before: that one more hour is larger has the
//! chance 1 / (n + 1), whatever the law (Rényi, Ann. Sci. Univ. Clermont-Ferrand 8, 1962), and how much
//! larger it is has a Pareto tail, so that a launch is no flood. That there is no room is no statistic.

mod known;

pub(crate) use known::KnownNewcomers;
use known::{IDENTITIES_MIN, Usual};

use super::{About, UPPER_SURPRISE, Words};
use crate::engine::Context;
use crate::explain::{bytes, clock, counted, number, span};
use crate::snapshot::plain;
use crate::watch::{At, Closed, Firsts, KINDS, Raised, Spill, Subject, Told};
use model::time::NS_PER_H;
use model::{Contributor, Detector, Evidence, Finding, PrincipalType, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "new identities",
    danger: 0.7,
    owasp: &["API4:2023"],
    attack: &["T1499", "T1136"],
};

/// How bad it is once nobody new gets a place.
const DANGER_FULL: f64 = 0.9;
/// Hours of log before anything is called too many: a week has its own Monday.
const LOGGED_H_MIN: u32 = 7 * 24;
/// Hours at a log's start in which whoever is there comes for the first time.
const BEGUN_H: u32 = 24;
/// Hours without any of it after which what comes is another finding.
const OVER_H: i32 = 24;
/// The same of more than ever came, which has a beginning and an end; room is short for longer.
const PAUSE_H: i32 = 3;
/// What is said of an hour is said again where it has grown by this at the hour's end, or has doubled.
const GROWTH: f64 = 1.25;

/// Who came for the first time in one hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Hour {
    kinds: [u64; KINDS],
    /// About how many identities beyond the budget it had that were not there before it.
    beyond: u64,
    #[serde(with = "plain")]
    first: Option<Time>,
    #[serde(with = "plain")]
    last: Time,
    /// How many came in its busiest minute, and some of those.
    busiest: u64,
    #[serde(with = "plain")]
    evidence: Vec<Evidence>,
}

/// Hours that are one finding: with too many, and less than a day apart.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Episode {
    #[serde(with = "plain")]
    start: Time,
    #[serde(with = "plain")]
    detected_at: Time,
    last_hour: i32,
    /// Its busiest hour so far, and what was usual then.
    peak: Hour,
    usual: Usual,
    /// New identities of its hours that are closed.
    counted: u64,
    raised: Raised,
}

/// What is beyond the budget, over all partitions.
#[derive(Clone, Copy, Debug, Default)]
struct Beyond {
    since: Option<Time>,
    calls: u64,
    identities: u64,
}

/// Who came for the first time in the open hour, and what is said of it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Newcomers {
    hour: Hour,
    /// The calls beyond the budget in the open hour, and the identities beyond it before.
    calls_beyond: u64,
    beyond_before: u64,
    /// What each partition said last of those beyond its budget.
    spills: BTreeMap<u8, Spill>,
    /// The same of what partitions counted before they began anew.
    over: (u64, u64),
    episode: Option<Episode>,
    /// The hour that has too many.
    #[serde(with = "plain")]
    flooded: Option<Time>,
}

/// What an hour says.
struct Read {
    told: Told,
    usual: Usual,
    /// It has more than ever.
    is_far: bool,
    /// It has that, or more than there is room for.
    is_odd: bool,
}

impl Newcomers {
    /// Whether that hour has too many.
    pub(crate) fn is_flooded(&self, hour: Time) -> bool {
        self.flooded == Some(hour)
    }

    /// Takes in what partitions noted, in their order.
    pub(crate) fn take(&mut self, now: Time, firsts: Vec<Firsts>) {
        self.end(now);
        let (mut seen, mut evidence) = (0, Vec::new());
        for (partition, it) in firsts.into_iter().enumerate() {
            let Some(first) = it.first else { continue };
            let hour = &mut self.hour;
            for (count, more) in hour.kinds.iter_mut().zip(it.kinds) {
                *count += more;
            }
            hour.last = if hour.first.is_some() { hour.last.max(it.last) } else { it.last };
            hour.first = Some(hour.first.map_or(first, |before| before.min(first)));
            self.calls_beyond += it.beyond;
            seen += it.kinds.iter().sum::<u64>() + it.beyond;
            evidence.extend(it.evidence);
            if let Some(spill) = it.spill {
                let before = self.spills.insert(partition as u8, spill);
                if let Some(before) = before.filter(|before| before.since != spill.since) {
                    self.over.0 += before.calls;
                    self.over.1 += before.identities;
                }
            }
        }
        self.hour.beyond = self.beyond().identities.saturating_sub(self.beyond_before);
        if seen > self.hour.busiest {
            self.hour.busiest = seen;
            evidence.sort_by(|a: &Evidence, b| (a.time, &a.request).cmp(&(b.time, &b.request)));
            evidence.truncate(Finding::EVIDENCE_MAX);
            self.hour.evidence = evidence;
        }
    }

    /// Raises what may be raised while the hour is open.
    pub(crate) fn look(
        &mut self,
        at: &At<'_>,
        known: &KnownNewcomers,
        findings: &mut Vec<Finding>,
    ) {
        if self.hour.count() < IDENTITIES_MIN && self.calls_beyond == 0 {
            return;
        }
        let read = self.read(at.context, known);
        if read.is_odd {
            self.say(at.context, &read, false, findings);
        }
    }

    /// Judges the hour whole, and learns from it.
    pub(crate) fn close(
        &mut self,
        at: &At<'_>,
        known: &mut KnownNewcomers,
        findings: &mut Vec<Finding>,
        closed: &mut Closed,
    ) {
        let context = at.context;
        self.end(context.hour);
        let mut read = self.read(context, known);
        if read.is_odd {
            self.say(context, &read, true, findings);
        }
        let count = self.hour.count();
        if let Some(episode) = self.episode.as_mut().filter(|_| read.is_odd) {
            episode.counted += count;
        }
        let is_judged = is_known(context, &read.usual);
        closed.judged.push((Detector::IdentityExplosion, u64::from(is_judged)));
        if is_judged {
            read.told.is_raised = read.is_odd;
            closed.said.push(read.told);
        }
        // Hours in which whoever is there is new were hours without a flood, and no measure of how many come.
        let learned = if context.logged_h < BEGUN_H { 0 } else { count };
        known.learn(context.hour.day_number(), learned, read.is_odd, &read.usual);
        self.beyond_before = self.beyond().identities;
        self.calls_beyond = 0;
        self.hour = Hour::default();
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        let said = self.episode.iter_mut().flat_map(|it| &mut it.peak.evidence);
        self.hour.evidence.iter_mut().chain(said)
    }

    /// Ends what is more than a day ago.
    fn end(&mut self, now: Time) {
        let is_over = |it: &Episode| now.hour_number() - it.last_hour >= OVER_H;
        if self.episode.as_ref().is_some_and(is_over) {
            self.episode = None;
            self.spills.clear();
            (self.over, self.beyond_before) = ((0, 0), 0);
        }
    }

    /// What is beyond the budget since the episode began.
    fn beyond(&self) -> Beyond {
        let (calls, identities) = self.over;
        let mut all = Beyond { since: None, calls, identities };
        for spill in self.spills.values() {
            all.since = Some(all.since.map_or(spill.since, |since| since.min(spill.since)));
            all.calls += spill.calls;
            all.identities += spill.identities;
        }
        all
    }

    fn read(&self, context: &Context<'_>, known: &KnownNewcomers) -> Read {
        let (count, members) = (self.hour.count(), context.population.everyone.members);
        let usual = known.usual(context.hour.day_number(), members);
        let told = Told {
            detector: Detector::IdentityExplosion,
            subject: Subject {
                tenant: Box::default(),
                address: None,
                entity: ABOUT.unit.to_owned(),
            },
            start: context.hour,
            observed: count as f64,
            expected: usual.mean,
            surprise: usual.surprise(count as f64),
            upper: usual.value_at(UPPER_SURPRISE),
            since: usual.since.unwrap_or(context.hour),
            history_n: usual.hours,
            peers_n: u64::from(members),
            is_raised: false,
            goes_on: false,
        };
        let is_far = is_known(context, &usual) && count >= usual.floor() && told.may_raise(context);
        let is_enabled = context.plan.is_enabled(Detector::IdentityExplosion);
        let is_full = self.calls_beyond > 0 && is_enabled && told.is_within(context);
        Read { told, usual, is_far, is_odd: is_far || is_full }
    }

    /// Says it, or says it again where it has grown.
    fn say(&mut self, context: &Context<'_>, read: &Read, is_end: bool, into: &mut Vec<Finding>) {
        self.flooded = Some(context.hour);
        let beyond = self.beyond();
        let (count, hour) = (self.hour.count(), context.hour.hour_number());
        self.episode.take_if(|it| read.is_far && hour - it.last_hour >= PAUSE_H);
        let episode = self.episode.get_or_insert_with(|| Episode {
            start: context.hour,
            detected_at: self.hour.last,
            last_hour: hour,
            peak: Hour::default(),
            usual: read.usual,
            counted: 0,
            raised: Raised::default(),
        });
        episode.last_hour = hour;
        if count >= episode.peak.count() {
            episode.peak = self.hour.clone();
            episode.usual = read.usual;
        }
        let seen = (episode.counted + count + beyond.calls).max(1);
        let said = episode.raised.said_at;
        let has_grown =
            seen as f64 >= GROWTH * said as f64 || (seen > said && episode.start == context.hour);
        if !(episode.raised.is_due(seen) || is_end && has_grown) {
            return;
        }
        episode.raised.said_at = seen;
        let said = finding(context, episode, &beyond, (&read.told, (seen, said == 0)));
        into.push(said);
    }
}

impl Hour {
    /// How many came for the first time, those beyond the budget by an estimate.
    fn count(&self) -> u64 {
        self.kinds.iter().sum::<u64>() + self.beyond
    }

    /// Who they are, most first.
    fn contributors(&self) -> Vec<Contributor> {
        let kinds = PrincipalType::ALL.iter().map(|kind| kind.as_str()).zip(self.kinds);
        let mut parts: Vec<_> =
            kinds.chain([("{overflow}", self.beyond)]).filter(|(_, count)| *count > 0).collect();
        // Stable: equals stay in the order of the kinds.
        parts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        parts.truncate(Finding::CONTRIBUTORS_MAX);
        let all = self.count() as f64;
        let part = |(name, count): (&str, u64)| Contributor {
            name: name.to_owned(),
            observed: count as f64,
            share: count as f64 / all,
        };
        parts.into_iter().map(part).collect()
    }
}

/// Whether it is known how many come for the first time.
fn is_known(context: &Context<'_>, usual: &Usual) -> bool {
    context.logged_h >= LOGGED_H_MIN
        && usual.is_enough()
        && context.plan.is_enabled(Detector::IdentityExplosion)
}

/// The finding of an episode, which is about its busiest hour and about all that is beyond the budget.
fn finding(
    context: &Context<'_>,
    episode: &Episode,
    beyond: &Beyond,
    (now, revision): (&Told, (u64, bool)),
) -> Finding {
    let (usual, count) = (&episode.usual, episode.peak.count());
    let cut = context.cut_of(now.detector);
    let cut = context.calibration.surprise_at(now.detector, cut);
    let own = usual.surprise(count as f64);
    let is_far = is_known(context, usual) && count >= usual.floor() && own >= cut;
    let told = Told {
        start: episode.start,
        observed: count as f64,
        expected: usual.mean,
        // What there is no room for needs not be rare.
        surprise: own.max(cut),
        upper: usual.value_at(UPPER_SURPRISE),
        since: usual.since.unwrap_or(episode.start),
        history_n: usual.hours,
        ..now.clone()
    };
    let words = Words {
        sentence: sentence(context, episode, beyond),
        counterfactual: counterfactual(context, usual, is_far.then_some(cut), beyond),
        contributors: episode.peak.contributors(),
        evidence_sql: format!(
            "SELECT first_hour, count(*) AS identities FROM (SELECT tenant_id, principal_id, \
             min(window_start) AS first_hour FROM windows GROUP BY tenant_id, principal_id) AS firsts \
             WHERE first_hour <= TIMESTAMP '{}' GROUP BY first_hour ORDER BY first_hour DESC LIMIT 48",
            context.hour,
        ),
        danger: if beyond.calls > 0 { DANGER_FULL } else { ABOUT.danger },
    };
    let evidence = (episode.detected_at, &*episode.peak.evidence);
    let window_end = context.hour.plus(NS_PER_H);
    Finding { window_end, ..told.finding(context, words, evidence, revision) }
}

fn sentence(context: &Context<'_>, episode: &Episode, beyond: &Beyond) -> String {
    let (peak, usual) = (&episode.peak, &episode.usual);
    let about = if peak.beyond > 0 { "about " } else { "" };
    let came = format!(
        "{about}{} came for the first time {}",
        counted(peak.count(), "identity"),
        clock(peak.first.unwrap_or(peak.last), peak.last),
    );
    let history = match usual.since {
        Some(since) if is_known(context, usual) => format!(
            "{} are expected in an hour, the most in the hours learned is {} over {} in {}, and 99.9 % of \
             hours stay under {}",
            number(usual.mean),
            number(usual.most as f64),
            counted(usual.hours, "hour"),
            span(episode.start.since(since)),
            number(usual.value_at(UPPER_SURPRISE)),
        ),
        _ => format!(
            "how many are ordinary is not known yet, after {} with {} in the mean",
            counted(usual.hours, "hour"),
            number(usual.mean),
        ),
    };
    let full = beyond.since.map_or_else(String::new, |since| {
        format!(
            "; there is no room for more than {} of identities since {since}: {} by about {} are counted \
             together",
            bytes(context.plan.identities_bytes_max() as f64),
            counted(beyond.calls, "call"),
            counted(beyond.identities, "identity"),
        )
    });
    format!("{came}; {history}{full}.")
}

fn counterfactual(
    context: &Context<'_>,
    usual: &Usual,
    cut: Option<f64>,
    beyond: &Beyond,
) -> String {
    let fewer = cut.map(|cut| {
        let most = usual.least(cut).max(usual.floor()) - 1;
        format!("at {} or fewer in the hour", counted(most, "new identity"))
    });
    let room = (beyond.calls > 0).then(|| {
        format!(
            "if `detect.state_bytes_max`, which is {}, had room for all of them",
            context.plan.state_bytes_max,
        )
    });
    let both: Vec<_> = [fewer, room].into_iter().flatten().collect();
    format!("would not be reported {}", both.join(" and "))
}

#[cfg(test)]
mod tests;
