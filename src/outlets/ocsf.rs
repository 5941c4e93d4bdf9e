//! A finding as an OCSF Detection Finding (class 2004), one JSON object on one line.
//!
//! `anomaly_analyses` is in OCSF since 1.5, `ai_agent` since 1.9. Nothing else here is younger than
//! 1.5, so that a reader of any version from there on finds all but the agent in its place.

mod catalogue;

#[cfg(test)]
mod tests;

use model::time::NS_PER_S;
use model::{Detector, Evidence, Finding, Origin, PrincipalType, Severity, Time};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The version of OCSF that is written.
pub(crate) const VERSION: &str = "1.9.0";
/// Bytes kept of a text that a caller of the API can write.
const TEXT_BYTES_MAX: usize = 1024;
/// Bytes kept of a sentence or query, which hold several of those.
const PROSE_BYTES_MAX: usize = 4 * 1024;
const NS_PER_MS: i64 = NS_PER_S / 1_000;
/// Confidence is full at a score of 10 to the power of this.
const SCORE_DIGITS_FULL: f64 = 8.0;
/// Shares of full confidence that count as high and as medium, in percent.
const CONFIDENCE_HIGH: i64 = 75;
const CONFIDENCE_MEDIUM: i64 = 50;

/// An event on its way out: what is sent, and what tells it apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Event {
    /// The finding's id.
    pub(crate) id: String,
    /// The finding's revision.
    pub(crate) revision: u64,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// The JSON, without a line break.
    pub(crate) body: String,
}

impl Event {
    /// The event of one revision: the same bytes whenever it is made.
    pub(crate) fn of(finding: &Finding) -> Self {
        Self {
            id: finding.id.to_string(),
            revision: finding.revision,
            severity: finding.severity,
            body: detection_finding(finding).to_string(),
        }
    }
}

/// Cuts texts, and remembers whether it had to.
#[derive(Debug, Default)]
struct Scissors {
    has_cut: Cell<bool>,
}

impl Scissors {
    fn text<'a>(&self, text: &'a str) -> &'a str {
        self.cut(text, TEXT_BYTES_MAX)
    }

    fn prose<'a>(&self, text: &'a str) -> &'a str {
        self.cut(text, PROSE_BYTES_MAX)
    }

    fn cut<'a>(&self, text: &'a str, bytes_max: usize) -> &'a str {
        if text.len() > bytes_max {
            self.has_cut.set(true);
        }
        text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
    }
}

fn detection_finding(finding: &Finding) -> Value {
    let cut = &Scissors::default();
    let (activity, name) = if finding.is_first { (1, "Create") } else { (2, "Update") };
    let (severity, caption) = severity(finding.severity);
    let (confidence, confidence_id, confidence_caption) = confidence(finding.score);
    let mut event = json!({
        "activity_id": activity,
        "activity_name": name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "type_name": format!("Detection Finding: {name}"),
        "time": ms(modified(finding)),
        "start_time": ms(finding.window_start),
        "end_time": ms(finding.window_end),
        "severity_id": severity,
        "severity": caption,
        "status_id": 1,
        "status": "New",
        "confidence_score": confidence,
        "confidence_id": confidence_id,
        "confidence": confidence_caption,
        "risk_score": finding.risk_score.round() as u64,
        "is_alert": true,
        "message": cut.prose(&finding.sentence),
        "finding_info": finding_info(finding, cut),
        "anomaly_analyses": [anomaly_analysis(finding, cut)],
        "evidences": evidences(finding, cut),
        "observables": observables(finding, cut),
        "unmapped": unmapped(finding, cut),
    });
    if !finding.entity.is_empty() {
        let entity = cut.text(&finding.entity);
        let kind = catalogue::kind_of(finding);
        event["resources"] = json!([{"uid": entity, "name": entity, "type": kind}]);
    }
    event["metadata"] = metadata(finding, cut);
    event
}

