//! The audit: a row that says what was done, without what was forgotten.

use crate::error::StoreError;
use crate::forget::{Erased, Forgetting, fingerprint, in_json};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use model::tables::Table;
use std::sync::Arc;

/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// The row of the table `audit`.
pub(crate) fn row(
    who: &Forgetting,
    key: &[u8; 32],
    erased: &[Erased],
) -> Result<RecordBatch, StoreError> {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text.to_owned()])) };
    let sum = |of: fn(&Erased) -> u64| -> ArrayRef {
        let sum = erased.iter().map(of).sum::<u64>();
        Arc::new(Int64Array::from(vec![sum as i64]))
    };
    let at = TimestampMicrosecondArray::from(vec![who.at.ns().div_euclid(NS_PER_US)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(at.with_timezone("UTC")),
        text("forget"),
        text(&fingerprint(key, &who.id)),
        text(&who.actor),
        sum(|it| it.removed),
        sum(|it| it.changed),
        text(&in_json(erased)),
        text(who.result),
    ];
    let table = Table::Audit;
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|error| StoreError::Schema { table, what: error.to_string() })
}
