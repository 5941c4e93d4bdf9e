//! The objects that were changed or deleted in the hour.

use super::distinct::Distinct;
use super::{Crossed, DISTINCT_MAX};
use crate::detectors::write_burst;
use crate::snapshot::plain;
use model::{Detector, Event, Time};
use serde::{Deserialize, Serialize};

/// What was changed or deleted, as far as the answers say that it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Changes {
    /// Each object at its endpoint.
    #[serde(with = "plain")]
    pub(crate) objects: Distinct,
    /// Those of them that were deleted.
    #[serde(with = "plain")]
    pub(crate) deleted: Distinct,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) tripwire: u32,
}

impl Changes {
    pub(super) fn new() -> Self {
        let first = Time::from_ns(0);
        let (objects, deleted) = (Distinct::default(), Distinct::default());
        Self { objects, deleted, first, last: first, tripwire: u32::MAX }
    }

    /// Adds a call, if it changed an object as far as its answer says; whether it did. `path` is a
    /// hash of the path.
    pub(crate) fn add(
        &mut self,
        event: &Event,
        (method, path): (&str, u64),
        now: Time,
        crossed: &mut Crossed,
    ) -> bool {
        let is_accepted = matches!(event.status(), Some(200..=299) | None);
        let Some(object) = event.object.filter(|_| is_accepted && write_burst::is_change(method))
        else {
            return false;
        };
        if self.objects.len() == 0 {
            self.first = now;
        }
        self.last = now;
        // The same id in another path is another object; PUT and DELETE of one path are one. Of a path
        // with a secret, which is not kept, the object's fingerprint tells.
        let name = object ^ path;
        if method == "DELETE" {
            self.deleted.add(name, DISTINCT_MAX);
        }
        if self.objects.add(name, DISTINCT_MAX) && self.objects.len() >= self.tripwire as usize {
            crossed.add(Detector::WriteBurst);
        }
        true
    }
}
