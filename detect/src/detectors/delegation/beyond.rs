//! What an agent does for those whom it acts for, and they never do themselves.
//!
//! Some agents always do (whoever has one for its reports never makes any), others never: so the share is
//! compared with the agent's own hours. It is one chance for all that an hour has, which differs between
//! hours as a Beta law does, because what goes beyond one goes beyond several.

use super::{BEYOND_MIN, HOURS_MIN, history};
use crate::detectors::{Law, Reading, UPPER_SURPRISE, View, Words, ranked_sql};
use crate::explain::{counted, number, percent, span};
use crate::identity::Far;
use crate::open_window::{Beyond, Outside};
use crate::statistics::moments::{beta_of, smallest};
use crate::statistics::tail::{beta_binomial, largest_of, seen_before};
use model::{Contributor, Detector, EndpointId, Finding};

/// For how many, and how far, is looked at in one hour.
const LOOKS: f64 = 2.0;

/// The law of an hour: how many are compared, and the chance of each.
#[derive(Clone, Copy, Debug)]
struct Usual {
    compared: f64,
    beta: (f64, f64),
    /// The most of any hour that was learned, and how many there are.
    most: f64,
    hours: f64,
    /// The learned hours that went farthest, and the day of this one.
    far: [Far; 4],
    today: u16,
}

impl Usual {
    /// `None` where too little is known of the agent itself: others say nothing of what it is for.
    fn of(view: &View<'_>, beyond: &Beyond) -> Option<Self> {
        let acting = view.identity.acting.as_deref()?;
        let hours = f64::from(acting.beyond.n);
        if hours < f64::from(HOURS_MIN) {
            return None;
        }
        let peers = Some(&view.population.agents.beyond).filter(|sums| sums.n > 0.0);
        Some(Self {
            compared: f64::from(beyond.compared),
            beta: beta_of(&acting.beyond, peers),
            most: f64::from(acting.beyond_most),
            hours,
            far: acting.far,
            today: view.open.start.day_number() as u16,
        })
    }

    fn share(&self) -> f64 {
        let (a, b) = self.beta;
        a / (a + b)
    }

    fn mean(&self) -> f64 {
        self.compared * self.share()
    }

    /// Whether an hour was learned, not too long ago, that went as far: by its count, and by its share too,
    /// because a few of many are no precedent for all of few.
    fn went_as_far(&self, count: f64) -> bool {
        self.far.iter().any(|it| it.tells(self.today) && it.covers(count, self.compared))
    }

    fn surprise(&self, count: f64) -> f64 {
        if count <= self.mean() {
            return 0.0;
        }
        let mut single = beta_binomial(count, self.compared, self.beta);
        if self.went_as_far(count) {
            single = seen_before(single, self.hours);
        }
        largest_of(single, LOOKS)
    }
}

/// The endpoint that was called for most of those who do not call it; the one that was said, once it was.
fn entity(view: &View<'_>, beyond: &Beyond) -> Option<EndpointId> {
    let mut said = view.open.raised.iter().filter(|it| it.detector == Detector::Delegation);
    let said = said.find_map(|it| it.entity);
    let each = beyond.endpoints.iter();
    let most = each.max_by(|x, y| x.subjects.cmp(&y.subjects).then(y.endpoint.cmp(&x.endpoint)));
    said.or_else(|| most.map(|it| it.endpoint))
}

pub(super) fn read(view: &View<'_>) -> Option<Reading> {
    let beyond = &view.open.acted.as_deref()?.beyond;
    let entity = entity(view, beyond)?;
    let usual = Usual::of(view, beyond)?;
    let count = f64::from(beyond.count);
    Some(Reading {
        detector: Detector::Delegation,
        entity: Some(entity),
        start: view.open.start,
        end: view.open.end(),
        observed: count,
        expected: usual.mean(),
        surprise: usual.surprise(count),
        law: Law::Bound(smallest(|count| usual.surprise(count) >= UPPER_SURPRISE)),
    })
}

pub(super) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Option<Words> {
    let acted = view.open.acted.as_deref()?;
    let beyond = &acted.beyond;
    let usual = Usual::of(view, beyond)?;
    let few = smallest(|count| usual.surprise(count) >= cut) - 1.0;
    let at_least = if beyond.is_full() { "at least " } else { "" };
    Some(Words {
        sentence: format!(
            "agent {} did on behalf of {} what they did not do themselves in the last {} or more before this \
             hour: {at_least}{} of the {} pairs of an identity and an endpoint that were compared in {}; it goes so \
             far in {} of such pairs, so {} are expected in an hour like this, 99.9 % of such hours stay under {}, its own most \
             in those that were learned is {}; {}.",
            view.identity.name,
            counted(u64::from(beyond.subjects.served()), "identity"),
            counted(u64::from(beyond.days), "day"),
            number(reading.observed),
            number(usual.compared),
            span(acted.last.since(acted.first)),
            percent(usual.share()),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            number(usual.most),
            history(view, view.identity.acting.as_deref()),
        ),
        counterfactual: format!(
            "would not be reported at {} or fewer of as many pairs",
            number(few.max(f64::from(BEYOND_MIN - 1))),
        ),
        contributors: contributors(view, beyond),
        evidence_sql: ranked_sql(
            view,
            Detector::Delegation,
            &["subjects_distinct", "subjects_new", "acted_requests", "chain_actors_max"],
        ),
        danger: super::ABOUT.danger,
    })
}

/// The endpoints, by for how many who do not call them.
fn contributors(view: &View<'_>, beyond: &Beyond) -> Vec<Contributor> {
    let mut parts = beyond.endpoints.clone();
    parts.sort_by(|x, y| y.subjects.cmp(&x.subjects).then(x.endpoint.cmp(&y.endpoint)));
    parts.truncate(Finding::CONTRIBUTORS_MAX);
    let part = |it: Outside| Contributor {
        name: view.endpoints.name(it.endpoint).to_owned(),
        observed: f64::from(it.subjects),
        share: f64::from(it.subjects) / f64::from(beyond.count.max(1)),
    };
    parts.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an hour says of an agent that goes beyond in one of a hundred pairs, and once did in 12 of 300.
    fn says(count: f64, compared: f64, today: u16) -> f64 {
        let mut far = [Far::default(); 4];
        far[2] = Far { count: 12, compared: 300, day: 10 };
        let beta = (4.0, 396.0);
        Usual { compared, beta, most: 12.0, hours: 99.0, far, today }.surprise(count)
    }

    #[test]
    fn a_few_of_many_are_no_precedent_for_all_of_few() {
        assert!(says(12.0, 300.0, 20) < 2.0, "{}", says(12.0, 300.0, 20));
        assert!(says(12.0, 12.0, 20) > 10.0, "{}", says(12.0, 12.0, 20));
        // With so many pairs as then, more than then is odd again, and all of it once it is long ago.
        assert!(says(60.0, 300.0, 20) > 5.0, "{}", says(60.0, 300.0, 20));
        assert!((says(11.0, 12.0, 20) - says(11.0, 12.0, 71)).abs() < 1e-12);
        assert!(says(12.0, 300.0, 71) > says(12.0, 300.0, 70));
    }
}
