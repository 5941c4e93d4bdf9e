//! The truth beside a log: which attacks are in it and what only looks like one, as a file that people can write too.

use crate::commands::{Failure, instant};
use model::Time;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes of a truth file that are read at most.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What is known of a log. `habitus simulate --truth` writes it, `habitus evaluate --truth` reads it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Truth {
    /// The seed of simulated traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// The first moment.
    #[serde(default)]
    pub(crate) start: String,
    /// The end, exclusive.
    #[serde(default)]
    pub(crate) end: String,
    /// The attacks, by start.
    pub(crate) attacks: Vec<Attack>,
    /// What looks like an attack and is none.
    #[serde(default)]
    pub(crate) twins: Vec<Twin>,
}

/// One attack.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Attack {
    pub(crate) name: String,
    /// The detector that is expected to find it.
    pub(crate) detector: String,
    /// Detectors that may rightly report it too.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// Whom a finding should name.
    pub(crate) principal: String,
    /// What else a finding of it may name: other principals, addresses, agents, `METHOD /path`.
    #[serde(default)]
    pub(crate) others: Vec<String>,
    pub(crate) start: String,
    pub(crate) end: String,
    /// `loud`, `moderate` or `weak`.
    pub(crate) strength: String,
    #[serde(default)]
    pub(crate) story: String,
}

/// Ordinary traffic that looks like an attack.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Twin {
    pub(crate) name: String,
    /// The detector that must stay quiet.
    pub(crate) detector: String,
    pub(crate) principal: String,
    #[serde(default)]
    pub(crate) story: String,
}

impl Truth {
    /// The truth of a simulated scenario, of the attacks that began before `until`.
    pub(crate) fn of(truth: &simulate::Truth, seed: u64, (start, until): (Time, Time)) -> Self {
        let until_s = until.ns() as f64 / 1e9;
        let attacks = truth.attacks.iter().filter(|it| it.start_s < until_s).map(Attack::of);
        let twins = truth.twins.iter().map(|it| Twin {
            name: it.name.to_owned(),
            detector: it.detector.to_owned(),
            principal: it.principal.clone(),
            story: it.story.clone(),
        });
        Self {
            seed: Some(seed),
            start: start.to_string(),
            end: until.to_string(),
            attacks: attacks.collect(),
            twins: twins.collect(),
        }
    }

    /// Reads the file that `--truth` names.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let cannot = |error: std::io::Error| format!("cannot read --truth {shown}: {error}");
        let bytes = std::fs::metadata(path).map_err(cannot)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(format!("--truth {shown} has more than {FILE_BYTES_MAX} bytes").into());
        }
        let text = std::fs::read_to_string(path).map_err(cannot)?;
        let truth: Self = serde_json::from_str(&text)
            .map_err(|error| format!("--truth {shown} is no truth of a log: {error}"))?;
        for attack in &truth.attacks {
            attack.checked().map_err(|why| format!("--truth {shown}: {}: {why}", attack.name))?;
        }
        Ok(truth)
    }

    /// Writes the file that `--truth` names.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_value(self)?;
        std::fs::write(path, format!("{text:#}\n"))
            .map_err(|error| format!("cannot write --truth {}: {error}", path.display()).into())
    }
}

impl Attack {
    fn of(it: &simulate::Attack) -> Self {
        let at = |seconds: f64| Time::from_ns((seconds * 1e6).round() as i64 * 1_000).to_string();
        Self {
            name: it.name.clone(),
            detector: it.detector.to_owned(),
            also: it.also.iter().map(|name| (*name).to_owned()).collect(),
            principal: it.principal.clone(),
            others: it.others.clone(),
            start: at(it.start_s),
            end: at(it.end_s),
            strength: it.strength.as_str().to_owned(),
            story: it.story.clone(),
        }
    }

    /// Its first and last moment, in seconds since the Unix epoch.
    pub(crate) fn span_s(&self) -> (f64, f64) {
        let seconds = |typed: &str| instant(typed).map_or(0.0, |time| time.ns() as f64 / 1e9);
        (seconds(&self.start), seconds(&self.end))
    }

    fn checked(&self) -> Result<(), String> {
        for (name, typed) in [("start", &self.start), ("end", &self.end)] {
            if instant(typed).is_none() {
                return Err(format!("{name} is `{typed}`, which is no time"));
            }
        }
        let (start_s, end_s) = self.span_s();
        if end_s < start_s {
            return Err("it ends before it starts".to_owned());
        }
        if !simulate::Strength::ALL.iter().any(|it| it.as_str() == self.strength) {
            return Err(format!("strength is `{}`: write loud, moderate or weak", self.strength));
        }
        Ok(())
    }
}
