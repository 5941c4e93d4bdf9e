//! What header lines such as `#Fields: date time c-ip` say about the lines below them.

/// Columns that are looked at.
const COLUMNS_MAX: usize = 256;

/// The columns that the latest header of an input names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Columns {
    /// For each column its field's place in the format's table; `None` for one that means nothing.
    pub(crate) fields: Vec<Option<u16>>,
    /// A date for lines that have a time of day only: `2026-03-17`.
    pub(crate) date: Option<Box<str>>,
}

impl Columns {
    /// The columns with these names, as `find` knows them.
    pub(crate) fn of<'n>(
        names: impl Iterator<Item = &'n str>,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let place = |name| find(name).and_then(|it| u16::try_from(it).ok());
        Self { fields: names.take(COLUMNS_MAX).map(place).collect(), date: None }
    }
}
