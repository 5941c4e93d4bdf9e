//! From which endpoint to which: the steps of everybody's sessions.

use super::grow;
use crate::snapshot::plain::{self, Plain, plain_unless_default};
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Pairs of endpoints that are kept; the rarest are dropped, of equally rare ones the newest.
const PAIRS_MAX: usize = 65_536;
/// Pairs that a partition gathers within an hour before it sums them up.
const GATHERED_MAX: usize = 2 * PAIRS_MAX;
/// Pairs that became rarer than this are forgotten.
const STEPS_MIN: f32 = 0.01;
/// Steps from an endpoint from which on it is known what follows.
const FROM_MIN: f32 = 50.0;
/// Steps to an endpoint from which on it is not new to everybody.
const TO_MIN: f32 = 10.0;
/// Sessions from which on anything is known.
const SESSIONS_MIN: f32 = 200.0;
/// Steps to an endpoint from which on one may be its usual one.
const USUAL_STEPS_MIN: f32 = 200.0;
/// The share of the steps to an endpoint from which on theirs is the usual one.
const USUAL_SHARE: f32 = 0.95;
/// Steps that the mix of all steps weighs as at least, where it stands for what follows an endpoint.
const ESCAPE_MIN: f32 = 5.0;
/// Identities with a finding in one hour from which on the site has changed, and not they.
const CHANGED_MIN: u32 = 5;
/// The share of the judged windows from which on it has.
const CHANGED_SHARE: f32 = 0.1;
/// Hours with a log for which nobody is judged then: the old order outweighs the new one for long.
const CHANGED_H: u8 = 24;

/// How often each endpoint was followed by each, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pairs(Vec<((EndpointId, EndpointId), f32)>);

impl Pairs {
    /// Sorts what was added, and sums up what is of one pair.
    fn sum_up(&mut self) {
        // A stable sort: sums of floats must not depend on how equals were moved.
        self.0.sort_by_key(|(pair, _)| *pair);
        self.0.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
    }

    /// Drops the rarest beyond the limit; how many.
    fn bound(&mut self) -> u64 {
        let beyond = self.0.len().saturating_sub(PAIRS_MAX);
        if beyond > 0 {
            self.0.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            self.0.truncate(PAIRS_MAX);
            self.0.sort_by_key(|(pair, _)| *pair);
        }
        beyond as u64
    }

    fn of(&self, from: EndpointId, to: EndpointId) -> f32 {
        let found = self.0.binary_search_by_key(&(from, to), |(pair, _)| *pair);
        found.ok().and_then(|index| self.0.get(index)).map_or(0.0, |(_, steps)| *steps)
    }
}

impl Plain for Pairs {
    type As = Vec<(u32, u32, f32)>;

    fn to_plain(&self) -> Self::As {
        self.0.iter().map(|((from, to), steps)| (from.0, to.0, *steps)).collect()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        let each = plain.into_iter().map(|(from, to, steps)| {
            Some(((EndpointId::from_plain(from)?, EndpointId::from_plain(to)?), steps))
        });
        each.collect::<Option<Vec<_>>>().map(Self)
    }
}

/// How often an endpoint was reached without the step that is usual before it, by hours of identities.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Skips {
    /// Hours of identities that reached it.
    pub(crate) hours: f32,
    /// Those in which the usual step was missing at least once.
    pub(crate) skipping: f32,
    /// How often it was missing in those.
    pub(crate) missing: f32,
}

impl Skips {
    fn absorb(&mut self, other: &Self) {
        self.hours += other.hours;
        self.skipping += other.skipping;
        self.missing += other.missing;
    }

    fn decay(&mut self, factor: f32) {
        self.hours *= factor;
        self.skipping *= factor;
        self.missing *= factor;
    }
}

/// What one partition saw since the last exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    #[serde(with = "plain")]
    pairs: Pairs,
    sessions: f32,
    /// By endpoint, sorted.
    skips: Vec<(u32, Skips)>,
    dropped: u64,
    /// Windows that were judged, and those of them with a finding.
    judged: u32,
    raised: u32,
}

impl Seen {
    pub(crate) fn add(&mut self, from: EndpointId, to: EndpointId, steps: f32) {
        if self.pairs.0.len() >= GATHERED_MAX {
            self.pairs.sum_up();
            self.dropped += self.pairs.bound();
        }
        self.pairs.0.push(((from, to), steps));
    }

    /// Notes a window that was judged, and whether it has a finding.
    pub(crate) fn judge(&mut self, is_raised: bool) {
        self.judged += 1;
        self.raised += u32::from(is_raised);
    }

    pub(crate) const fn add_sessions(&mut self, sessions: f32) {
        self.sessions += sessions;
    }

    /// Adds an hour in which an endpoint was reached, `skips` times without its usual step.
    pub(crate) fn add_skips(&mut self, at: EndpointId, skips: u32, weight: f32) {
        let skipping = if skips > 0 { weight } else { 0.0 };
        let one = Skips { hours: weight, skipping, missing: skips as f32 * weight };
        match self.skips.binary_search_by_key(&at.0, |(endpoint, _)| *endpoint) {
            Ok(index) => {
                if let Some((_, sum)) = self.skips.get_mut(index) {
                    sum.absorb(&one);
                }
            }
            Err(index) => self.skips.insert(index, (at.0, one)),
        }
    }
}

