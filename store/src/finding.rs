//! Findings as rows of their table; contributors and evidence become JSON text.

use crate::error::StoreError;
use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use model::limit::TEXT_BYTES_MAX;
use model::tables::Table;
use model::{Contributor, Evidence, Finding, PrincipalType, Time};
use serde::Serialize;
use std::sync::Arc;

/// Bytes kept of any text of a finding.
const CELL_BYTES_MAX: usize = 16 * 1024;
/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

#[derive(Serialize)]
struct ContributorJson<'a> {
    name: &'a str,
    observed: f64,
    share: f64,
}

#[derive(Serialize)]
struct EvidenceJson<'a> {
    time: String,
    request: &'a str,
    status: Option<u16>,
    bytes_out: Option<u64>,
    client_address: Option<&'a str>,
    /// Left out where the log names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    input: Option<&'a str>,
    line: u64,
}

/// The rows of some findings, in their order.
pub(crate) fn rows(findings: &[Finding]) -> Result<RecordBatch, StoreError> {
    let it = Columns(findings);
    let columns = vec![
        it.owned(|f| f.id.to_string()),
        it.count(|f| f.revision),
        it.text(|f| &f.tenant_id),
        it.text_or_null(|f| f.principal_id.as_deref()),
        it.text_or_null(|f| f.principal_type.map(PrincipalType::as_str)),
        it.text_or_null(|f| f.principal_source),
        it.text(|f| &f.entity),
        it.text(|f| f.detector.as_str()),
        it.count(|f| f.detector_version),
        it.time(|f| f.window_start),
        it.time(|f| f.window_end),
        it.count(|f| u64::try_from(f.window_seconds()).unwrap_or_default()),
        it.time(|f| f.detected_at),
        it.text(|f| f.severity.as_str()),
        it.number(|f| f.score),
        it.number(|f| f.surprise),
        it.number(|f| f.observed),
        it.number(|f| f.expected),
        it.number(|f| f.upper),
        it.text(|f| f.unit),
        it.number(|f| f.history_days),
        it.count(|f| f.history_n),
        it.count(|f| f.peers_n),
        it.text(|f| &f.sentence),
        it.text(|f| &f.counterfactual),
        it.owned(|f| contributors(&f.contributors)),
        it.owned(|f| evidence(&f.evidence)),
        it.text(|f| &f.evidence_sql),
        it.owned(|f| f.owasp.join(", ")),
        it.owned(|f| f.attack.join(", ")),
        it.text(|f| f.baseline_state),
        it.text(|f| &f.model_version),
        it.owned_or_null(|f| f.incident_id.map(|id| id.to_string())),
        it.text(|f| &f.config_hash),
        it.number(|f| f.risk_score),
    ];
    let table = Table::Findings;
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|error| StoreError::Schema { table, what: error.to_string() })
}

/// Builds one column at a time.
struct Columns<'a>(&'a [Finding]);

