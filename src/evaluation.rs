//! Findings beside the truth of a log: which attack each belongs to, and what that makes in numbers.

use crate::commands::Failure;
use crate::truth::{Attack, Truth, Twin};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use store::Store;

/// Seconds after an attack's last call in which a finding still belongs to it.
const GRACE_S: f64 = 300.0;
/// Findings about one entity within so many seconds are one interruption for whoever reads them.
const TOGETHER_S: f64 = 3_600.0;

/// A finding as the comparison needs it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) principal: String,
    pub(crate) entity: String,
    pub(crate) detector: String,
    pub(crate) detected_at_s: f64,
    pub(crate) window_start_s: f64,
    pub(crate) window_end_s: f64,
    pub(crate) sentence: String,
}

/// What became of one attack.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) attack: String,
    pub(crate) strength: String,
    pub(crate) detector: String,
    pub(crate) principal: String,
    /// Whether any detector found it.
    pub(crate) found: bool,
    /// Who did.
    pub(crate) by: Vec<String>,
    /// From its first call to the first finding, in event time.
    pub(crate) seconds_to_detect: Option<f64>,
    pub(crate) story: String,
    pub(crate) sentence: Option<String>,
}

/// What a store says about a log.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its findings, in the order in which they were made.
    pub(crate) found: Vec<Found>,
    /// Identities, each counted once for every day on which it called.
    pub(crate) identity_days: u64,
}

/// Findings that belong to no attack.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Others {
    /// All of them.
    pub(crate) findings: Vec<Found>,
    /// The same, where several about one entity within the hour count once.
    pub(crate) count: u64,
}

/// What became of the attacks of one strength, or of one detector and strength.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Score {
    pub(crate) attacks: u64,
    /// Found by any detector.
    pub(crate) found: u64,
    /// Found by the expected one.
    pub(crate) by_expected: u64,
    pub(crate) recall: Option<f64>,
    pub(crate) seconds_median: Option<f64>,
    pub(crate) seconds_p90: Option<f64>,
}

/// How far a detector can be believed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Trust {
    /// Its findings, each once.
    pub(crate) findings: u64,
    /// Those that belong to no attack, where several about one entity within the hour count once.
    pub(crate) false_findings: u64,
    /// The share of its findings that belong to an attack.
    pub(crate) precision: Option<f64>,
    pub(crate) false_per_1000_identity_days: f64,
}

impl Answer {
    /// What a directory holds.
    pub(crate) async fn of(dir: &Path) -> Result<Self, Failure> {
        let sql = "SELECT finding_id, principal_id, entity, detector, detected_at, window_start, \
                   window_end, sentence \
                   FROM findings_current ORDER BY detected_at, finding_id";
        let store = Store::open(dir).await?;
        let (_, batches) = store.query(sql).await?;
        let mut found = Vec::new();
        for batch in &batches {
            found.extend((0..batch.num_rows()).map(|row| Found::at(batch, row)));
        }
        let sql = "SELECT count(*) AS n FROM (SELECT DISTINCT principal_id, date_trunc('day', window_start) \
                   FROM windows)";
        let (_, batches) = store.query(sql).await?;
        let count = batches.first().and_then(|batch| {
            let column = batch.column(0).as_primitive_opt::<Int64Type>()?;
            (!column.is_empty()).then(|| column.value(0))
        });
        Ok(Self { found, identity_days: count.unwrap_or(0).max(0).unsigned_abs() })
    }
}

impl Found {
    fn at(batch: &RecordBatch, row: usize) -> Self {
        let text = |index: usize| {
            let column = arrow::compute::cast(batch.column(index), &DataType::Utf8);
            let value = column.map(|it| it.as_string::<i32>().value(row).to_owned());
            value.unwrap_or_default()
        };
        let seconds = |index: usize| {
            let times = batch.column(index).as_primitive_opt::<TimestampMicrosecondType>();
            let time = times.filter(|times| !times.is_null(row)).map(|times| times.value(row));
            time.map_or(0.0, |us| us as f64 / 1e6)
        };
        Self {
            id: text(0),
            principal: text(1),
            entity: text(2),
            detector: text(3),
            detected_at_s: seconds(4),
            window_start_s: seconds(5),
            window_end_s: seconds(6),
            sentence: text(7),
        }
    }

