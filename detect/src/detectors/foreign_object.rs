//! Foreign-object access (ownership break): objects that until now one other identity alone has read.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, windows_sql};
use crate::alarm;
use crate::explain::{counted, history, number, span, subject};
use crate::identity::{FOREIGN_DAYS, Identity};
use crate::open_window::{DISTINCT_MAX, Distinct, ObjectSet, OpenWindow};
use crate::population::{Measure, Owners, Whose};
use crate::statistics::moments::Sums;
use crate::statistics::tail::{largest_of, seen_before};
use crate::statistics::{Moments, Predictive};
use model::time::NS_PER_D;
use model::{Contributor, Detector, EndpointId, Event, EventBatch, Evidence, Finding, Time};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "objects of others",
    danger: 0.9,
    owasp: &["API1:2023", "ASI03"],
    attack: &["T1213"],
};

/// Fewer objects of others than this are never a finding.
const OBJECTS_MIN: f64 = 5.0;
/// The hour, the day and the week are looked at.
const LOOKS: f64 = 3.0;

/// The objects of a set that somebody else alone has read, each with whom.
fn each_foreign(view: &View<'_>, set: &ObjectSet) -> impl Iterator<Item = (u64, u32)> {
    let (owners, reader) = (&view.population.owners, view.identity.hash);
    let is_private = owners.privacy(set.endpoint).is_some();
    let objects = set.objects.iter().filter(move |_| is_private);
    objects.filter_map(move |object| match owners.whose(set.endpoint, object, reader) {
        Whose::Foreign(other) => Some((object, other)),
        Whose::Own | Whose::Unknown => None,
    })
}

/// How many objects of a set somebody else alone has read, and how many others those are of.
fn foreign_in(view: &View<'_>, set: &ObjectSet) -> (u32, u32) {
    let mut others = Distinct::default();
    let mut count = 0;
    for (_, other) in each_foreign(view, set) {
        count += 1;
        others.add(u64::from(other), DISTINCT_MAX);
    }
    (count, others.len() as u32)
}

/// Marks of the objects of others in the open hour, over all endpoints: sorted, each once.
pub(crate) fn marks(view: &View<'_>) -> Vec<u32> {
    let mut marks = Vec::new();
    if !view.identity.kind.is_given() {
        return marks;
    }
    for set in &view.open.objects {
        let each = each_foreign(view, set);
        marks.extend(each.map(|(object, _)| Owners::mark(set.endpoint, object)));
    }
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// Keeps a call that read an object of somebody else: what a finding shows, the first of each object.
pub(crate) fn see(
    owners: &Owners,
    identity: &Identity,
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    endpoint: EndpointId,
) {
    if !identity.kind.is_given() || open.foreign_read.len() >= Finding::EVIDENCE_MAX {
        return;
    }
    let (Some(object), Some(200..=299) | None) = (event.object, event.status()) else { return };
    // Few endpoints have objects of one reader each, and only there is anything looked up.
    let is_foreign = owners.privacy(endpoint).is_some()
        && matches!(owners.whose(endpoint, object, identity.hash), Whose::Foreign(_));
    if !is_foreign {
        return;
    }
    // Whoever polls one object is asked for each of its calls: what they show is made once.
    let link = alarm::object_link(batch, event);
    let is_same = |it: &Evidence| it.links.0.last() == Some(&link);
    if !open.foreign_read.iter().any(is_same) {
        open.foreign_read.push(alarm::evidence_of(batch, event));
    }
}

/// The objects of others in the open hour, over all endpoints.
pub(crate) fn count(view: &View<'_>) -> u32 {
    if !view.identity.kind.is_given() {
        return 0;
    }
    view.open.objects.iter().map(|set| foreign_in(view, set).0).sum()
}

pub(crate) fn could_read(view: &View<'_>) -> bool {
    let is_private = |set: &ObjectSet| view.population.owners.privacy(set.endpoint).is_some();
    view.identity.kind.is_given() && view.open.objects.iter().any(is_private)
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !view.identity.kind.is_given() {
        return None;
    }
    let by_set = view.open.objects.iter().map(|set| (foreign_in(view, set).0, set.endpoint));
    let (now, endpoint) = by_set.clone().max_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)))?;
    if now == 0 {
        return None;
    }
    let now: u32 = by_set.map(|(count, _)| count).sum();
    let law = law(view, &own(view)?)?;
    let mut surprise = law.surprise(f64::from(now));
    if now <= super::most(view, Measure::ForeignPerHour) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    let hour = Reading {
        detector: Detector::ForeignObject,
        entity: Some(endpoint),
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(now),
        expected: law.mean,
        surprise: largest_of(surprise, LOOKS),
        law: Law::Count(law, LOOKS),
    };
    let these = if view.identity.foreign.is_some() { marks(view) } else { Vec::new() };
    let of_days = |days| of_days(view, &hour, &these, days);
    let longer = [1, FOREIGN_DAYS].into_iter().filter_map(of_days);
    longer.chain([hour]).max_by(|a, b| a.surprise.total_cmp(&b.surprise))
}

