//! Findings and their evidence in a snapshot.

use super::plain::{self, Plain, Source};
use crate::detectors;
use crate::identity::BASELINE_STATES;
use model::{
    Contributor, Evidence, Finding, FindingId, LinkKind, Links, Origin, Position, PrincipalType,
    Severity, Time,
};
use serde::{Deserialize, Serialize};

/// One sample event.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct EvidencePlain {
    #[serde(with = "plain")]
    time: Time,
    request: String,
    status: Option<u16>,
    bytes_out: Option<u64>,
    client_address: Option<String>,
    agent: Option<String>,
    links: [u64; LinkKind::ALL.len()],
    #[serde(with = "plain")]
    position: Position,
    input: Option<String>,
}

impl Plain for Evidence {
    type As = EvidencePlain;

    fn to_plain(&self) -> EvidencePlain {
        let it = self.clone();
        EvidencePlain {
            time: it.time,
            request: it.request,
            status: it.status,
            bytes_out: it.bytes_out,
            client_address: it.client_address,
            agent: it.agent,
            links: it.links.0,
            position: it.position,
            input: it.input,
        }
    }

    fn from_plain(it: EvidencePlain) -> Option<Self> {
        Some(Self {
            time: it.time,
            request: it.request,
            status: it.status,
            bytes_out: it.bytes_out,
            client_address: it.client_address,
            agent: it.agent,
            links: Links(it.links),
            position: it.position,
            input: it.input,
        })
    }
}

/// Its name, observed value and share.
impl Plain for Contributor {
    type As = (String, f64, f64);

    fn to_plain(&self) -> Self::As {
        (self.name.clone(), self.observed, self.share)
    }

    fn from_plain((name, observed, share): Self::As) -> Option<Self> {
        Some(Self { name, observed, share })
    }
}

/// A finding that was raised and not taken out yet; what its detector says of itself is left out.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct FindingPlain {
    #[serde(with = "plain")]
    id: FindingId,
    revision: u64,
    is_first: bool,
    tenant_id: String,
    principal_id: Option<String>,
    #[serde(with = "plain")]
    principal_type: Option<PrincipalType>,
    #[serde(with = "plain")]
    principal_source: Option<Source>,
    entity: String,
    #[serde(with = "plain")]
    detector: Origin,
    detector_version: u32,
    unit: String,
    #[serde(with = "plain")]
    window_start: Time,
    #[serde(with = "plain")]
    window_end: Time,
    #[serde(with = "plain")]
    detected_at: Time,
    #[serde(with = "plain")]
    severity: Severity,
    numbers: [f64; 6],
    history_days: f64,
    history_n: u64,
    peers_n: u64,
    sentence: String,
    counterfactual: String,
    #[serde(with = "plain")]
    contributors: Vec<Contributor>,
    #[serde(with = "plain")]
    evidence: Vec<Evidence>,
    evidence_sql: String,
    baseline_state: String,
    model_version: String,
    #[serde(with = "plain")]
    incident_id: Option<FindingId>,
    config_hash: String,
}

impl Plain for Finding {
    type As = FindingPlain;

    fn to_plain(&self) -> FindingPlain {
        let it = self.clone();
        FindingPlain {
            id: it.id,
            revision: it.revision,
            is_first: it.is_first,
            tenant_id: it.tenant_id,
            principal_id: it.principal_id,
            principal_type: it.principal_type,
            principal_source: it.principal_source,
            entity: it.entity,
            detector: it.detector,
            detector_version: it.detector_version,
            unit: it.unit.to_owned(),
            window_start: it.window_start,
            window_end: it.window_end,
            detected_at: it.detected_at,
            severity: it.severity,
            numbers: [it.score, it.surprise, it.observed, it.expected, it.upper, it.risk_score],
            history_days: it.history_days,
            history_n: it.history_n,
            peers_n: it.peers_n,
            sentence: it.sentence,
            counterfactual: it.counterfactual,
            contributors: it.contributors,
            evidence: it.evidence,
            evidence_sql: it.evidence_sql,
            baseline_state: it.baseline_state.to_owned(),
            model_version: it.model_version,
            incident_id: it.incident_id,
            config_hash: it.config_hash,
        }
    }

    fn from_plain(it: FindingPlain) -> Option<Self> {
        // What the pipeline says of itself is no part of detection.
        let Origin::Detector(detector) = it.detector else { return None };
        let about = detectors::about(detector);
        let [score, surprise, observed, expected, upper, risk_score] = it.numbers;
        Some(Self {
            id: it.id,
            revision: it.revision,
            is_first: it.is_first,
            tenant_id: it.tenant_id,
            principal_id: it.principal_id,
            principal_type: it.principal_type,
            principal_source: it.principal_source,
            entity: it.entity,
            detector: it.detector,
            detector_version: it.detector_version,
            window_start: it.window_start,
            window_end: it.window_end,
            detected_at: it.detected_at,
            severity: it.severity,
            risk_score,
            score,
            surprise,
            observed,
            expected,
            upper,
            unit: detectors::units_of(detector).into_iter().find(|unit| *unit == it.unit)?,
            history_days: it.history_days,
            history_n: it.history_n,
            peers_n: it.peers_n,
            sentence: it.sentence,
            counterfactual: it.counterfactual,
            contributors: it.contributors,
            evidence: it.evidence,
            evidence_sql: it.evidence_sql,
            owasp: about.owasp,
            attack: about.attack,
            baseline_state: BASELINE_STATES
                .into_iter()
                .find(|state| *state == it.baseline_state)?,
            model_version: it.model_version,
            incident_id: it.incident_id,
            config_hash: it.config_hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::tests::found;
    use model::Detector;

    #[test]
    fn a_finding_keeps_what_its_numbers_count() {
        for detector in Detector::ALL {
            for unit in detectors::units_of(*detector) {
                let one = Finding { detector: (*detector).into(), unit, ..found(1, "u-1", 0, 1) };
                let back = Finding::from_plain(one.to_plain()).unwrap();
                assert_eq!((back.unit, back.detector), (unit, one.detector));
            }
        }
        let mut of_another = found(1, "u-1", 0, 1).to_plain();
        of_another.unit = "apples".to_owned();
        assert!(Finding::from_plain(of_another).is_none());
    }
}