    /// Whom or what it is about: the identity, else the entity.
    fn subject(&self) -> &str {
        if self.principal.is_empty() { &self.entity } else { &self.principal }
    }

    /// Whether it tells of that attack: it names somebody or something of it, and its time is the
    /// attack's.
    pub(crate) fn belongs(&self, attack: &Attack) -> bool {
        let (start_s, end_s) = attack.span_s();
        let is_then = self.detected_at_s >= start_s
            && (self.detected_at_s <= end_s + GRACE_S || self.window_start_s < end_s);
        let subject = without_names(self.subject());
        let mut names = std::iter::once(&attack.principal).chain(&attack.others);
        is_then && names.any(|name| without_names(name) == subject)
    }
}

/// A template whose parameters have no names: whoever writes a truth cannot know how they are called.
fn without_names(entity: &str) -> String {
    let mut parts = entity.split('{');
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str("{}");
        out.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    out
}

impl Outcome {
    /// What became of an attack.
    pub(crate) fn of(attack: &Attack, found: &[Found]) -> Self {
        let mine: Vec<_> = found.iter().filter(|it| it.belongs(attack)).collect();
        let first = mine.iter().min_by(|a, b| a.detected_at_s.total_cmp(&b.detected_at_s));
        let best = mine.iter().find(|it| it.detector == attack.detector).or(first);
        let by: BTreeSet<_> = mine.iter().map(|it| it.detector.clone()).collect();
        Self {
            attack: attack.name.clone(),
            strength: attack.strength.clone(),
            detector: attack.detector.clone(),
            principal: attack.principal.clone(),
            found: first.is_some(),
            by: by.into_iter().collect(),
            seconds_to_detect: first.map(|it| it.detected_at_s - attack.span_s().0),
            story: attack.story.clone(),
            sentence: best.map(|it| it.sentence.clone()),
        }
    }
}

impl Others {
    /// The findings that belong to none of the attacks.
    pub(crate) fn of(truth: &Truth, found: &[Found]) -> Self {
        let is_other = |it: &&Found| !truth.attacks.iter().any(|attack| it.belongs(attack));
        let findings: Vec<_> = found.iter().filter(is_other).cloned().collect();
        let count = together(findings.iter());
        Self { findings, count }
    }

    /// Those about a twin, by the detector that it is made to fool.
    pub(crate) fn fooled_by(&self, twin: &Twin) -> Vec<&Found> {
        let is_fooled =
            |it: &&Found| it.principal == twin.principal && it.detector == twin.detector;
        self.findings.iter().filter(is_fooled).collect()
    }
}

/// How often findings, in the order of their detection, interrupt somebody.
fn together<'a>(findings: impl Iterator<Item = &'a Found>) -> u64 {
    let (mut begun, mut count): (BTreeMap<&str, f64>, u64) = (BTreeMap::new(), 0);
    for it in findings {
        let open = begun.get(it.subject()).is_some_and(|s| it.detected_at_s <= s + TOGETHER_S);
        if !open {
            begun.insert(it.subject(), it.detected_at_s);
            count += 1;
        }
    }
    count
}

impl Score {
    /// The score of some attacks.
    pub(crate) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let (mut score, mut seconds) = (Self::default(), Vec::new());
        for it in outcomes {
            score.attacks += 1;
            score.found += u64::from(it.found);
            score.by_expected += u64::from(it.by.contains(&it.detector));
            seconds.extend(it.seconds_to_detect);
        }
        seconds.sort_by(f64::total_cmp);
        score.recall = (score.attacks > 0).then(|| score.found as f64 / score.attacks as f64);
        score.seconds_median = at_share(&seconds, 0.5);
        score.seconds_p90 = at_share(&seconds, 0.9);
        score
    }
}

