//! The rows of one batch, sorted: those that go, those whose texts change, those that stay.

use crate::forget::Forgetting;
use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use model::Origin;
use model::mention::Mentions;
use model::tables::Table;
use std::sync::Arc;

/// The columns of a finding that may name somebody else: texts, not keys.
pub(crate) const SCRUBBED: [&str; 5] =
    ["sentence", "counterfactual", "contributors", "evidence", "evidence_sql"];
/// The same of feedback.
pub(crate) const SAID: [&str; 2] = ["given_by", "reason"];
/// The column that names somebody where its detector is of no endpoint.
const ENTITY: &str = "entity";
/// The columns that hold the path of an endpoint.
const PATHS: [&str; 2] = [ENTITY, "endpoint"];

/// What is to become of a batch.
#[derive(Debug)]
pub(crate) struct Sorted {
    /// The rows that stay, their texts changed where they must be.
    pub(crate) rows: RecordBatch,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
    pub(crate) left: u64,
}

/// Takes somebody out of a batch of a table.
pub(crate) fn sorted(
    table: Table,
    batch: &RecordBatch,
    who: &Forgetting,
    mentions: &Mentions,
) -> Result<Sorted, ArrowError> {
    let about = About::of(batch);
    // Of a signal the entity is part of the key: where it names somebody, the row goes.
    let names = |row| table == Table::Signals && about.names(row, mentions);
    let is_kept = |row| cell(about.ids, row) != Some(who.id.as_str()) && !names(row);
    let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_kept(row))).collect();
    let rows = filter_record_batch(batch, &kept)?;
    let removed = (batch.num_rows() - rows.num_rows()) as u64;
    let about = About::of(&rows);
    let mut is_changed = vec![false; rows.num_rows()];
    let mut columns = rows.columns().to_vec();
    for name in SCRUBBED.into_iter().chain(SAID).chain([ENTITY]) {
        let Some(column) = texts(&rows, name) else { continue };
        let scrub = |(row, text): (usize, Option<&str>)| {
            let without = mentions.replaced(text?);
            without.filter(|_| name != ENTITY || about.is_of_somebody(row))
        };
        let scrubbed: Vec<_> = column.iter().enumerate().map(scrub).collect();
        for (is_changed, scrubbed) in is_changed.iter_mut().zip(&scrubbed) {
            *is_changed |= scrubbed.is_some();
        }
        let new: StringArray =
            column.iter().zip(&scrubbed).map(|(old, new)| new.as_deref().or(old)).collect();
        let place = rows.schema().index_of(name)?;
        if let Some(slot) = columns.get_mut(place) {
            let new: ArrayRef = Arc::new(new);
            *slot = new;
        }
    }
    let rows = RecordBatch::try_new(rows.schema(), columns)?;
    let paths: Vec<_> = PATHS.iter().map(|name| texts(&rows, name)).collect();
    let names = |row: usize| {
        let mut named = paths.iter().filter_map(|path| cell(*path, row));
        named.any(|path| mentions.are_in(path))
    };
    let left = (0..rows.num_rows()).filter(|row| names(*row)).count() as u64;
    let changed = is_changed.into_iter().filter(|it| *it).count() as u64;
    Ok(Sorted { rows, removed, changed, left })
}

/// The columns that say whom and what a row is about, as far as its table has them.
struct About<'a> {
    ids: Option<&'a StringArray>,
    detectors: Option<&'a StringArray>,
    entities: Option<&'a StringArray>,
}

impl<'a> About<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        let of = |name| texts(batch, name);
        Self { ids: of("principal_id"), detectors: of("detector"), entities: of(ENTITY) }
    }

    /// Whether the row's entity is no endpoint and names somebody.
    fn names(&self, row: usize, mentions: &Mentions) -> bool {
        cell(self.entities, row).is_some_and(|entity| mentions.are_in(entity))
            && self.is_of_somebody(row)
    }

    /// Whether the row's entity is no endpoint.
    fn is_of_somebody(&self, row: usize) -> bool {
        let detector = cell(self.detectors, row).and_then(Origin::from_name);
        detector.is_some_and(Origin::names_somebody)
    }
}

/// The text in a row, if it has one.
fn cell(column: Option<&StringArray>, row: usize) -> Option<&str> {
    let column = column.filter(|column| column.is_valid(row))?;
    Some(column.value(row))
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, Schema};
    use model::Time;

    /// Detectors and entities, of somebody else.
    fn batch() -> RecordBatch {
        let rows = [
            ("agent_graph", Some("ann→files")),
            ("agent_graph", Some("annex→files")),
            ("sequence", Some("GET /users/ann")),
            ("runaway_loop", None),
        ];
        let fields = ["detector", ENTITY].map(|name| Field::new(name, DataType::Utf8, true));
        let detectors: StringArray = rows.iter().map(|it| Some(it.0)).collect();
        let entities: StringArray = rows.iter().map(|it| it.1).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(detectors), Arc::new(entities)];
        RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns).unwrap()
    }

    fn entity(sorted: &Sorted, row: usize) -> Option<&str> {
        cell(texts(&sorted.rows, ENTITY), row)
    }

    #[test]
    fn an_entity_that_is_no_endpoint_loses_the_name() {
        let (id, actor) = ("ann".to_owned(), "root".to_owned());
        let who = Forgetting { id, name: None, at: Time::default(), actor, result: "done" };
        let found = sorted(Table::Findings, &batch(), &who, &who.mentions()).unwrap();
        assert_eq!((found.removed, found.changed, found.left), (0, 1, 1));
        assert_eq!(entity(&found, 0), Some("[forgotten]→files"));
        assert_eq!(entity(&found, 1), Some("annex→files"));
        assert_eq!(entity(&found, 3), None);
        let signals = sorted(Table::Signals, &batch(), &who, &who.mentions()).unwrap();
        assert_eq!((signals.removed, signals.changed, signals.left), (1, 0, 1));
    }
}
