//! Columns of a store's answer by their names, however its engine keeps them.

use crate::commands::Failure;
use arrow::array::{AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

/// A column of texts.
pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, Failure> {
    let column = batch.column_by_name(name).ok_or_else(|| missing(name))?;
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A column of whole numbers.
pub(crate) fn numbers(batch: &RecordBatch, name: &str) -> Result<Int64Array, Failure> {
    let column = batch.column_by_name(name).ok_or_else(|| missing(name))?;
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn missing(name: &str) -> Failure {
    format!("the store's answer has no column `{name}`; report this as a defect").into()
}
