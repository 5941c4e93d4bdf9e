//! Findings that no log has raised: thousands of them, and some with hostile texts everywhere.

use super::payloads::PAYLOADS;
use model::{
    Contributor, Detector, Evidence, Finding, FindingId, Links, Position, PrincipalType, Severity,
    Time,
};
use std::path::Path;
use store::{RunId, Store};

/// 2026-03-01T10:00:00Z in nanoseconds.
const START_NS: i64 = 1_772_359_200_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;
const HOUR_NS: i64 = 3_600_000_000_000;
/// Days over which they are spread.
const DAYS: i64 = 30;
/// Identities that they are about.
const IDENTITIES: u32 = 500;
/// Findings that are written at once.
const BATCH: u32 = 5_000;

/// An ordinary finding; the same number gives the same one.
pub(super) fn finding(number: u32) -> Finding {
    let who = format!("svc-{}", number % IDENTITIES);
    let (entity, request) = ("GET /customers/{id}/export", "GET /customers/4711/export");
    let minutes = i64::from(number).wrapping_mul(7_919) % (DAYS * 24 * 60);
    let start = Time::from_ns(START_NS + MINUTE_NS * minutes);
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    id[4..8].copy_from_slice(&number.to_be_bytes());
    let severities = Severity::ALL;
    Finding {
        id: FindingId(id),
        revision: 1,
        is_first: true,
        tenant_id: "default".into(),
        principal_id: Some(who.clone()),
        principal_type: Some(PrincipalType::Service),
        principal_source: Some("kong.consumer.id"),
        entity: entity.into(),
        detector: Detector::ALL[number as usize % Detector::ALL.len()].into(),
        detector_version: 1,
        window_start: start,
        window_end: start.plus(HOUR_NS),
        detected_at: start.plus(MINUTE_NS),
        risk_score: 40.0 + f64::from(number % 50),
        severity: severities[number as usize % severities.len()],
        score: 1000.0 + f64::from(number % 10_000),
        surprise: 9.5,
        observed: 812.0,
        expected: 6.0,
        upper: 31.0,
        unit: "objects",
        history_days: 61.0,
        history_n: 9_000,
        peers_n: 37,
        sentence: format!(
            "service {who} read 812 different objects of {entity} in an hour; 6 are usual, and 99.9 % \
             of its hours stay under 31; 61 days and 9 000 calls stand behind it."
        ),
        counterfactual: "would not be reported at 31".into(),
        contributors: vec![Contributor { name: entity.into(), observed: 812.0, share: 1.0 }],
        evidence: vec![Evidence {
            time: start,
            request: request.into(),
            status: Some(200),
            bytes_out: Some(4096),
            client_address: Some("192.0.2.7".to_owned()),
            agent: None,
            links: Links::default(),
            position: Position { source: 0, line: 17 },
            input: Some("access.log".to_owned()),
        }],
        evidence_sql: "SELECT 1".into(),
        owasp: &["API1:2023"],
        attack: &["T1087"],
        baseline_state: "active",
        model_version: String::new(),
        incident_id: None,
        config_hash: "c0ffee".into(),
    }
}

/// A finding in which every text that may come from outside is hostile, each another payload.
pub(super) fn hostile(number: u32) -> Finding {
    let at = |more: u32| PAYLOADS[(number + more) as usize % PAYLOADS.len()];
    let ordinary = finding(number);
    let evidence = (0..2).map(|more| Evidence {
        request: format!("GET /{}", at(3 + more)),
        client_address: Some(at(5 + more).to_owned()),
        agent: Some(at(7 + more).to_owned()),
        input: Some(at(9 + more).to_owned()),
        ..ordinary.evidence[0].clone()
    });
    Finding {
        principal_id: Some(at(0).to_owned()),
        entity: at(1).to_owned(),
        sentence: format!("user {} called {} with {}", at(0), at(1), at(2)),
        counterfactual: format!("would not be reported without {}", at(4)),
        contributors: vec![
            Contributor { name: at(6).to_owned(), observed: 3.0, share: 0.75 },
            Contributor { name: at(11).to_owned(), observed: 1.0, share: 0.25 },
        ],
        evidence: evidence.collect(),
        evidence_sql: format!("SELECT * FROM windows WHERE principal_id = '{}'", at(0)),
        model_version: at(12).to_owned(),
        config_hash: at(13).to_owned(),
        severity: Severity::Critical,
        detector: Detector::ToolDrift.into(),
        ..ordinary
    }
}

/// Writes findings into the store in a directory, as a run of their own.
pub(super) fn write(dir: &Path, run: &str, count: u32, of: impl Fn(u32) -> Finding) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::create(dir, None, [7; 32]).await.unwrap();
        let mut writer = store.writer(&RunId::new(run).unwrap());
        for first in (0..count).step_by(BATCH as usize) {
            let some: Vec<_> = (first..count.min(first + BATCH)).map(&of).collect();
            writer.findings(&some).await.unwrap();
        }
        writer.commit().await.unwrap();
    });
}
