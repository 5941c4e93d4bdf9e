//! The operations of an identity's UTC day, until the day is over and they become rows.

use crate::open_window::OpenWindow;
use crate::snapshot::plain;
use model::{EndpointId, Endpoints, Time};
use serde::{Deserialize, Serialize};

/// Operations of one identity and day that are told apart; calls of further ones are counted together.
pub(crate) const OPERATIONS_MAX: usize = 512;

/// What an identity did at one endpoint on one day.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Operation {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) calls: u32,
    /// Calls that were not refused, of hours in which one was answered other than with an error.
    pub(crate) accepted: u32,
    /// Of those the ones in hours with a finding of this identity.
    pub(crate) in_findings: u32,
}

/// The operations of one day, sorted by endpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Operations {
    /// The number of the UTC day.
    pub(crate) day: i32,
    /// Calls of operations that there was no room for.
    pub(crate) others: u32,
    all: Vec<Operation>,
}

impl Operations {
    pub(crate) const fn of(day: i32) -> Self {
        Self { day, others: 0, all: Vec::new() }
    }

    /// Adds an hour that closed; whether it had a finding.
    pub(crate) fn add(&mut self, open: &OpenWindow, endpoints: &Endpoints, has_finding: bool) {
        let mut rest = open.calls;
        for seen in &open.endpoints {
            rest = rest.saturating_sub(seen.calls);
            let accepted =
                if seen.is_accepted { seen.calls.saturating_sub(seen.refused) } else { 0 };
            self.put(Operation {
                endpoint: endpoints.resolve(seen.endpoint),
                calls: seen.calls,
                accepted,
                in_findings: if has_finding { accepted } else { 0 },
            });
        }
        self.others = self.others.saturating_add(rest);
    }

    fn put(&mut self, new: Operation) {
        match self.all.binary_search_by_key(&new.endpoint, |it| it.endpoint) {
            Ok(place) => {
                if let Some(old) = self.all.get_mut(place) {
                    old.calls = old.calls.saturating_add(new.calls);
                    old.accepted = old.accepted.saturating_add(new.accepted);
                    old.in_findings = old.in_findings.saturating_add(new.in_findings);
                }
            }
            Err(place) if self.all.len() < OPERATIONS_MAX => {
                if self.all.len() == self.all.capacity() {
                    // Doubling would waste half of a short list, and there are many of those.
                    self.all.reserve_exact((self.all.len() / 4).max(2));
                }
                self.all.insert(place, new);
            }
            Err(_) => self.others = self.others.saturating_add(new.calls),
        }
    }

    /// The operations, by endpoint.
    pub(crate) fn all(&self) -> &[Operation] {
        &self.all
    }

    /// The start of the day.
    pub(crate) const fn start(&self) -> Time {
        Time::from_ns(self.day as i64 * model::time::NS_PER_D)
    }

    /// A finding of the whole day speaks of all that the day had.
    pub(crate) fn suspect_all(&mut self) {
        self.all.iter_mut().for_each(|it| it.in_findings = it.accepted);
    }

    /// Follows the folds of the learned templates.
    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        let all = std::mem::take(&mut self.all);
        for old in all {
            self.put(Operation { endpoint: endpoints.resolve(old.endpoint), ..old });
        }
    }

    /// Whether what is searched is in order and within its limits; what was read back may not be.
    pub(crate) fn is_sound(&self) -> bool {
        let days = Time::END_EVENT.day_number();
        (-days..=days).contains(&self.day)
            && self.all.len() <= OPERATIONS_MAX
            && self.all.is_sorted_by(|a, b| a.endpoint < b.endpoint)
    }

    /// Bytes of memory that they take.
    pub(crate) const fn bytes(&self) -> usize {
        size_of::<Self>() + self.all.len() * size_of::<Operation>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EndpointSource;

    fn one(endpoint: u32, calls: u32) -> Operation {
        Operation { endpoint: EndpointId(endpoint), calls, accepted: calls, in_findings: 0 }
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut day = Operations::of(20_000);
        for endpoint in (0..OPERATIONS_MAX as u32 + 3).rev() {
            day.put(one(endpoint, 2));
            day.put(one(endpoint, 1));
        }
        assert_eq!(day.all().len(), OPERATIONS_MAX);
        assert!(day.all().iter().all(|it| it.calls == 3));
        assert_eq!(day.others, 9, "the last three had no room");
        assert!(day.is_sound());
    }

    #[test]
    fn endpoints_that_become_one_are_one_operation() {
        let mut endpoints = Endpoints::default();
        for name in ["GET /a/x", "GET /b", "GET /a/y", "GET /a/{var}"] {
            endpoints.push(name, EndpointSource::Lexical);
        }
        let mut day = Operations::of(0);
        (0..3).for_each(|endpoint| day.put(one(endpoint, endpoint + 1)));
        endpoints.fold(EndpointId(0), EndpointId(3));
        endpoints.fold(EndpointId(2), EndpointId(3));
        day.follow(&endpoints);
        assert_eq!(day.all(), [one(1, 2), one(3, 4)]);
    }

    #[test]
    fn a_day_takes_little_beside_its_operations() {
        assert!(size_of::<Operations>() + size_of::<Option<Box<Operations>>>() <= 60);
        assert!(size_of::<Operation>() <= 16);
    }
}
