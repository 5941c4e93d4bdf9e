//! Rows to write: findings, signals and windows that a test can count again.

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use model::tables::Table;
use model::{
    Contributor, Detector, Evidence, Finding, FindingId, Links, Position, PrincipalType, Severity,
    Time,
};
use std::sync::Arc;

/// 2026-03-01T10:00:00Z in nanoseconds.
const START_NS: i64 = 1_772_359_200_000_000_000;

/// The finding of that number in that revision.
pub(crate) fn finding(number: u32, revision: u64) -> Finding {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let start = Time::from_ns(START_NS);
    Finding {
        id: FindingId(id),
        revision,
        is_first: revision == 1,
        tenant_id: "default".into(),
        principal_id: Some("o'brien".into()),
        principal_type: Some(PrincipalType::Service),
        principal_source: Some("kong.consumer.id"),
        entity: "GET /export".into(),
        detector: Detector::EgressSpike.into(),
        detector_version: 1,
        window_start: start,
        window_end: start.plus(3_600_000_000_000),
        detected_at: start.plus(1_000_000_000 * i64::from(number)),
        severity: Severity::High,
        risk_score: 42.5,
        score: 1000.0 + f64::from(number),
        surprise: 9.5,
        observed: 812.0,
        expected: 6.0,
        upper: 31.0,
        unit: "objects",
        history_days: 61.0,
        history_n: 9_000,
        peers_n: 37,
        sentence: format!("finding {number} in revision {revision}"),
        counterfactual: "31 objects or fewer".into(),
        contributors: vec![Contributor {
            name: "GET /export".into(),
            observed: 812.0,
            share: 0.96,
        }],
        evidence: vec![Evidence {
            time: start.plus(1_000_000_000),
            request: "GET /export?page='1'".into(),
            status: Some(200),
            bytes_out: Some(4096),
            client_address: Some("203.0.113.7".into()),
            agent: None,
            links: Links::default(),
            position: Position { source: 0, line: 17 },
            input: Some("access.log".to_owned()),
        }],
        evidence_sql: "SELECT 1".into(),
        owasp: &["API1:2023", "API6:2023"],
        attack: &["T1087"],
        baseline_state: "active",
        model_version: String::new(),
        incident_id: None,
        config_hash: "c0ffee".into(),
    }
}

/// Rows `from..to` of a table that has any schema; a row's values follow from its number.
pub(crate) fn rows(table: Table, from: usize, to: usize) -> RecordBatch {
    let schema = table.schema();
    let columns = schema.fields().iter().enumerate().map(|(column, field)| -> ArrayRef {
        let numbers = from..to;
        match field.data_type() {
            DataType::Int64 => {
                Arc::new(numbers.map(|row| (row / (column + 1)) as i64).collect::<Int64Array>())
            }
            DataType::Float64 => {
                Arc::new(numbers.map(|row| (row as f64 + 0.5).sqrt()).collect::<Float64Array>())
            }
            DataType::Utf8 => Arc::new(
                numbers
                    .map(|row| (!field.is_nullable() || row % 7 != 0).then(|| text(row, column)))
                    .collect::<StringArray>(),
            ),
            _ => {
                let times =
                    numbers.map(|row| START_NS / 1_000 + 3_600_000_000 * (row / 500) as i64);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Identities, entities and detectors repeat as they do in real tables.
fn text(row: usize, column: usize) -> String {
    let distinct = [1, 2_000, 20_000, 8][column % 4];
    format!("value {} of column {column}", row.wrapping_mul(2_654_435_761) % distinct)
}