/// What the steps say of one endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Place {
    /// Steps to it and from it, and to how many endpoints those went.
    ins: f32,
    outs: f32,
    kinds: u32,
    /// The endpoint that nearly all steps to it came from.
    #[serde(with = "plain")]
    usual: Option<EndpointId>,
    skips: Skips,
}

plain_unless_default!(Place);

/// The steps of everybody, as of the last exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Steps {
    #[serde(with = "plain")]
    pairs: Pairs,
    #[serde(with = "plain")]
    places: Vec<Place>,
    total: f32,
    kinds: u32,
    sessions: f32,
    /// Pairs that made room for more frequent ones.
    dropped: u64,
    /// Hours for which the site still counts as changed, because so many raised something at once.
    changed_h: u8,
}

/// What is usual before an endpoint, and how usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    pub(crate) from: EndpointId,
    /// Its share of all steps to the endpoint, and how many those are.
    pub(crate) share: f64,
    pub(crate) steps: f64,
    pub(crate) skips: Skips,
}

impl Steps {
    /// Merges and empties what the partitions saw, in their order.
    pub(crate) fn absorb<'a>(&mut self, seen: impl Iterator<Item = &'a mut Seen>) {
        let (mut judged, mut raised) = (0, 0);
        for seen in seen {
            let seen = std::mem::take(seen);
            self.pairs.0.extend(seen.pairs.0);
            self.sessions += seen.sessions;
            self.dropped += seen.dropped;
            judged += seen.judged;
            raised += seen.raised;
            for (endpoint, skips) in seen.skips {
                grow(&mut self.places, endpoint as usize + 1);
                if let Some(place) = self.places.get_mut(endpoint as usize) {
                    place.skips.absorb(&skips);
                }
            }
        }
        let is_changed = raised >= CHANGED_MIN && raised as f32 >= CHANGED_SHARE * judged as f32;
        self.changed_h = if is_changed { CHANGED_H } else { self.changed_h.saturating_sub(1) };
        self.draw();
    }

    /// Follows the folds of the learned templates.
    pub(crate) fn fold(&mut self, endpoints: &Endpoints) {
        for ((from, to), _) in &mut self.pairs.0 {
            (*from, *to) = (endpoints.resolve(*from), endpoints.resolve(*to));
        }
        for index in 0..self.places.len() {
            let new = endpoints.resolve(EndpointId(index as u32)).0 as usize;
            let old = self.places.get_mut(index).map(|place| std::mem::take(&mut place.skips));
            grow(&mut self.places, new + 1);
            if let (Some(place), Some(old)) = (self.places.get_mut(new), old) {
                place.skips.absorb(&old);
            }
        }
        self.draw();
    }

    /// Forgets a part: all times `factor`.
    pub(crate) fn decay(&mut self, factor: f32) {
        self.pairs.0.iter_mut().for_each(|(_, steps)| *steps *= factor);
        self.pairs.0.retain(|(_, steps)| *steps >= STEPS_MIN);
        self.places.iter_mut().for_each(|place| place.skips.decay(factor));
        self.sessions *= factor;
        self.draw();
    }

    /// Draws what the pairs say of each endpoint.
    fn draw(&mut self) {
        self.pairs.sum_up();
        self.dropped += self.pairs.bound();
        for place in &mut self.places {
            *place = Place { skips: place.skips, ..Place::default() };
        }
        self.total = 0.0;
        for ((from, to), steps) in &self.pairs.0 {
            grow(&mut self.places, (from.0.max(to.0)) as usize + 1);
            self.total += steps;
            if let Some(place) = self.places.get_mut(from.0 as usize) {
                place.outs += steps;
                place.kinds += 1;
            }
            if let Some(place) = self.places.get_mut(to.0 as usize) {
                place.ins += steps;
            }
        }
        self.kinds = self.places.iter().filter(|place| place.ins > 0.0).count() as u32;
        for ((from, to), steps) in &self.pairs.0 {
            if let Some(place) = self.places.get_mut(to.0 as usize)
                && from != to
                && place.ins >= USUAL_STEPS_MIN
                && *steps >= USUAL_SHARE * place.ins
            {
                place.usual = Some(*from);
            }
        }
    }

    fn place(&self, endpoint: EndpointId) -> Place {
        self.places.get(endpoint.0 as usize).copied().unwrap_or_default()
    }

    /// Whether enough is known to judge anybody, and the site is as it was.
    pub(crate) const fn is_ready(&self) -> bool {
        self.sessions >= SESSIONS_MIN && self.changed_h == 0
    }

    /// Whether the site has changed, so that what is odd now is the new order.
    pub(crate) const fn is_changed(&self) -> bool {
        self.changed_h > 0
    }

    /// −log2 of the chance that `to` follows `from`; `None` where that is not known.
    ///
    /// Smoothed towards the mix of all steps with the weight of the number of endpoints that ever
    /// followed (Witten and Bell, IEEE Trans. Inf. Theory 37, 1991).
    pub(crate) fn bits(&self, from: EndpointId, to: EndpointId) -> Option<f64> {
        let (place, next) = (self.place(from), self.place(to));
        if place.outs < FROM_MIN || next.ins < TO_MIN || !self.is_ready() {
            return None;
        }
        let unseen = 1.0 / (f64::from(self.kinds) + 1.0);
        let mix = (f64::from(next.ins) + unseen) / (f64::from(self.total) + 1.0);
        let escape = f64::from(ESCAPE_MIN.max(place.kinds as f32));
        let steps = f64::from(self.pairs.of(from, to));
        Some(-((steps + escape * mix) / (f64::from(place.outs) + escape)).log2())
    }

    /// The step that is usual before an endpoint, if one is.
    pub(crate) fn usual(&self, endpoint: EndpointId) -> Option<Usual> {
        let place = self.place(endpoint);
        let from = place.usual.filter(|_| self.is_ready())?;
        let (steps, ins) = (f64::from(self.pairs.of(from, endpoint)), f64::from(place.ins));
        Some(Usual { from, share: steps / ins, steps: ins, skips: place.skips })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EndpointSource;

    const A: EndpointId = EndpointId(0);
    const B: EndpointId = EndpointId(1);
    const C: EndpointId = EndpointId(2);

    /// The steps of 300 sessions, in two partitions.
    fn known(pairs: &[(EndpointId, EndpointId, f32)]) -> Steps {
        let mut seen = [Seen::default(), Seen::default()];
        for (nth, (from, to, steps)) in pairs.iter().enumerate() {
            seen[nth % 2].add(*from, *to, *steps);
        }
        seen[0].add_sessions(300.0);
        let mut steps = Steps::default();
        steps.absorb(seen.iter_mut());
        steps
    }

    #[test]
    fn what_never_follows_is_odder_than_what_does() {
        let steps = known(&[(A, B, 400.0), (B, C, 400.0), (C, A, 380.0)]);
        let usual = steps.bits(A, B).unwrap();
        let odd = steps.bits(A, C).unwrap();
        assert!(usual < 0.1 && odd > 5.0, "{usual} and {odd}");
        assert_eq!(steps.bits(A, EndpointId(9)), None, "nothing is known of a new endpoint");
    }

    #[test]
    fn the_usual_step_is_one_that_nearly_all_come_from() {
        let steps = known(&[(A, B, 297.0), (C, B, 3.0), (B, C, 150.0), (A, C, 150.0)]);
        let usual = steps.usual(B).unwrap();
        assert_eq!(usual.from, A);
        assert!((usual.share - 0.99).abs() < 1e-6);
        assert!(steps.usual(C).is_none());
    }

    #[test]
    fn folded_endpoints_share_their_steps() {
        let mut endpoints = Endpoints::default();
        for name in ["GET /a", "GET /b/1", "GET /b/2", "GET /b/{var}"] {
            endpoints.push(name, EndpointSource::Learned);
        }
        let mut steps = known(&[(A, B, 150.0), (A, C, 149.0), (C, B, 1.0)]);
        assert!(steps.usual(B).is_none());
        endpoints.fold(B, EndpointId(3));
        endpoints.fold(C, EndpointId(3));
        steps.fold(&endpoints);
        assert_eq!(steps.usual(EndpointId(3)).map(|it| (it.from, it.steps)), Some((A, 300.0)));
    }

    #[test]
    fn the_rarest_pairs_make_room_and_are_counted() {
        let mut seen = Seen::default();
        for nth in 0..GATHERED_MAX as u32 + 7 {
            seen.add(
                EndpointId(nth / 512),
                EndpointId(nth % 512),
                if nth < 10 { 1.0 } else { 5.0 },
            );
        }
        let mut steps = Steps::default();
        steps.absorb(std::iter::once(&mut seen));
        assert_eq!((steps.pairs.0.len(), steps.dropped), (PAIRS_MAX, PAIRS_MAX as u64 + 7));
        assert!(steps.pairs.of(EndpointId(0), EndpointId(3)) < 0.5, "rare");
        assert!(steps.pairs.of(EndpointId(0), EndpointId(30)) > 4.0);
    }

    #[test]
    fn when_many_are_odd_at_once_the_site_has_changed() {
        let mut steps = known(&[(A, B, 400.0), (B, A, 400.0)]);
        let hour = |raised| Seen { judged: 60, raised, ..Seen::default() };
        steps.absorb(std::iter::once(&mut hour(5)));
        assert!(steps.is_ready(), "five of sixty may be five attackers");
        steps.absorb(std::iter::once(&mut hour(30)));
        assert!(steps.is_changed() && steps.bits(A, B).is_none());
        for _ in 1..CHANGED_H {
            steps.absorb(std::iter::once(&mut hour(0)));
        }
        assert!(!steps.is_ready());
        steps.absorb(std::iter::once(&mut hour(0)));
        assert!(steps.is_ready());
    }
}
