//! Rows that have not left yet, in a snapshot.

use super::{Column, Rows};
use crate::snapshot::plain::Plain;
use model::tables::Table;
use serde::{Deserialize, Serialize};

/// The values of one column, row by row.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Values {
    Text(Vec<Option<String>>),
    /// Microseconds.
    Time(Vec<Option<i64>>),
    Count(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
}

/// The table's place in [`Table::ALL`], and its columns.
impl Plain for Rows {
    type As = (u8, Vec<Values>);

    fn to_plain(&self) -> Self::As {
        (self.table as u8, self.columns.iter().map(Column::values).collect())
    }

    fn from_plain((table, columns): Self::As) -> Option<Self> {
        let mut rows = Self::of(*Table::ALL.get(usize::from(table))?);
        let len = columns.first().map_or(0, Values::len);
        if columns.len() != rows.columns.len() || columns.iter().any(|it| it.len() != len) {
            return None;
        }
        for (column, values) in rows.columns.iter_mut().zip(columns) {
            column.append(values)?;
        }
        rows.len = len;
        Some(rows)
    }
}

impl Rows {
    pub(crate) const fn is_of(&self, table: Table) -> bool {
        self.table as u8 == table as u8
    }
}

impl Rows {
    /// Drops the rows that are marked.
    pub(super) fn drop_rows(&mut self, marked: &[bool]) {
        let mut kept = Self::of(self.table);
        for (new, old) in kept.columns.iter_mut().zip(&self.columns) {
            // Of the same table, so of the same kind.
            new.append(old.values().without(marked));
        }
        kept.len = marked.iter().filter(|it| !**it).count();
        *self = kept;
    }
}

impl Column {
    fn values(&self) -> Values {
        match self {
            Self::Text(column) => {
                let column = column.finish_cloned();
                Values::Text(column.iter().map(|text| text.map(str::to_owned)).collect())
            }
            Self::Time(column) => Values::Time(column.finish_cloned().iter().collect()),
            Self::Count(column) => Values::Count(column.finish_cloned().iter().collect()),
            Self::Number(column) => Values::Number(column.finish_cloned().iter().collect()),
        }
    }

    /// Appends values; `None` if they are of another kind.
    fn append(&mut self, values: Values) -> Option<()> {
        match (self, values) {
            (Self::Text(column), Values::Text(values)) => {
                for value in values {
                    column.append_option(value);
                }
            }
            (Self::Time(column), Values::Time(values)) => {
                for value in values {
                    column.append_option(value);
                }
            }
            (Self::Count(column), Values::Count(values)) => {
                for value in values {
                    column.append_option(value);
                }
            }
            (Self::Number(column), Values::Number(values)) => {
                for value in values {
                    column.append_option(value);
                }
            }
            _ => return None,
        }
        Some(())
    }
}

impl Values {
    fn without(self, marked: &[bool]) -> Self {
        fn rest<T>(values: Vec<T>, marked: &[bool]) -> Vec<T> {
            let each = values.into_iter().zip(marked).filter(|(_, marked)| !**marked);
            each.map(|(value, _)| value).collect()
        }
        match self {
            Self::Text(values) => Self::Text(rest(values, marked)),
            Self::Time(values) => Self::Time(rest(values, marked)),
            Self::Count(values) => Self::Count(rest(values, marked)),
            Self::Number(values) => Self::Number(rest(values, marked)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Time(values) | Self::Count(values) => values.len(),
            Self::Number(values) => values.len(),
        }
    }
}
