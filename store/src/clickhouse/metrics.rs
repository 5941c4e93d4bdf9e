//! What the service measures of itself, as rows of `metrics`: tried once, and never set aside.

use crate::clickhouse::client::Client;
use crate::clickhouse::sink;
use crate::error::StoreError;
use arrow::array::builder::{MapBuilder, StringBuilder};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use model::Time;
use model::tables::time_type;
use std::sync::Arc;

/// The table.
pub(crate) const TABLE: &str = "metrics";
/// Rows of one sample; those beyond are left out.
const ROWS_MAX: usize = 8_192;
/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// What a value does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SampleKind {
    /// Only grows, as long as its process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl SampleKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// The value of one metric and label set.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// The labels' names and values.
    pub labels: Vec<(&'static str, String)>,
    /// What the value does.
    pub kind: SampleKind,
    /// The value, in the unit that the name ends in.
    pub value: f64,
}

/// Whose samples they are, and of when.
#[derive(Clone, Copy, Debug)]
pub struct Sampled<'a> {
    /// When they were taken, by the clock of whoever took them.
    pub at: Time,
    /// The application: the prefix of its consumer groups.
    pub app: &'a str,
    /// The process, told apart from all others.
    pub worker: &'a str,
}

/// The table's columns.
pub(crate) fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let labels = Field::new_map("labels", "entries", text("keys"), text("values"), false, false);
    Arc::new(Schema::new(vec![
        Field::new("at", time_type(), false),
        text("app"),
        text("worker"),
        text("name"),
        labels,
        text("kind"),
        Field::new("value", DataType::Float64, false),
    ]))
}

/// The rows, in their order.
fn rows(of: Sampled<'_>, samples: &[Sample]) -> Result<RecordBatch, ArrowError> {
    let times = samples.iter().map(|_| of.at.ns().div_euclid(NS_PER_US));
    let text = |value: &dyn Fn(&Sample) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(samples.iter().map(value)))
    };
    let (keys, values) = (StringBuilder::new(), StringBuilder::new());
    let mut labels = MapBuilder::new(None, keys, values).with_values_field(Field::new(
        "values",
        DataType::Utf8,
        false,
    ));
    for sample in samples {
        for (name, value) in &sample.labels {
            labels.keys().append_value(name);
            labels.values().append_value(value);
        }
        labels.append(true)?;
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        text(&|_| of.app.to_owned()),
        text(&|_| of.worker.to_owned()),
        text(&|it| it.name.clone()),
        Arc::new(labels.finish()),
        text(&|it| it.kind.as_str().to_owned()),
        Arc::new(Float64Array::from_iter_values(samples.iter().map(|it| it.value))),
    ];
    RecordBatch::try_new(schema(), columns)
}

/// The rows as a stream of Arrow.
fn encoded(of: Sampled<'_>, samples: &[Sample]) -> Result<Vec<u8>, ArrowError> {
    let rows = rows(of, samples)?;
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &rows.schema())?;
    writer.write(&rows)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

impl Client {
    /// Adds samples to `metrics`, and says how many rows that made: 8 192 at most.
    ///
    /// It is tried once. Whoever gets an error leaves the samples, since later ones say what has
    /// become of the same values; nothing of them goes to the dead letters.
    pub async fn keep_samples(
        &self,
        of: Sampled<'_>,
        samples: &[Sample],
    ) -> Result<u64, StoreError> {
        let samples = samples.get(..ROWS_MAX).unwrap_or(samples);
        let refused =
            |error: ArrowError| StoreError::Rows { table: TABLE, what: error.to_string() };
        let bytes = encoded(of, samples).map_err(refused)?;
        let token = blake3::hash(&bytes).to_hex();
        let sent = sink::send(self, TABLE, &bytes, &token).await;
        sent.map_err(|failure| self.refused("INSERT INTO metrics", failure))?;
        Ok(samples.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::stub::{Reply, serve};
    use crate::clickhouse::{Plaintext, Settings};
    use arrow::array::AsArray as _;
    use arrow::ipc::reader::StreamReader;

    fn sample(number: usize) -> Sample {
        let partition = number.to_string();
        Sample {
            name: "habitus_source_records_total".to_owned(),
            labels: vec![("topic", "it's \"a\" \\topic".to_owned()), ("partition", partition)],
            kind: SampleKind::Counter,
            value: number as f64,
        }
    }

    const OF: Sampled<'_> = Sampled { at: Time::from_ns(1_500), app: "habitus", worker: "w1" };

    #[test]
    fn samples_are_rows_with_their_labels() {
        let gauge = Sample { labels: Vec::new(), kind: SampleKind::Gauge, ..sample(7) };
        let bytes = encoded(OF, &[sample(3), gauge]).unwrap();
        let read: Vec<_> =
            StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
        assert_eq!((read.len(), read[0].schema()), (1, schema()));
        let labels = read[0].column(4).as_map();
        assert_eq!((labels.value_length(0), labels.value_length(1)), (2, 0));
        let of_first = labels.value(0);
        assert_eq!(of_first.column(0).as_string::<i32>().value(1), "partition");
        assert_eq!(of_first.column(1).as_string::<i32>().value(0), "it's \"a\" \\topic");
        let kinds = read[0].column(5).as_string::<i32>();
        assert_eq!((kinds.value(0), kinds.value(1)), ("counter", "gauge"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn samples_are_tried_once_and_never_too_many() {
        let busy = Reply::Says(500, Some(252), "Code: 252. DB::Exception: Too many parts");
        let (port, asked) = serve(&[Reply::Says(200, None, ""), busy]);
        let url = format!("clickhouse://127.0.0.1:{port}/db");
        let client = Client::new(Settings::parse(&url, Plaintext::Refused).unwrap()).unwrap();
        let samples: Vec<_> = (0..ROWS_MAX + 3).map(sample).collect();
        assert_eq!(client.keep_samples(OF, &samples).await.unwrap(), ROWS_MAX as u64);
        let error = client.keep_samples(OF, &[sample(1)]).await.unwrap_err().to_string();
        assert!(error.contains("Too many parts"), "{error}");
        assert_eq!(asked.try_iter().count(), 2);
    }
}
