//! The audit: rows that say what people did, without what it was about.

use crate::error::StoreError;
use crate::forget::{Erased, Forgetting, fingerprint, in_json};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use model::Time;
use model::tables::Table;
use std::sync::Arc;

/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// What somebody did.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Time,
    pub(crate) action: &'static str,
    pub(crate) fingerprint: String,
    pub(crate) actor: String,
    pub(crate) rows_removed: u64,
    pub(crate) rows_changed: u64,
    pub(crate) tables: String,
    pub(crate) result: &'static str,
}

/// The row of the table `audit` about a forgetting.
pub(crate) fn row(
    who: &Forgetting,
    key: &[u8; 32],
    erased: &[Erased],
) -> Result<RecordBatch, StoreError> {
    entries(&[Entry {
        at: who.at,
        action: "forget",
        fingerprint: fingerprint(key, &who.id),
        actor: who.actor.clone(),
        rows_removed: erased.iter().map(|it| it.removed).sum(),
        rows_changed: erased.iter().map(|it| it.changed).sum(),
        tables: in_json(erased),
        result: who.result,
    }])
}

/// The rows of the table `audit`.
pub(crate) fn entries(entries: &[Entry]) -> Result<RecordBatch, StoreError> {
    let text = |of: fn(&Entry) -> &str| -> ArrayRef {
        Arc::new(entries.iter().map(|it| Some(of(it))).collect::<StringArray>())
    };
    let count = |of: fn(&Entry) -> u64| -> ArrayRef {
        Arc::new(entries.iter().map(|it| Some(of(it) as i64)).collect::<Int64Array>())
    };
    let at = entries.iter().map(|it| it.at.ns().div_euclid(NS_PER_US));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC")),
        text(|it| it.action),
        text(|it| &it.fingerprint),
        text(|it| &it.actor),
        count(|it| it.rows_removed),
        count(|it| it.rows_changed),
        text(|it| &it.tables),
        text(|it| it.result),
    ];
    let table = Table::Audit;
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|error| StoreError::Schema { table, what: error.to_string() })
}
