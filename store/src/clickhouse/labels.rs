//! The names of enum values: an answer in Arrow carries only their numbers.

use crate::clickhouse::client::is_enum;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use std::collections::HashMap;
use std::sync::Arc;

/// The names of one enum's values.
type Labels = HashMap<i64, String>;

/// Whether an answer of that schema may hold enums.
pub(crate) fn are_missing(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| is_enum(field.data_type()))
}

/// The answer with names in place of the numbers of enums.
///
/// `described` is the server's description of the question: one row per column, name and type first.
pub(crate) fn fill_in(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    described: &[RecordBatch],
) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    let mut labels = described.iter().flat_map(types).map(|name| labels_of(&name));
    let labels: Vec<_> = schema.fields().iter().map(|_| labels.next().flatten()).collect();
    let fields = schema.fields().iter().zip(&labels).map(|(field, labels)| match labels {
        Some(_) => Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable())),
        None => Arc::clone(field),
    });
    let named = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batches = batches.iter().map(|batch| {
        let columns = batch.columns().iter().zip(&labels).map(|(column, labels)| match labels {
            Some(labels) => names(column, labels),
            None => Ok(Arc::clone(column)),
        });
        RecordBatch::try_new(Arc::clone(&named), columns.collect::<Result<_, _>>()?)
    });
    let batches = batches.collect::<Result<_, _>>()?;
    Ok((named, batches))
}

fn names(column: &ArrayRef, labels: &Labels) -> Result<ArrayRef, ArrowError> {
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().iter();
    let names = numbers.map(|number| {
        number.map(|number| labels.get(&number).cloned().unwrap_or_else(|| number.to_string()))
    });
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// The second column of a description, as texts.
fn types(described: &RecordBatch) -> Vec<String> {
    let texts = described.columns().get(1).and_then(|column| cast(column, &DataType::Utf8).ok());
    let Some(texts) = texts else { return Vec::new() };
    texts.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

/// The labels of a type such as `Nullable(Enum8('low' = 1, 'high' = 2))`, if it is an enum.
fn labels_of(name: &str) -> Option<Labels> {
    let (before, rest) = name.split_once("Enum")?;
    if !matches!(before, "" | "Nullable(") {
        return None;
    }
    let (_, mut rest) = rest.split_once('(')?;
    let mut labels = Labels::new();
    while let Some(text) = rest.strip_prefix('\'') {
        let (label, after) = literal(text)?;
        let number = after.strip_prefix(" = ")?;
        let end = number.find(|c: char| c != '-' && !c.is_ascii_digit())?;
        let (number, after) = number.split_at_checked(end)?;
        labels.insert(number.parse().ok()?, label);
        rest = after.trim_start_matches([',', ' ']);
    }
    Some(labels)
}

/// The text up to the closing quote, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let mut label = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (_, '\\') => label.push(chars.next()?.1),
            (end, '\'') => return Some((label, text.get(end + 1..)?)),
            (_, c) => label.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int8Array, Int64Array};

    #[test]
    fn numbers_become_names() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("severity", DataType::Int8, true),
            Field::new("n", DataType::Int64, false),
        ]));
        assert!(are_missing(&schema));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int8Array::from(vec![Some(2), None, Some(-7)])),
                Arc::new(Int64Array::from(vec![1, 2, 3])),
            ],
        );
        let described = RecordBatch::try_from_iter([
            ("name", Arc::new(StringArray::from(vec!["severity", "n"])) as ArrayRef),
            (
                "type",
                Arc::new(StringArray::from(vec![
                    r"Nullable(Enum8('it\'s, = 1' = -1, 'b' = 2))",
                    "Int64",
                ])),
            ),
        ]);
        let (schema, batches) = fill_in(&schema, &[batch.unwrap()], &[described.unwrap()]).unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
        let names: Vec<_> = batches[0].column(0).as_string::<i32>().iter().collect();
        assert_eq!(names, [Some("b"), None, Some("-7")]);
    }

    #[test]
    fn only_enums_have_labels() {
        let labels = labels_of(r"Enum16('a' = -1, 'it\'s' = 300)").unwrap();
        assert_eq!(labels.get(&-1).map(String::as_str), Some("a"));
        assert_eq!(labels.get(&300).map(String::as_str), Some("it's"));
        for name in ["Int8", "String", "Array(Enum8('a' = 1))", "Enum8('a", "Enum8('a' 1)"] {
            assert_eq!(labels_of(name), None, "{name}");
        }
    }
}
