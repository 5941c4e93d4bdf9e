//! What detection may be told, checked once into a [`Plan`].

use crate::classes::{Classes, Patterns};
use crate::control::{CHANGE_WINDOWS_MAX, ChangeWindow};
use crate::scope::Scope;
use model::limit::PARTITIONS;
use model::{Detector, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The least and the greatest share of one detector.
const SHARES: (f64, f64) = (0.01, 100.0);

/// Settings of detection; nobody sets thresholds, only the alert budget.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many findings a day ordinary traffic may raise, per tenant, averaged over a week.
    pub findings_per_day: f64,
    /// A finding must be rarer than once in this many windows, however large the budget is; of a detector that
    /// judges few, in the time in which the one that judges most sees so many.
    pub windows_per_finding_min: f64,
    /// Detectors that stay silent, by name.
    pub disabled: Vec<String>,
    /// Bytes of memory that identities may take with what a replay holds beside them; past it, new identities
    /// share one overflow identity.
    pub state_bytes_max: u64,
    /// Announced changes, in which nothing is learned.
    pub change_windows: Vec<Announcement>,
    /// What names say, by patterns.
    pub classes: Classes,
    /// What single detectors are told, by name.
    pub detectors: BTreeMap<String, OfDetector>,
}

/// What one detector is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfDetector {
    /// Whether it may speak.
    pub enabled: bool,
    /// Its share of the budget, against 1 for the others: with 2 it may raise about twice as many, with
    /// 0.5 half; never more than the floor lets through.
    pub share: f64,
    /// Whom and what it may speak about.
    #[serde(flatten)]
    pub scope: Scope,
}

impl Default for OfDetector {
    fn default() -> Self {
        Self { enabled: true, share: 1.0, scope: Scope::default() }
    }
}

/// An announced change as it is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Announcement {
    /// From this time on, as RFC 3339.
    pub from: String,
    /// Before this one.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Whom it is about.
    #[serde(flatten)]
    pub scope: Scope,
}

impl Announcement {
    /// The change window that it announces.
    fn check(&self) -> Result<ChangeWindow, SettingsError> {
        let time = |field: &str, text: &str| {
            let ns = arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text);
            let bad = |why| SettingsError::BadChangeWindow(format!("{field} `{text}`: {why}"));
            ns.map(Time::from_ns).map_err(|error| bad(error.to_string()))
        };
        let window = ChangeWindow {
            from: time("from", &self.from)?,
            until: time("until", &self.until)?,
            scope: self.scope.clone(),
            reason: self.reason.clone(),
        };
        match window.fault() {
            None => Ok(window),
            Some(why) => Err(SettingsError::BadChangeWindow(format!("it {why}"))),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            findings_per_day: 10.0,
            windows_per_finding_min: 10_000.0,
            disabled: Vec::new(),
            state_bytes_max: 1 << 30,
            change_windows: Vec::new(),
            classes: Classes::default(),
            detectors: BTreeMap::new(),
        }
    }
}

/// Settings of detection that do not make sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A number is not above zero.
    #[error("detect.{field} is {value}, but must be a number above 0")]
    NotPositive {
        /// The setting's name.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A detector's name is unknown.
    #[error(
        "detect.disabled or detect.detectors names `{name}`, which is no detector; the detectors are {known}"
    )]
    UnknownDetector {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A detector is told what it cannot do.
    #[error("detect.detectors.{detector}.{why}")]
    BadDetector {
        /// Its name.
        detector: String,
        /// What is wrong.
        why: String,
    },
    /// An announced change is none.
    #[error(
        "detect.change_windows has one that cannot be: {0}; it has from and until (2026-03-02T14:00:00Z), a reason, and identities or endpoints"
    )]
    BadChangeWindow(String),
    /// The memory for state is too small to hold anything.
    #[error("detect.state_bytes_max is {0}, but must be at least 1048576 (1 MiB)")]
    StateTooSmall(u64),
    /// A pattern is none.
    #[error(
        "detect.classes.{class} has `{pattern}`, but a pattern is one to three words of at most 64 bytes, without `/` or braces"
    )]
    BadPattern {
        /// The class.
        class: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// A class has too many patterns.
    #[error("detect.classes.{class} has {count} patterns, but must have at most {max}")]
    TooManyPatterns {
        /// The class.
        class: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        max: usize,
    },
}

/// What the process takes beside identities, about: a round of the log, what is known of everybody, rows on
/// their way into the store, and what the allocator holds back.
const BESIDE_BYTES: u64 = 320 << 20;

/// Settings that were checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(crate) findings_per_day: f64,
    pub(crate) windows_per_finding_min: f64,
    pub(crate) enabled: [bool; Detector::ALL.len()],
    pub(crate) state_bytes_max: u64,
    pub(crate) patterns: Patterns,
    pub(crate) change_windows: Vec<ChangeWindow>,
    /// Each detector's share of the budget; 1 in the mean.
    shares: [f64; Detector::ALL.len()],
    /// What it may speak about; empty if nobody said anything of any.
    scopes: Vec<Scope>,
    /// Nothing is withheld from learning; only a test says so, to show what withholding is worth.
    pub(crate) learns_all: bool,
    /// A hash of the settings, written into every finding.
    pub config_hash: String,
}

impl Plan {
    /// Bytes that identities may take with their open hours: what is left beside [`BESIDE_BYTES`], and at
    /// least half.
    pub(crate) fn identities_bytes_max(&self) -> u64 {
        self.state_bytes_max - BESIDE_BYTES.min(self.state_bytes_max / 2)
    }

