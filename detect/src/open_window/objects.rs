//! The objects that were read in the open hour, by endpoint.

use super::{Crossed, DISTINCT_MAX, Distinct, OBJECT_SETS_MAX, OpenWindow};
use crate::snapshot::plain;
use model::{Detector, EndpointId, Kind, Time};
use serde::{Deserialize, Serialize};

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
