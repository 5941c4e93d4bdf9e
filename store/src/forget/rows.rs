//! The rows of one batch, sorted: those that go, those whose texts change, those that stay.

use crate::forget::Forgetting;
use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use model::mention::Mentions;
use std::sync::Arc;

/// The columns of a finding that may name somebody else: texts, not keys.
pub(crate) const SCRUBBED: [&str; 5] =
    ["sentence", "counterfactual", "contributors", "evidence", "evidence_sql"];
/// The same of feedback.
pub(crate) const SAID: [&str; 2] = ["given_by", "reason"];
/// The columns that hold the path of an endpoint.
const PATHS: [&str; 2] = ["entity", "endpoint"];

/// What is to become of a batch.
#[derive(Debug)]
pub(crate) struct Sorted {
    /// The rows that stay, their texts changed where they must be.
    pub(crate) rows: RecordBatch,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
    pub(crate) left: u64,
}

/// Takes somebody out of a batch of any table.
pub(crate) fn sorted(
    batch: &RecordBatch,
    who: &Forgetting,
    mentions: &Mentions,
) -> Result<Sorted, ArrowError> {
    let kept = match texts(batch, "principal_id") {
        Some(ids) => ids.iter().map(|id| Some(id != Some(who.id.as_str()))).collect(),
        None => BooleanArray::from(vec![true; batch.num_rows()]),
    };
    let rows = filter_record_batch(batch, &kept)?;
    let removed = (batch.num_rows() - rows.num_rows()) as u64;
    let mut is_changed = vec![false; rows.num_rows()];
    let mut columns = rows.columns().to_vec();
    for name in SCRUBBED.into_iter().chain(SAID) {
        let Some(column) = texts(&rows, name) else { continue };
        let scrubbed: Vec<_> = column.iter().map(|text| mentions.replaced(text?)).collect();
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
    let paths: Vec<_> = PATHS.iter().filter_map(|name| texts(&rows, name)).collect();
    let names = |row: usize| {
        let named = |path: &&StringArray| path.is_valid(row) && mentions.are_in(path.value(row));
        paths.iter().any(named)
    };
    let left = (0..rows.num_rows()).filter(|row| names(*row)).count() as u64;
    let changed = is_changed.into_iter().filter(|it| *it).count() as u64;
    let rows = RecordBatch::try_new(rows.schema(), columns)?;
    Ok(Sorted { rows, removed, changed, left })
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}
