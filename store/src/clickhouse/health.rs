//! How workers fare, as rows of `pipeline_health`: one per partition and committed epoch.

use crate::clickhouse::chunk::Target;
use crate::error::StoreError;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};
use model::Time;
use model::tables::time_type;
use std::sync::Arc;

/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// One partition after one epoch. The counts are those of the epoch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// When the epoch was committed, by the worker's clock.
    pub at: Time,
    /// The application: the prefix of its consumer groups.
    pub app: String,
    /// The worker.
    pub worker: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset that was committed.
    pub offset: u64,
    /// The event time up to which windows are closed.
    pub watermark: Time,
    /// Events read.
    pub events: u64,
    /// Findings and revisions written.
    pub findings: u64,
    /// Events that came too late to be learned.
    pub late: u64,
    /// Records that could not be parsed.
    pub rejected: u64,
}

/// The table.
pub(crate) fn target() -> Target {
    let field = |(name, data_type)| Field::new(name, data_type, false);
    let columns = [
        ("at", time_type()),
        ("app", DataType::Utf8),
        ("worker", DataType::Utf8),
        ("topic", DataType::Utf8),
        ("partition", DataType::Int64),
        ("offset", DataType::Int64),
        ("watermark", time_type()),
        ("events", DataType::Int64),
        ("findings", DataType::Int64),
        ("late", DataType::Int64),
        ("rejected", DataType::Int64),
    ];
    let schema = Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>()));
    Target { name: "pipeline_health", schema, month_of: Some("at") }
}

/// The rows, in their order.
pub(crate) fn rows(target: &Target, health: &[Health]) -> Result<RecordBatch, StoreError> {
    let time = |value: fn(&Health) -> Time| -> ArrayRef {
        let values = health.iter().map(|it| value(it).ns().div_euclid(NS_PER_US));
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let text = |value: fn(&Health) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(health.iter().map(value)))
    };
    let count = |value: fn(&Health) -> u64| -> ArrayRef {
        let values = health.iter().map(|it| i64::try_from(value(it)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(values))
    };
    let columns = vec![
        time(|it| it.at),
        text(|it| &it.app),
        text(|it| &it.worker),
        text(|it| &it.topic),
        count(|it| u64::from(it.partition)),
        count(|it| it.offset),
        time(|it| it.watermark),
        count(|it| it.events),
        count(|it| it.findings),
        count(|it| it.late),
        count(|it| it.rejected),
    ];
    RecordBatch::try_new(Arc::clone(&target.schema), columns)
        .map_err(|error| StoreError::Rows { table: target.name, what: error.to_string() })
}