    /// The same of one partition.
    pub(crate) fn partition_bytes_max(&self) -> usize {
        self.identities_bytes_max() as usize / PARTITIONS
    }

    /// Whether a detector may speak.
    pub(crate) fn is_enabled(&self, detector: Detector) -> bool {
        self.enabled.get(detector as usize).copied().unwrap_or(false)
    }

    /// A detector's share of the budget; 1 in the mean over all.
    pub(crate) fn share(&self, detector: Detector) -> f64 {
        self.shares.get(detector as usize).copied().unwrap_or(1.0)
    }

    /// Whether a detector may speak about an identity (its id and its name; `None` for what concerns
    /// none) and an endpoint (empty for none).
    pub(crate) fn is_within(
        &self,
        detector: Detector,
        identity: Option<[&str; 2]>,
        endpoint: &str,
    ) -> bool {
        let scope = self.scopes.get(detector as usize).filter(|it| !it.is_all());
        scope.is_none_or(|it| it.has_identity(identity) && it.has_endpoint(endpoint))
    }
}

impl Settings {
    /// Checks these settings, which is the only way to a [`Plan`].
    pub fn check(&self) -> Result<Plan, SettingsError> {
        let Self {
            findings_per_day,
            windows_per_finding_min,
            disabled,
            state_bytes_max,
            change_windows,
            classes,
            detectors,
        } = self;
        for (field, value) in [
            ("findings_per_day", *findings_per_day),
            ("windows_per_finding_min", *windows_per_finding_min),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(SettingsError::NotPositive { field, value });
            }
        }
        if *state_bytes_max < 1 << 20 {
            return Err(SettingsError::StateTooSmall(*state_bytes_max));
        }
        let mut enabled = [true; Detector::ALL.len()];
        for name in disabled {
            enabled[named(name)? as usize] = false;
        }
        let mut shares = [1.0; Detector::ALL.len()];
        let mut scopes = Vec::new();
        for (name, told) in detectors {
            let detector = named(name)? as usize;
            let bad = |why| SettingsError::BadDetector { detector: name.clone(), why };
            if !(SHARES.0..=SHARES.1).contains(&told.share) {
                let (least, most) = SHARES;
                return Err(bad(format!("share is {}, not {least} to {most}", told.share)));
            }
            if let Some((list, why)) = told.scope.fault() {
                return Err(bad(format!("{list} {why}")));
            }
            enabled[detector] &= told.enabled;
            shares[detector] = told.share;
            scopes.resize(Detector::ALL.len(), Scope::default());
            scopes[detector] = told.scope.clone();
        }
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        for share in &mut shares {
            *share /= mean;
        }
        if change_windows.len() > CHANGE_WINDOWS_MAX {
            return Err(SettingsError::BadChangeWindow(format!(
                "there are {}, at most {CHANGE_WINDOWS_MAX}",
                change_windows.len()
            )));
        }
        let said = format!("{self:?}");
        Ok(Plan {
            findings_per_day: *findings_per_day,
            windows_per_finding_min: *windows_per_finding_min,
            enabled,
            state_bytes_max: *state_bytes_max,
            patterns: classes.check()?,
            change_windows: change_windows
                .iter()
                .map(Announcement::check)
                .collect::<Result<_, _>>()?,
            shares,
            scopes,
            learns_all: false,
            config_hash: crate::short_hash(&said),
        })
    }
}

fn named(name: &str) -> Result<Detector, SettingsError> {
    Detector::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Detector::ALL.iter().map(|it| it.as_str()).collect();
        SettingsError::UnknownDetector { name: name.to_owned(), known: known.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_move_the_budget_between_detectors_and_scopes_are_checked() {
        let told = |text: &str| toml::from_str::<Settings>(text).unwrap().check();
        let plan = told("[detectors.cadence]\nshare = 3.0\nidentities = ['svc-*']").unwrap();
        let (cadence, other) = (plan.share(Detector::Cadence), plan.share(Detector::Injection));
        assert!((cadence / other - 3.0).abs() < 1e-12);
        let mean = Detector::ALL.iter().map(|it| plan.share(*it)).sum::<f64>()
            / Detector::ALL.len() as f64;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        assert!(plan.is_within(Detector::Cadence, Some(["svc-a", ""]), "GET /a"));
        assert!(!plan.is_within(Detector::Cadence, Some(["ann", ""]), "GET /a"));
        assert!(plan.is_within(Detector::Injection, Some(["ann", ""]), "GET /a"));
        for (text, part) in [
            ("[detectors.cadenc]", "`cadenc`"),
            ("[detectors.cadence]\nshare = 0", "share is 0"),
            ("[detectors.cadence]\nidentities = ['']", "identities has ``"),
            ("[[change_windows]]\nfrom = 'x'\nuntil = '2026-03-02'\nreason = 'r'", "from `x`"),
            (
                "[[change_windows]]\nfrom = '2026-03-03'\nuntil = '2026-03-02'\nreason = 'r'",
                "ends at",
            ),
            ("[[change_windows]]\nfrom = '2026-03-01'\nuntil = '2026-03-02'", "reason"),
        ] {
            let error = told(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_unknown_detector_is_refused_by_name() {
        let settings = Settings { disabled: vec!["egres".into()], ..Settings::default() };
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("`egres`") && error.contains("egress_spike"), "{error}");
    }

    #[test]
    fn a_budget_of_nothing_is_refused() {
        let settings = Settings { findings_per_day: 0.0, ..Settings::default() };
        assert!(matches!(settings.check(), Err(SettingsError::NotPositive { .. })));
    }
}
