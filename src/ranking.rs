//! Findings in the order that verdicts suggest: the same ones, the likely attacks first.

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;
use detect::models::verdicts::{Judge, Shown};
use model::Time;
use std::sync::Arc;
use store::Answer;

/// The column that says how likely an analyst would call a finding malicious.
pub(crate) const LIKELY: &str = "likely";
/// Nanoseconds in one microsecond, the unit of the store's times.
const NS_PER_US: i64 = 1_000;

/// What was learned from an answer of verdicts, the latest first; nothing from too few.
pub(crate) fn judge(verdicts: &[RecordBatch]) -> Option<Judge> {
    let mut all = Vec::new();
    for batch in verdicts {
        let said = batch.column_by_name("verdict").and_then(|it| it.as_string_opt::<i32>());
        for row in 0..batch.num_rows() {
            let is_malicious = said.is_some_and(|it| it.value(row) == "malicious");
            all.push((shown(batch, row), is_malicious));
        }
    }
    all.reverse();
    Judge::learned(&all)
}

/// The same findings, the likely ones first and equally likely ones in their order, with a column
/// more.
pub(crate) fn ranked(judge: &Judge, (schema, found): Answer) -> Result<Answer, ArrowError> {
    let found = concat_batches(&schema, &found)?;
    let likely: Vec<_> =
        (0..found.num_rows()).map(|row| judge.likely(&shown(&found, row))).collect();
    let mut order: Vec<u32> = (0..).take(found.num_rows()).collect();
    let at = |row: u32| likely.get(row as usize).copied().unwrap_or_default();
    order.sort_by(|a, b| at(*b).total_cmp(&at(*a)));
    let found = take_record_batch(&found, &UInt32Array::from(order.clone()))?;
    let likely: ArrayRef =
        Arc::new(order.into_iter().map(|row| Some(at(row))).collect::<Float64Array>());
    let more = Arc::new(Field::new(LIKELY, DataType::Float64, true));
    let fields: Vec<_> = found.schema().fields().iter().cloned().chain([more]).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = found.columns().iter().cloned().chain([likely]).collect();
    let ranked = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok((schema, vec![ranked]))
}

/// What is known of the finding in a row; what its columns do not say is empty.
fn shown(batch: &RecordBatch, row: usize) -> Shown<'_> {
    let text = |name: &str| {
        let column = batch.column_by_name(name).and_then(|it| it.as_string_opt::<i32>());
        column.filter(|it| it.is_valid(row)).map_or("", |it| it.value(row))
    };
    let number = |name: &str| {
        let column = batch.column_by_name(name);
        column.and_then(|it| it.as_primitive_opt::<Float64Type>()).map_or(0.0, |it| it.value(row))
    };
    let at = batch.column_by_name("detected_at");
    let at = at.and_then(|it| it.as_primitive_opt::<TimestampMicrosecondType>());
    let at_us = at.map_or(0, |it| it.value(row));
    Shown {
        detector: text("detector"),
        severity: text("severity"),
        principal_type: text("principal_type"),
        principal_id: text("principal_id"),
        entity: text("entity"),
        baseline_state: text("baseline_state"),
        score: number("score"),
        surprise: number("surprise"),
        history_days: number("history_days"),
        detected_at: Time::from_ns(at_us.saturating_mul(NS_PER_US)),
    }
}
