//! What detection may be told, checked once into a [`Plan`].

use crate::classes::{Classes, Patterns};
use model::Detector;
use serde::{Deserialize, Serialize};

/// Settings of detection; nobody sets thresholds, only the alert budget.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many findings a day ordinary traffic may raise, per tenant, averaged over a week.
    pub findings_per_day: f64,
    /// A finding must be rarer than once in this many windows, however large the budget is.
    pub windows_per_finding_min: f64,
    /// Detectors that stay silent, by name.
    pub disabled: Vec<String>,
    /// Bytes of state that identities may take; past it, new identities share one overflow identity.
    pub state_bytes_max: u64,
    /// What names say, by patterns.
    pub classes: Classes,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            findings_per_day: 10.0,
            windows_per_finding_min: 10_000.0,
            disabled: Vec::new(),
            state_bytes_max: 1 << 30,
            classes: Classes::default(),
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
    #[error("detect.disabled names `{name}`, which is no detector; the detectors are {known}")]
    UnknownDetector {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
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

/// Settings that were checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(crate) findings_per_day: f64,
    pub(crate) windows_per_finding_min: f64,
    pub(crate) enabled: [bool; Detector::ALL.len()],
    pub(crate) state_bytes_max: u64,
    pub(crate) patterns: Patterns,
    /// A hash of the settings, written into every finding.
    pub config_hash: String,
}

impl Settings {
    /// Checks these settings, which is the only way to a [`Plan`].
    pub fn check(&self) -> Result<Plan, SettingsError> {
        let Self { findings_per_day, windows_per_finding_min, disabled, state_bytes_max, classes } =
            self;
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
            let detector = Detector::from_name(name).ok_or_else(|| {
                let known: Vec<_> = Detector::ALL.iter().map(|it| it.as_str()).collect();
                SettingsError::UnknownDetector { name: name.clone(), known: known.join(", ") }
            })?;
            enabled[detector as usize] = false;
        }
        let said = format!("{self:?}");
        Ok(Plan {
            findings_per_day: *findings_per_day,
            windows_per_finding_min: *windows_per_finding_min,
            enabled,
            state_bytes_max: *state_bytes_max,
            patterns: classes.check()?,
            config_hash: crate::short_hash(&said),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
