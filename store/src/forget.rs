//! Forgetting: one identity taken out of everything that a store holds.
//!
//! Its own rows are removed. Rows of others stay, but what of their texts names it is replaced;
//! paths of endpoints stay too, and are counted: they say what exists, not who was there.

pub(crate) mod audit;
pub(crate) mod files;
mod letters;
mod rows;

pub use letters::{forget_letters, forget_text};

pub(crate) use audit::row as audit_row;
pub(crate) use rows::{SAID, SCRUBBED, Sorted, sorted};

use model::Time;
use model::mention::Mentions;

/// Hexadecimal digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 32;

/// Who is to be forgotten, by whom.
#[derive(Clone, Debug)]
pub struct Forgetting {
    /// The principal's id.
    pub id: String,
    /// What people call it, if nobody else is called so.
    pub name: Option<String>,
    /// When, for the audit.
    pub at: Time,
    /// Who asks for it, for the audit.
    pub actor: String,
    /// What became of it elsewhere, for the audit: one word.
    pub result: &'static str,
}

impl Forgetting {
    /// Where texts name it.
    pub fn mentions(&self) -> Mentions {
        Mentions::of([Some(self.id.as_str()), self.name.as_deref()].into_iter().flatten())
    }
}

/// What stands for an id in the audit and in requests: the same for the same key and id, and nothing
/// that the id could be read from.
pub fn fingerprint(key: &[u8; 32], id: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(b"habitus forgotten principal\0");
    hasher.update(id.as_bytes());
    hasher.finalize().to_hex().chars().take(FINGERPRINT_DIGITS).collect()
}

/// What was done to one table, or to the file of dead letters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Erased {
    /// Its name.
    pub table: &'static str,
    /// Rows removed.
    pub removed: u64,
    /// Rows of others that named it, and no longer do.
    pub changed: u64,
    /// Rows of others that still do: the path of an endpoint.
    pub left: u64,
}

impl Erased {
    /// Nothing was done yet.
    pub const fn nothing(table: &'static str) -> Self {
        Self { table, removed: 0, changed: 0, left: 0 }
    }

    pub(crate) fn add(&mut self, sorted: &Sorted) {
        self.removed += sorted.removed;
        self.changed += sorted.changed;
        self.left += sorted.left;
    }
}

/// The counts as JSON, for the audit.
fn in_json(erased: &[Erased]) -> String {
    let mut text = String::from("{");
    for (index, it) in erased.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let counts = format!(
            "{comma}\"{}\":{{\"removed\":{},\"changed\":{},\"left\":{}}}",
            it.table, it.removed, it.changed, it.left,
        );
        text += &counts;
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_needs_the_key() {
        let one = fingerprint(&[7; 32], "ann");
        assert_eq!(one.len(), FINGERPRINT_DIGITS);
        assert_eq!(one, fingerprint(&[7; 32], "ann"));
        assert_ne!(one, fingerprint(&[8; 32], "ann"));
        assert_ne!(one, fingerprint(&[7; 32], "anne"));
    }
}