/// What the event itself is; the last to be made, because it says whether a text was cut.
fn metadata(finding: &Finding, cut: &Scissors) -> Value {
    let id = finding.id.to_string();
    let mut metadata = json!({
        "version": VERSION,
        "product": {
            "name": "Habitus",
            "uid": "habitus",
            "vendor_name": "Habitus",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "uid": format!("{id}_{}", finding.revision),
        "correlation_uid": finding.incident_id.map_or(id, |incident| incident.to_string()),
        "event_code": finding.detector.as_str(),
        "tenant_uid": cut.text(&finding.tenant_id),
    });
    if cut.has_cut.get() {
        metadata["is_truncated"] = json!(true);
    }
    metadata
}

fn finding_info(finding: &Finding, cut: &Scissors) -> Value {
    let about = catalogue::about(finding.detector);
    let (type_id, type_name) = about.analytic;
    let detector = finding.detector.as_str();
    let times = finding.evidence.iter().map(|it| it.time).chain([finding.detected_at]);
    json!({
        "uid": finding.id.to_string(),
        "title": about.title,
        "desc": cut.prose(&finding.sentence),
        "analytic": {
            "uid": detector,
            "name": detector,
            "type_id": type_id,
            "type": type_name,
            "algorithm": about.algorithm,
            "version": finding.detector_version.to_string(),
        },
        "attacks": finding.attack.iter().map(|id| attack(id)).collect::<Vec<_>>(),
        "tags": [{"name": "owasp", "values": finding.owasp}],
        "created_time": ms(finding.detected_at),
        "modified_time": ms(modified(finding)),
        "first_seen_time": ms(times.clone().min().unwrap_or(finding.detected_at)),
        "last_seen_time": ms(times.max().unwrap_or(finding.detected_at)),
    })
}

/// When a revision was made in event time: the latest call that it shows.
fn modified(finding: &Finding) -> Time {
    let latest = finding.evidence.iter().map(|it| it.time).max();
    latest
        .filter(|_| !finding.is_first)
        .map_or(finding.detected_at, |it| it.max(finding.detected_at))
}

/// A technique, below its parent where it has one.
fn attack(id: &str) -> Value {
    let part = |id: &str| {
        let url = match id.strip_prefix("AML.") {
            Some(_) => format!("https://atlas.mitre.org/techniques/{id}"),
            None => format!("https://attack.mitre.org/techniques/{}/", id.replace('.', "/")),
        };
        let mut part = json!({"uid": id, "src_url": url});
        if let Some(name) = catalogue::technique(id) {
            part["name"] = json!(name);
        }
        part
    };
    match id.rsplit_once('.').filter(|(parent, _)| *parent != "AML") {
        Some((parent, _)) => json!({"technique": part(parent), "sub_technique": part(id)}),
        None => json!({"technique": part(id)}),
    }
}

fn anomaly_analysis(finding: &Finding, cut: &Scissors) -> Value {
    let about = catalogue::about(finding.detector);
    let mut targets = Vec::new();
    if let Some(principal) = &finding.principal_id {
        let kind = finding.principal_type.map_or("identity", PrincipalType::as_str);
        targets.push(json!({"name": cut.text(principal), "type": kind}));
    }
    if !finding.entity.is_empty() {
        let kind = catalogue::kind_of(finding);
        targets.push(json!({"name": cut.text(&finding.entity), "type": kind}));
    }
    if targets.is_empty() {
        targets.push(json!({"name": cut.text(&finding.tenant_id), "type": "tenant"}));
    }
    let part = |pattern: &str, observation: Value| {
        json!({
            "observation_parameter": finding.unit,
            "observation_type": about.observation,
            "observed_pattern": pattern,
            "observations": [observation],
        })
    };
    let observed = json!({
        "value": number(finding.observed),
        "timespan": {
            "type_id": 9,
            "type": "Time Interval",
            "start_time": ms(finding.window_start),
            "end_time": ms(finding.window_end),
        },
    });
    json!({
        "analysis_targets": targets,
        "anomalies": [part("observed", observed)],
        "baselines": [
            part("expected", json!({"value": number(finding.expected)})),
            part("upper bound of 99.9 % of windows", json!({"value": number(finding.upper)})),
        ],
    })
}

fn evidences(finding: &Finding, cut: &Scissors) -> Vec<Value> {
    let actor = actor(finding, cut);
    let events = finding.evidence.iter().take(Finding::EVIDENCE_MAX);
    let mut all: Vec<_> = events.map(|it| evidence(finding, it, actor.as_ref(), cut)).collect();
    if all.is_empty() {
        all.extend(actor.map(|actor| json!({"actor": actor})));
    }
    all
}

fn evidence(finding: &Finding, it: &Evidence, actor: Option<&Value>, cut: &Scissors) -> Value {
    let request = cut.text(&it.request);
    let (method, target) = request.split_once(' ').unwrap_or((request, ""));
    let is_endpoint = catalogue::kind_of(finding) == catalogue::ENDPOINT;
    // What an agent did for others it did at several.
    let is_of_others = finding.detector == Origin::Detector(Detector::Delegation);
    let is_endpoint = is_endpoint && !finding.entity.is_empty() && !is_of_others;
    let operation = if is_endpoint { cut.text(&finding.entity) } else { request };
    let mut api = json!({"operation": operation});
    let mut evidence = json!({
        "name": format!("call at {}", it.time),
        "data": {
            "time": ms(it.time),
            "bytes_out": it.bytes_out,
            "input": it.input.as_deref().map(|it| cut.text(it)),
            "line": it.position.line,
        },
    });
    if let Some(actor) = actor {
        evidence["actor"] = actor.clone();
    }
    if let Some(address) = &it.client_address {
        let kind = if address.parse::<IpAddr>().is_ok() { "ip" } else { "name" };
        evidence["src_endpoint"] = json!({kind: cut.text(address)});
    }
    if let Some(status) = it.status {
        api["response"] = json!({"code": status});
    }
    // A call by RPC has a method of its own and no path.
    if target.starts_with('/') {
        evidence["http_request"] = json!({"http_method": method, "url": {"path": target}});
        if let Some(status) = it.status {
            evidence["http_response"] = json!({"code": status});
        }
    }
    if let Some(agent) = &it.agent {
        evidence["ai_agent"] = json!({"uid": cut.text(agent)});
    }
    evidence["api"] = api;
    evidence
}

/// Who acted; nobody where only the address is known, which stands in `src_endpoint`.
fn actor(finding: &Finding, cut: &Scissors) -> Option<Value> {
    let id = cut.text(finding.principal_id.as_deref()?);
    let (type_id, kind) = match finding.principal_type? {
        PrincipalType::Ip | PrincipalType::Anonymous => return None,
        PrincipalType::Session => return Some(json!({"session": {"uid": id}})),
        PrincipalType::User => (1, "User"),
        // OCSF 1.5 has no type for services yet.
        other => (99, other.as_str()),
    };
    Some(json!({"user": {"uid": id, "type_id": type_id, "type": kind}}))
}

fn observables(finding: &Finding, cut: &Scissors) -> Vec<Value> {
    let mut all = Vec::new();
    let id = finding.principal_id.as_deref().map(|id| cut.text(id));
    match (id, finding.principal_type) {
        (None, _) | (_, None | Some(PrincipalType::Ip | PrincipalType::Anonymous)) => {}
        (Some(id), Some(PrincipalType::Session)) => all.push(json!({
            "name": "evidences.actor.session.uid", "type_id": 99, "type": "session", "value": id,
        })),
        (Some(id), Some(_)) => all.push(json!({
            "name": "evidences.actor.user.uid", "type_id": 31, "type": "User Object: uid", "value": id,
        })),
    }
    let addresses = finding.evidence.iter().filter_map(|it| it.client_address.as_deref());
    let addresses: BTreeSet<_> = addresses.filter(|it| it.parse::<IpAddr>().is_ok()).collect();
    for address in addresses {
        all.push(json!({
            "name": "evidences.src_endpoint.ip",
            "type_id": 2,
            "type": "IP Address",
            "value": address,
        }));
    }
    all
}

/// What has no place in OCSF, under the names of our own table.
fn unmapped(finding: &Finding, cut: &Scissors) -> Value {
    let contributors =
        finding.contributors.iter().take(Finding::CONTRIBUTORS_MAX).map(
            |it| json!({"name": cut.text(&it.name), "observed": it.observed, "share": it.share}),
        );
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| {
        all.insert(name.to_owned(), value);
    };
    put("revision", json!(finding.revision));
    put("principal_id", json!(finding.principal_id.as_deref().map(|it| cut.text(it))));
    put("principal_type", json!(finding.principal_type.map(PrincipalType::as_str)));
    put("principal_source", json!(finding.principal_source));
    put("entity", json!(cut.text(&finding.entity)));
    put("score", json!(finding.score));
    put("surprise", json!(finding.surprise));
    put("observed", json!(finding.observed));
    put("expected", json!(finding.expected));
    put("upper", json!(finding.upper));
    put("unit", json!(finding.unit));
    put("history_days", json!(finding.history_days));
    put("history_n", json!(finding.history_n));
    put("peers_n", json!(finding.peers_n));
    put("baseline_state", json!(finding.baseline_state));
    put("counterfactual", json!(cut.prose(&finding.counterfactual)));
    put("contributors", contributors.collect());
    put("evidence_sql", json!(cut.prose(&finding.evidence_sql)));
    put("model_version", json!(cut.text(&finding.model_version)));
    put("config_hash", json!(cut.text(&finding.config_hash)));
    Value::Object(all)
}

const fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// How sure the finding is, in percent, with OCSF's name for it: what severity weighs danger with.
fn confidence(score: f64) -> (i64, u8, &'static str) {
    let share = (score.max(1.0).log10() / SCORE_DIGITS_FULL).min(1.0);
    match (share * 100.0).round() as i64 {
        percent @ CONFIDENCE_HIGH.. => (percent, 3, "High"),
        percent @ CONFIDENCE_MEDIUM.. => (percent, 2, "Medium"),
        percent => (percent, 1, "Low"),
    }
}

const fn ms(time: Time) -> i64 {
    time.ns().div_euclid(NS_PER_MS)
}

/// A number as a text: OCSF's observations hold texts.
fn number(value: f64) -> String {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    if rounded.is_finite() { rounded.to_string() } else { value.to_string() }
}
