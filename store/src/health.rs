//! How much of each input was read and judged, as rows of `pipeline_health`.

use crate::error::StoreError;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use model::Time;
use model::tables::Table;
use std::sync::Arc;

/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// One partition after some epochs of a service, or one input of a replay. The counts are those since
/// the partition's row before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// When the epoch ended, by the service's clock; of a replay the time of the input's last event.
    pub at: Time,
    /// The application: the prefix of its consumer groups, or `replay`.
    pub app: String,
    /// The process; empty of a replay, whose rows are the same whoever makes them.
    pub worker: String,
    /// The topic, the followed file, or the input.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset to read on from; of a replay the records read.
    pub offset: u64,
    /// The event time up to which events were judged.
    pub watermark: Time,
    /// Events read.
    pub events: u64,
    /// Findings and revisions raised, each with the input of its first sample event.
    pub findings: u64,
    /// Events that came after later ones were judged.
    pub late: u64,
    /// Records that held no event.
    pub rejected: u64,
}

impl Health {
    /// The rows of the table, in their order.
    pub fn rows(health: &[Self]) -> Result<RecordBatch, StoreError> {
        let time = |value: fn(&Self) -> Time| -> ArrayRef {
            let values = health.iter().map(|it| value(it).ns().div_euclid(NS_PER_US));
            Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
        };
        let text = |value: fn(&Self) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(health.iter().map(value)))
        };
        let count = |value: fn(&Self) -> u64| -> ArrayRef {
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
        let table = Table::PipelineHealth;
        RecordBatch::try_new(table.schema(), columns)
            .map_err(|error| StoreError::Rows { table: table.as_str(), what: error.to_string() })
    }
}
