//! What is said of something that is no identity: a reading with its words, and the finding of it.

use crate::alarm;
use crate::detectors::Words;
use crate::engine::Context;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Detector, Evidence, Finding, PrincipalType, Time};

/// What a reading is about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The tenant; empty for the default one.
    pub(crate) tenant: Box<str>,
    /// An address that stands for whoever calls from it, or an agent; `None` for an endpoint.
    pub(crate) address: Option<Box<str>>,
    /// The endpoint, or the network.
    pub(crate) entity: String,
}

/// A reading of an hour.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) detector: Detector,
    pub(crate) subject: Subject,
    pub(crate) start: Time,
    pub(crate) observed: f64,
    pub(crate) expected: f64,
    /// −log10 of the probability of something at least this odd.
    pub(crate) surprise: f64,
    /// What 99.9 % of ordinary hours stay under.
    pub(crate) upper: f64,
    /// What the expectation rests on: since when, and how much of it.
    pub(crate) since: Time,
    pub(crate) history_n: u64,
    pub(crate) peers_n: u64,
    /// The hour raised a finding.
    pub(crate) is_raised: bool,
    /// It is one more hour of an occasion that counts once it is over ([`super::Closed::occasions`]).
    pub(crate) goes_on: bool,
}

/// What was raised of something in an hour.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(crate) struct Raised {
    /// How much had been seen when it was said last; 0 if nothing was said.
    pub(crate) said_at: u64,
}

impl Raised {
    /// Whether it is time to say it, or to say it again: at first, and when it has doubled.
    pub(crate) const fn is_due(self, seen: u64) -> bool {
        self.said_at == 0 || seen >= self.said_at.saturating_mul(2)
    }
}

impl Told {
    /// Whether it is odd enough to be raised, and of what its detector may speak about.
    pub(crate) fn may_raise(&self, context: &Context<'_>) -> bool {
        let score = context.calibration.score(self.detector, self.surprise);
        score >= context.cut_of(self.detector) && self.is_within(context)
    }

    /// Whether its detector may speak about it.
    pub(crate) fn is_within(&self, context: &Context<'_>) -> bool {
        let address = self.subject.address.as_deref();
        // What is of an address has a network as its entity.
        let endpoint = if address.is_some() { "" } else { &self.subject.entity };
        context.plan.is_within(self.detector, address.map(|it| [it, ""]), endpoint)
    }

    pub(crate) fn tenant(&self) -> &str {
        if self.subject.tenant.is_empty() { "default" } else { &self.subject.tenant }
    }

    /// The hour's end (exclusive).
    pub(crate) const fn end(&self) -> Time {
        self.start.plus(NS_PER_H)
    }

    /// The finding of it: `revision` grows with what was seen.
    pub(crate) fn finding(
        &self,
        context: &Context<'_>,
        words: Words,
        (detected_at, evidence): (Time, &[Evidence]),
        (revision, is_first): (u64, bool),
    ) -> Finding {
        let about = crate::detectors::about(self.detector);
        let score = context.calibration.score(self.detector, self.surprise);
        let address = self.subject.address.as_deref();
        let id = alarm::id_of_parts(
            self.detector,
            [self.tenant(), address.unwrap_or_default(), &self.subject.entity],
            self.start,
        );
        Finding {
            id,
            revision,
            is_first,
            tenant_id: self.tenant().to_owned(),
            principal_id: address.map(str::to_owned),
            principal_type: address.map(|_| PrincipalType::Ip),
            principal_source: address.map(|_| "client_address"),
            entity: self.subject.entity.clone(),
            detector: self.detector.into(),
            detector_version: about.version,
            window_start: self.start,
            window_end: self.end(),
            detected_at,
            severity: alarm::severity(score, words.danger),
            risk_score: 100.0 * alarm::weight(score, words.danger),
            score,
            surprise: self.surprise,
            observed: self.observed,
            expected: self.expected,
            upper: self.upper,
            unit: about.unit,
            history_days: self.start.since(self.since).max(0) as f64 / NS_PER_D as f64,
            history_n: self.history_n,
            peers_n: self.peers_n,
            sentence: words.sentence,
            counterfactual: words.counterfactual,
            contributors: words.contributors,
            evidence: evidence.to_vec(),
            evidence_sql: words.evidence_sql,
            owasp: about.owasp,
            attack: about.attack,
            baseline_state: if self.history_n > 0 { "active" } else { "prior" },
            model_version: context.models.version(),
            incident_id: None,
            config_hash: context.plan.config_hash.clone(),
        }
    }
}
