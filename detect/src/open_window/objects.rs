//! The objects that were read in the open hour, by endpoint.

use super::{Crossed, DISTINCT_MAX, Distinct, OBJECT_SETS_MAX, OpenWindow};
use crate::snapshot::plain;
use model::{Detector, EndpointId, Kind, Time};
use serde::{Deserialize, Serialize};

/// Fewer distinct objects in an hour than this are never looked at before the hour closes.
const OBJECTS_TRIPWIRE_MIN: u32 = 10;

/// The objects that were read at one endpoint in this hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ObjectSet {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    #[serde(with = "plain")]
    pub(crate) objects: Distinct,
    /// The numeric ids among them, in the order read, bounded like the set.
    pub(crate) numbers: Vec<u64>,
    pub(crate) answered: u32,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) tripwire: u32,
}

impl OpenWindow {
    pub(super) fn add_object(
        &mut self,
        endpoint: EndpointId,
        object: u64,
        kind: Kind,
        now: Time,
        crossed: &mut Crossed,
    ) {
        let index = match self.objects.iter().position(|set| set.endpoint == endpoint) {
            Some(index) => index,
            None if self.objects.len() < OBJECT_SETS_MAX => {
                self.objects.push(ObjectSet::new(endpoint, now));
                self.objects.len() - 1
            }
            None => return,
        };
        let Some(set) = self.objects.get_mut(index) else { return };
        set.answered += 1;
        set.last = now;
        if set.objects.add(object, DISTINCT_MAX) {
            if let Kind::Number(number) = kind {
                set.numbers.push(number);
            }
            if set.objects.len() >= set.tripwire as usize {
                crossed.add(Detector::ObjectEnumeration);
                crossed.add(Detector::ForeignObject);
            }
        }
    }
}

impl ObjectSet {
    fn new(endpoint: EndpointId, now: Time) -> Self {
        Self {
            endpoint,
            objects: Distinct::default(),
            numbers: Vec::new(),
            answered: 0,
            last: now,
            tripwire: OBJECTS_TRIPWIRE_MIN,
        }
    }

    /// The share of neighbouring numeric ids, sorted, that differ by one; `None` below 10 ids.
    pub(crate) fn consecutive_share(&self) -> Option<f64> {
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() < 10 {
            return None;
        }
        let next = numbers.windows(2).filter(|pair| matches!(pair, [a, b] if b - a == 1)).count();
        Some(next as f64 / (numbers.len() - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ids_are_noticed() {
        let mut set = ObjectSet::new(EndpointId(0), Time::from_ns(0));
        set.numbers = (100..200).collect();
        assert_eq!(set.consecutive_share(), Some(1.0));
        set.numbers = (0..100).map(|id| id * 7).collect();
        assert_eq!(set.consecutive_share(), Some(0.0));
    }
}
