//! Which detectors an event gave a reason to look.

use model::Detector;

/// Detectors whose tripwire an event crossed: one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Crossed(u32);

impl Crossed {
    pub(crate) const fn add(&mut self, detector: Detector) {
        self.0 |= 1 << detector as u32;
    }

    pub(crate) const fn has(self, detector: Detector) -> bool {
        self.0 & (1 << detector as u32) != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
