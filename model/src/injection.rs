//! Which signs of injection a request target has: a small set of classes.

use crate::identity::closed_set;

closed_set! {
    /// What a request target tries to be read as.
    InjectionClass {
        /// SQL behind the end of a value.
        Sql => "sql",
        /// Markup or script.
        Xss => "xss",
        /// A path that leaves its root.
        PathTraversal => "path_traversal",
        /// A command of a shell or of the language that the server is written in.
        Command => "command",
        /// An expression of a template language.
        Template => "template",
        /// A URL of the inside, for the server to call.
        Ssrf => "ssrf",
    }
}

/// A set of [`InjectionClass`]: one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct InjectionClasses(u8);

impl InjectionClasses {
    /// Adds a class.
    pub const fn insert(&mut self, class: InjectionClass) {
        self.0 |= 1 << class as u8;
    }

    /// Whether a class is in the set.
    pub const fn contains(self, class: InjectionClass) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This set with all of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = InjectionClass> {
        InjectionClass::ALL.iter().copied().filter(move |class| self.contains(*class))
    }

    /// The set of the classes that a list such as `sql,xss` names; other words are passed over.
    pub fn from_names(list: &str) -> Self {
        let mut set = Self::default();
        list.split(',').filter_map(|name| InjectionClass::from_name(name.trim())).for_each(|it| {
            set.insert(it);
        });
        set
    }
}

/// The names, separated by commas.
impl std::fmt::Display for InjectionClasses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, class) in self.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            f.write_str(class.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_as_it_is_written() {
        let set = InjectionClasses::from_names("ssrf, sql,nothing");
        assert_eq!(set.to_string(), "sql,ssrf");
        assert_eq!(InjectionClasses::from_names(&set.to_string()), set);
        assert!(InjectionClasses::from_names("").is_empty());
        const { assert!(InjectionClass::ALL.len() <= 8, "one bit each") };
    }
}
