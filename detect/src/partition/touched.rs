//! What of a partition changed since its last export: a bit for each identity.

/// Bits of one word.
const BITS: usize = u64::BITS as usize;

/// The identities that were touched, and whether more than identities was.
///
/// It is no state: a partition that was read back, and a new one, has it all unset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    words: Vec<u64>,
    /// Something of the partition changed: an identity, or what is counted beside them.
    is_any: bool,
    /// The hour was closed, or its contribution taken away.
    is_closed: bool,
}

impl Touched {
    /// Notes that an identity changed.
    pub(crate) fn add(&mut self, slot: u32) {
        let at = slot as usize / BITS;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (slot as usize % BITS);
        }
        self.is_any = true;
    }

    /// Notes that something changed that is no identity.
    pub(crate) const fn note(&mut self) {
        self.is_any = true;
    }

    /// Notes that all of so many identities changed.
    pub(crate) fn add_all(&mut self, identities: usize) {
        self.words.clear();
        self.words.resize(identities.div_ceil(BITS), u64::MAX);
        self.is_any = true;
    }

    /// Notes that the hour was closed, or its contribution taken away.
    pub(crate) const fn close(&mut self) {
        self.is_any = true;
        self.is_closed = true;
    }

    /// Nothing is touched any more.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.is_any = false;
        self.is_closed = false;
    }

    pub(crate) const fn is_any(&self) -> bool {
        self.is_any
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The touched identities of so many, ascending.
    pub(crate) fn slots(&self, identities: usize) -> impl Iterator<Item = u32> {
        let is_touched = |slot: &u32| {
            let word = self.words.get(*slot as usize / BITS);
            word.is_some_and(|word| word & (1 << (*slot as usize % BITS)) != 0)
        };
        (0..identities as u32).filter(is_touched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_is_listed_once_and_in_order() {
        let mut touched = Touched::default();
        assert!(!touched.is_any());
        for slot in [130, 2, 63, 64, 2] {
            touched.add(slot);
        }
        assert_eq!(touched.slots(200).collect::<Vec<_>>(), [2, 63, 64, 130]);
        assert!(touched.is_any() && !touched.is_closed());
        touched.add_all(65);
        assert_eq!(touched.slots(65).count(), 65);
        touched.close();
        assert!(touched.is_closed());
        touched.clear();
        assert_eq!(touched.slots(200).count(), 0);
        assert!(!touched.is_any() && !touched.is_closed());
    }
}