/// The smallest value that at least that share of them does not exceed.
fn at_share(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

impl Trust {
    /// How far a detector can be believed, of all that was found and of what belongs to no attack.
    pub(crate) fn of(detector: &str, found: u64, others: &[&Others], identity_days: u64) -> Self {
        let of_it = |others: &&Others| -> (u64, u64) {
            let mine: Vec<_> =
                others.findings.iter().filter(|it| it.detector == detector).collect();
            (mine.len() as u64, together(mine.into_iter()))
        };
        let (raw, counted) = others.iter().map(of_it).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        Self {
            findings: found,
            false_findings: counted,
            precision: (found > 0).then(|| (found - raw.min(found)) as f64 / found as f64),
            false_per_1000_identity_days: counted as f64 * 1_000.0 / (identity_days.max(1) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(principal: &str, others: &[&str]) -> Attack {
        Attack {
            name: "it".to_owned(),
            detector: "egress_spike".to_owned(),
            also: Vec::new(),
            principal: principal.to_owned(),
            others: others.iter().map(|it| (*it).to_owned()).collect(),
            start: "1970-01-01T02:10:00Z".to_owned(),
            end: "1970-01-01T02:20:00Z".to_owned(),
            strength: "loud".to_owned(),
            story: String::new(),
        }
    }

    fn found(principal: &str, entity: &str, window_h: f64, minute: f64) -> Found {
        Found {
            id: String::new(),
            principal: principal.to_owned(),
            entity: entity.to_owned(),
            detector: "egress_spike".to_owned(),
            detected_at_s: minute * 60.0,
            window_start_s: window_h * 3_600.0,
            window_end_s: window_h * 3_600.0 + 3_600.0,
            sentence: String::new(),
        }
    }

    #[test]
    fn a_finding_belongs_to_an_attack_of_its_name_and_time() {
        let mine = attack("a", &["GET /x/{}"]);
        for (finding, expected) in [
            (found("a", "", 2.0, 131.0), true),
            // Said when the hour closed in which it was.
            (found("a", "", 2.0, 180.0), true),
            (found("a", "", 3.0, 190.0), false),
            // Within the time of grace, in the next hour.
            (found("a", "", 2.5, 144.0), true),
            (found("a", "", 2.0, 129.0), false),
            (found("b", "", 2.0, 131.0), false),
            (found("", "GET /x/{int}", 2.0, 131.0), true),
            (found("", "GET /y/{int}", 2.0, 131.0), false),
            // Another identity at that endpoint has its own reasons.
            (found("b", "GET /x/{int}", 2.0, 131.0), false),
        ] {
            assert_eq!(finding.belongs(&mine), expected, "{finding:?}");
        }
    }

    #[test]
    fn findings_about_one_entity_within_the_hour_count_once() {
        let some = [
            found("a", "", 2.0, 120.0),
            found("b", "", 2.0, 130.0),
            found("a", "", 2.0, 179.0),
            found("a", "", 3.0, 185.0),
        ];
        assert_eq!(together(some.iter()), 3);
        let truth = Truth::default();
        let others = Others::of(&truth, &some);
        let trust = Trust::of("egress_spike", 8, &[&others], 500);
        assert_eq!((trust.false_findings, trust.precision), (3, Some(0.5)));
        assert!((trust.false_per_1000_identity_days - 6.0).abs() < 1e-9);
    }

    #[test]
    fn a_score_counts_who_found_and_when() {
        let mine = attack("a", &[]);
        let outcomes = [
            Outcome::of(&mine, &[found("a", "", 2.0, 131.0)]),
            Outcome::of(&mine, &[found("a", "", 2.0, 134.0)]),
            Outcome::of(&mine, &[]),
        ];
        let score = Score::of(outcomes.iter());
        assert_eq!((score.attacks, score.found, score.by_expected), (3, 2, 2));
        assert_eq!((score.seconds_median, score.seconds_p90), (Some(60.0), Some(240.0)));
        assert_eq!(Score::of([].iter()), Score::default());
    }
}