fn own(view: &View<'_>) -> Option<Moments> {
    view.identity.counts.get(Measure::ForeignPerHour as usize).copied()
}

/// The law of an hour, where half an object was imagined over all hours: never is not impossible.
fn law(view: &View<'_>, own: &Moments) -> Option<Predictive> {
    if !view.population.is_ready() {
        return None;
    }
    let measure = Measure::ForeignPerHour as usize;
    // Such reads are so rare that one identity's own can be most of what its peers have.
    let mut peers = *view.population.peers(view.identity).counts.get(measure)?;
    peers.merge(&self::own(view)?, -1.0);
    let (n, sum) = (peers.n.max(1.0), peers.sum.max(0.0));
    let peers = Sums { n, sum, squares: peers.squares.max(sum) };
    let law = Predictive::of(own, &peers)?;
    let mean = law.mean.max(0.5 / (peers.n + 1.0));
    Some(Predictive { mean, variance: law.variance.max(mean) })
}

/// The same of the last days, today among them: the laws of their hours added up, as if they were
/// independent, and as they were before; of the objects each counts once, those of the hour among them.
fn of_days(view: &View<'_>, hour: &Reading, these: &[u32], days: usize) -> Option<Reading> {
    let past = view.identity.foreign.as_ref()?;
    let today = view.open.start.day_number();
    let (objects, hours) = past.last(today, days);
    if objects == 0 {
        return None;
    }
    let mut before = own(view)?;
    let kept = (1.0 - objects as f32 / before.sum.max(objects as f32)).max(0.0);
    before.n = (before.n - hours as f32).max(0.0);
    (before.sum, before.squares) = (before.sum * kept, before.squares * kept);
    let law = law(view, &before)?;
    let count = f64::from(past.beside(today, days, these)) + hour.observed;
    if past.is_said(today, count) {
        return None;
    }
    let hours = f64::from(hours) + 1.0;
    let law = Predictive { mean: law.mean * hours, variance: law.variance * hours };
    let first = i64::from(today) - days as i64 + 1;
    Some(Reading {
        start: Time::from_ns(first * NS_PER_D),
        end: Time::from_ns((i64::from(today) + 1) * NS_PER_D),
        observed: count,
        expected: law.mean,
        surprise: largest_of(law.surprise(count), LOOKS),
        law: Law::Count(law, LOOKS),
        ..*hour
    })
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= OBJECTS_MIN
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let endpoint = reading.entity.unwrap_or_default();
    let name = view.endpoints.name(endpoint);
    let owners = &view.population.owners;
    let privacy = owners.privacy(endpoint).unwrap_or_default();
    let is_hour = reading.end == view.open.end();
    let when = if is_hour {
        format!("in the hour from {}, up to {}", view.open.start, view.open.last)
    } else {
        let days = span(reading.end.since(reading.start));
        format!("in the {days} from {}, up to {}", reading.start, view.open.last)
    };
    let mut parts: Vec<_> = view
        .open
        .objects
        .iter()
        .map(|set| (foreign_in(view, set), set.endpoint))
        .filter(|((count, _), _)| *count > 0)
        .collect();
    parts.sort_by(|a, b| b.0.0.cmp(&a.0.0).then(a.1.cmp(&b.1)));
    let now: u32 = parts.iter().map(|((count, _), _)| count).sum();
    let others = parts.first().map_or(0, |((_, others), _)| *others);
    let hour = if is_hour {
        String::new()
    } else {
        format!("; {} of them in the hour from {}", number(f64::from(now)), view.open.start)
    };
    let sampled = match owners.sampled_share() {
        share if share < 1.0 => {
            format!(" (one object in {} is kept track of)", number(1.0 / share))
        }
        _ => String::new(),
    };
    let is_part = !is_hour && view.identity.foreign.as_ref().is_some_and(|it| it.is_full());
    let at_least = if is_part { "at least " } else { "" };
    let unit = if is_hour { "an active hour" } else { "as many active hours" };
    let contributors =
        parts.iter().take(Finding::CONTRIBUTORS_MAX).map(|((count, _), at)| Contributor {
            name: view.endpoints.name(*at).to_owned(),
            observed: f64::from(*count),
            share: f64::from(*count) / f64::from(now.max(1)),
        });
    Words {
        sentence: format!(
            "{} read {at_least}{} {when}{sampled} that until then somebody else alone had read{hour}: \
             most at {name}, of {} in this hour, where {} of the {} objects that are read often have one \
             reader; {} are expected in {unit} and 99.9 % of such stay under {}; {}.",
            subject(view.identity),
            counted(reading.observed as u64, "object"),
            counted(u64::from(others), "other"),
            number(f64::from(privacy.single)),
            number(f64::from(privacy.objects)),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} such objects or fewer",
            number(reading.law.value_at(cut).max(OBJECTS_MIN) - 1.0),
        ),
        contributors: contributors.collect(),
        evidence_sql: windows_sql(view, "objects_foreign, objects_distinct, requests"),
        danger: ABOUT.danger,
    }
}