impl<'a> Columns<'a> {
    fn text(&self, value: impl Fn(&'a Finding) -> &'a str) -> ArrayRef {
        self.text_or_null(|finding| Some(value(finding)))
    }

    fn text_or_null(&self, value: impl Fn(&'a Finding) -> Option<&'a str>) -> ArrayRef {
        let values = self.0.iter().map(|finding| value(finding).map(|it| cut(it, CELL_BYTES_MAX)));
        Arc::new(values.collect::<StringArray>())
    }

    fn owned(&self, value: impl Fn(&Finding) -> String) -> ArrayRef {
        self.owned_or_null(|finding| Some(value(finding)))
    }

    fn owned_or_null(&self, value: impl Fn(&Finding) -> Option<String>) -> ArrayRef {
        Arc::new(self.0.iter().map(value).collect::<StringArray>())
    }

    fn count<N: Into<u64>>(&self, value: impl Fn(&Finding) -> N) -> ArrayRef {
        let values = self.0.iter().map(|it| i64::try_from(value(it).into()).unwrap_or(i64::MAX));
        Arc::new(values.collect::<Int64Array>())
    }

    fn number(&self, value: impl Fn(&Finding) -> f64) -> ArrayRef {
        Arc::new(self.0.iter().map(value).collect::<Float64Array>())
    }

    fn time(&self, value: impl Fn(&Finding) -> Time) -> ArrayRef {
        let values = self.0.iter().map(|finding| value(finding).ns().div_euclid(NS_PER_US));
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
    }
}

fn contributors(contributors: &[Contributor]) -> String {
    let contributors = contributors.iter().take(Finding::CONTRIBUTORS_MAX);
    json(contributors.map(|it| ContributorJson {
        name: cut(&it.name, TEXT_BYTES_MAX),
        observed: it.observed,
        share: it.share,
    }))
}

fn evidence(evidence: &[Evidence]) -> String {
    let evidence = evidence.iter().take(Finding::EVIDENCE_MAX);
    json(evidence.map(|it| EvidenceJson {
        time: it.time.to_string(),
        request: cut(&it.request, TEXT_BYTES_MAX),
        status: it.status,
        bytes_out: it.bytes_out,
        client_address: it.client_address.as_deref().map(|it| cut(it, TEXT_BYTES_MAX)),
        agent: it.agent.as_deref().map(|it| cut(it, TEXT_BYTES_MAX)),
        input: it.input.as_deref().map(|it| cut(it, TEXT_BYTES_MAX)),
        line: it.position.line,
    }))
}

/// A JSON array of as many of the items as fit into a cell: always whole items, always valid.
fn json(items: impl Iterator<Item = impl Serialize>) -> String {
    let mut text = String::from("[");
    // An item of numbers and texts has a JSON form; one that had none would be left out.
    for item in items.filter_map(|item| serde_json::to_string(&item).ok()) {
        if text.len() + item.len() + 2 > CELL_BYTES_MAX {
            break;
        }
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// At most `bytes_max` bytes of a text, cut between characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample::finding;
    use arrow::array::AsArray as _;

    fn cell(finding: &Finding, column: &str) -> String {
        let rows = rows(std::slice::from_ref(finding)).unwrap();
        rows.column_by_name(column).unwrap().as_string::<i32>().value(0).to_owned()
    }

    #[test]
    fn lists_become_json_and_joined_text() {
        let finding = finding(1, 1);
        assert_eq!(
            cell(&finding, "contributors"),
            r#"[{"name":"GET /export","observed":812.0,"share":0.96}]"#
        );
        assert_eq!(
            cell(&finding, "evidence"),
            r#"[{"time":"2026-03-01T10:00:01Z","request":"GET /export?page='1'","status":200,"bytes_out":4096,"client_address":"203.0.113.7","input":"access.log","line":17}]"#
        );
        assert_eq!(cell(&finding, "owasp"), "API1:2023, API6:2023");
        assert_eq!(cell(&finding, "finding_id"), "00000001-0000-0000-0000-000000000000");
    }

    #[test]
    fn an_event_that_an_agent_made_names_it() {
        let mut finding = finding(1, 1);
        finding.evidence[0].agent = Some("desk-assistant".to_owned());
        let shown = cell(&finding, "evidence");
        assert!(shown.contains(r#""203.0.113.7","agent":"desk-assistant","input":"#), "{shown}");
    }

    #[test]
    fn hostile_texts_stay_within_their_limits_and_json_stays_valid() {
        let mut finding = finding(1, u64::MAX);
        let long = "\u{1}é\"\\".repeat(20_000);
        finding.entity.clone_from(&long);
        finding.score = f64::NAN;
        finding.evidence = (0..9).map(|_| finding.evidence[0].clone()).collect();
        for it in &mut finding.evidence {
            it.request.clone_from(&long);
            it.client_address = Some(long.clone());
        }
        finding.contributors[0].observed = f64::INFINITY;
        assert!(cell(&finding, "entity").len() <= CELL_BYTES_MAX);
        for column in ["evidence", "contributors"] {
            let text = cell(&finding, column);
            assert!(text.len() <= CELL_BYTES_MAX, "{column}: {}", text.len());
            let items: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(!items.as_array().unwrap().is_empty(), "{column}");
        }
    }

    #[test]
    fn the_largest_numbers_saturate() {
        use arrow::datatypes::Int64Type;
        let rows = rows(&[finding(1, u64::MAX)]).unwrap();
        let revision = rows.column_by_name("revision").unwrap();
        assert_eq!(revision.as_primitive::<Int64Type>().value(0), i64::MAX);
    }
}
