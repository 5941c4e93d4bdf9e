//! The detectors' corpora: every attack is found, by its detector alone; every benign twin is quiet.

use crate::habitus::{Place, is_full, root, text};
use crate::samples::unpacked;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// One file of a corpus, and what it must make the detectors say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The path below `tests/corpus`.
    pub(crate) file: String,
    /// The detector that must speak in an attack, and be silent in a benign twin.
    pub(crate) detector: String,
    /// Who the finding is about.
    #[serde(default)]
    pub(crate) principal: String,
    /// What the attacker's lines contain, between the two lines below.
    #[serde(default)]
    marker: String,
    /// The bounds of `detected_at`.
    #[serde(default)]
    earliest: String,
    #[serde(default)]
    latest: String,
    /// The first and the last line of the attack, from 1.
    #[serde(default)]
    first_line: usize,
    #[serde(default)]
    last_line: usize,
}

#[derive(Deserialize)]
struct Index {
    case: Vec<Case>,
}

impl Case {
    pub(crate) fn path(&self) -> PathBuf {
        root().join("tests/corpus").join(&self.file)
    }

    pub(crate) fn is_attack(&self) -> bool {
        self.file.contains("/attack/")
    }

    /// Whether a line, counted from 1, is the attacker's.
    pub(crate) fn has_line(&self, number: usize, line: &str) -> bool {
        (self.first_line..=self.last_line).contains(&number) && line.contains(&self.marker)
    }

    /// The findings of a replay with `more` arguments that are by this case's detector.
    fn replay(&self, file: &str, more: &[&str]) -> Vec<Value> {
        let (mut findings, summary) = Place::new().replay(&[file], more);
        assert_eq!(summary["rejected"], 0, "{}", self.file);
        assert_eq!(summary["late_not_scored"], 0, "{}", self.file);
        findings.retain(|finding| text(finding, "detector") == self.detector);
        findings
    }

    /// The findings that are what this attack must yield.
    fn hits<'a>(&self, findings: &'a [Value]) -> Vec<&'a Value> {
        findings.iter().filter(|it| self.is_hit(it)).collect()
    }

    /// Whether a finding is what this attack must yield.
    pub(crate) fn is_hit(&self, finding: &Value) -> bool {
        let at = text(finding, "detected_at");
        // What concerns no identity names none.
        finding["principal_id"].as_str().unwrap_or_default() == self.principal
            && self.earliest.as_str() <= at
            && at <= self.latest.as_str()
    }

    /// The file without the attacker's lines.
    fn without_attack(&self) -> Vec<u8> {
        let bytes = unpacked(&self.path());
        let text = String::from_utf8(bytes).unwrap();
        let kept = text.lines().enumerate().filter(|(index, line)| !self.has_line(index + 1, line));
        kept.flat_map(|(_, line)| [line, "\n"]).collect::<String>().into_bytes()
    }
}

/// All cases, those of one detector, or only its attacks.
pub(crate) fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(root().join("tests/corpus/expect.toml")).unwrap();
    toml::from_str::<Index>(&text).unwrap().case
}

fn attacks_on(detector: &str) -> Vec<Case> {
    cases().into_iter().filter(|case| case.detector == detector && case.is_attack()).collect()
}

/// Found as it is; not without the attack; not without the statistic (one of each detector, all of them
/// in the full tier).
#[track_caller]
fn check_attacks(detector: &str) {
    for (index, case) in attacks_on(detector).into_iter().enumerate() {
        let path = case.path();
        let file = path.to_str().unwrap();
        let findings = case.replay(file, &[]);
        assert!(!case.hits(&findings).is_empty(), "missed {}: {findings:?}", case.file);

        let place = Place::new();
        if index == 0 || is_full() {
            let off = format!("[detect]\ndisabled = [\"{detector}\"]\n");
            let off = place.write("off.toml", off);
            let findings = case.replay(file, &["--config", &off]);
            assert!(findings.is_empty(), "{} is found without its statistic", case.file);
        }

        let name = if case.file.contains(".log.") { "quiet.log" } else { "quiet.ndjson" };
        let quiet = place.write(name, case.without_attack());
        let findings = case.replay(&quiet, &[]);
        assert!(case.hits(&findings).is_empty(), "{} is found without its attack", case.file);
    }
}

#[track_caller]
fn check_benign(detector: &str) {
    for case in cases().into_iter().filter(|it| it.detector == detector && !it.is_attack()) {
        let findings = case.replay(case.path().to_str().unwrap(), &[]);
        assert!(findings.is_empty(), "false alarm in {}: {findings:?}", case.file);
    }
}

macro_rules! corpora {
    ($($detector:ident)+) => {$(
        mod $detector {
            #[test]
            fn every_attack_is_found_and_by_its_statistic_alone() {
                super::check_attacks(stringify!($detector));
            }

            #[test]
            fn every_benign_twin_is_quiet() {
                super::check_benign(stringify!($detector));
            }
        }
    )+};
}

corpora! {
    object_enumeration egress_spike first_seen_endpoint foreign_object unauthenticated_success
    new_network auth_failures denied_probing secret_harvesting tool_drift toxic_flow
    machine_speed slow_drip sequence delegation injection exposure_change write_burst
    runaway_loop dormant inventory key_fanout cadence agent_graph identity_explosion
    joint_outlier not_itself coincidence
}

#[test]
fn the_index_names_every_file_and_no_other() {
    let mut named: Vec<_> = cases().iter().map(Case::path).collect();
    let mut there: Vec<PathBuf> = glob_gz();
    named.sort();
    there.sort();
    assert_eq!(named, there);
}

fn glob_gz() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join("tests/corpus")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "gz") {
                found.push(path);
            }
        }
    }
    found
}
