//! What trials show, as tables and as one JSON object.

use crate::commands::Failure;
use crate::commands::trial::Trial;
use crate::evaluation::{Outcome, Score, Trust};
use crate::figures::counted;
use crate::render::{self, plain};
use serde::Serialize;
use simulate::Strength;
use std::collections::BTreeSet;
use std::io::Write;

/// Findings that are shown on a terminal, of those that belong to no attack.
const SHOWN_MAX: usize = 60;
/// What `--require` wants, by strength: the share of attacks that is found.
const RECALL_MIN: [(Strength, f64); 3] =
    [(Strength::Loud, 1.0), (Strength::Moderate, 0.9), (Strength::Weak, 0.5)];
/// Seconds of event time within which half of the loud attacks must be found.
const SECONDS_MAX: f64 = 10.0;
/// Findings a day that belong to no attack.
const OTHERS_PER_DAY_MAX: f64 = 10.0;

/// Everything that is said of some trials.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    seeds: Vec<u64>,
    days: f64,
    events: u64,
    rejected: u64,
    identity_days: u64,
    strengths: ByStrength,
    detectors: Vec<Row>,
    /// Findings that belong to no attack; several about one entity within the hour count once.
    others: u64,
    others_per_day: f64,
    others_per_1000_identity_days: f64,
    bars: Vec<Bar>,
    attacks: Vec<Tried<Outcome>>,
    twins: Vec<Tried<Kept>>,
    other_findings: Vec<Tried<Other>>,
}

/// Something, and the trial that it is of.
#[derive(Debug, Serialize)]
struct Tried<T> {
    seed: Option<u64>,
    #[serde(flatten)]
    it: T,
}

/// The same of attacks that stand out more or less.
#[derive(Debug, Serialize)]
struct ByStrength {
    loud: Score,
    moderate: Score,
    weak: Score,
}

/// One detector: what it was expected to find, and what it said.
#[derive(Debug, Serialize)]
struct Row {
    detector: String,
    strengths: ByStrength,
    #[serde(flatten)]
    trust: Trust,
}

/// What became of a twin.
#[derive(Debug, Serialize)]
struct Kept {
    twin: String,
    detector: String,
    principal: String,
    quiet: bool,
    sentences: Vec<String>,
}

/// A finding that belongs to no attack.
#[derive(Debug, Serialize)]
struct Other {
    id: String,
    detector: String,
    principal: String,
    entity: String,
    detected_at_s: f64,
    sentence: String,
}

/// One thing that is required.
#[derive(Debug, Serialize)]
struct Bar {
    what: &'static str,
    wanted: f64,
    measured: Option<f64>,
    holds: bool,
}

impl Report {
    pub(super) fn of(trials: &[Trial]) -> Self {
        let outcomes = || trials.iter().flat_map(|it| &it.outcomes);
        let days = trials.iter().map(|it| it.days).sum::<f64>();
        let identity_days = trials.iter().map(|it| it.answer.identity_days).sum::<u64>();
        let others = trials.iter().map(|it| it.others.count).sum::<u64>();
        let mut report = Self {
            seeds: trials.iter().filter_map(|it| it.truth.seed).collect(),
            days,
            events: trials.iter().map(|it| it.summary.events).sum(),
            rejected: trials.iter().map(|it| it.summary.rejected).sum(),
            identity_days,
            strengths: ByStrength::of(outcomes),
            detectors: rows(trials, identity_days),
            others,
            // The last day is over, though nobody may have called in its last minutes.
            others_per_day: others as f64 / days.ceil().max(1.0),
            others_per_1000_identity_days: others as f64 * 1_000.0 / identity_days.max(1) as f64,
            bars: Vec::new(),
            attacks: tried(trials, |trial| trial.outcomes.clone()),
            twins: tried(trials, kept),
            other_findings: tried(trials, other_findings),
        };
        report.bars = report.measured();
        report
    }

    /// Whether all that is required holds.
    pub(super) fn is_good(&self) -> bool {
        self.bars.iter().all(|bar| bar.holds)
    }

    fn measured(&self) -> Vec<Bar> {
        let mut bars: Vec<_> = RECALL_MIN
            .iter()
            .map(|(strength, wanted)| {
                let measured = self.strengths.get(*strength).recall;
                let what = match strength {
                    Strength::Loud => "share of the loud attacks that is found",
                    Strength::Moderate => "share of the moderate attacks that is found",
                    Strength::Weak => "share of the weak attacks that is found",
                };
                let holds = measured.is_none_or(|it| it >= *wanted);
                Bar { what, wanted: *wanted, measured, holds }
            })
            .collect();
        let measured = self.strengths.loud.seconds_median;
        bars.push(Bar {
            what: "median seconds until a loud attack is found, at most",
            wanted: SECONDS_MAX,
            measured,
            holds: measured.is_none_or(|it| it <= SECONDS_MAX),
        });
        bars.push(Bar {
            what: "findings a day that belong to no attack, at most",
            wanted: OTHERS_PER_DAY_MAX,
            measured: Some(self.others_per_day),
            holds: self.others_per_day <= OTHERS_PER_DAY_MAX,
        });
        bars
    }

    pub(super) fn print(&self, out: &mut impl Write, is_required: bool) -> Result<(), Failure> {
        let seeds: Vec<_> = self.seeds.iter().map(u64::to_string).collect();
        if !seeds.is_empty() {
            writeln!(out, "seed {}", seeds.join(", "))?;
        }
        writeln!(
            out,
            "{} in {:.1} days, {}\n",
            counted(self.events, "call", "calls"),
            self.days,
            counted(self.identity_days, "identity-day", "identity-days"),
        )?;
        writeln!(out, "{}", self.table())?;
        let missed = self.attacks.iter().filter(|it| !it.it.found);
        for Tried { seed, it } in missed {
            let of = seed.map_or_else(String::new, |seed| format!(" of seed {seed}"));
            let text = format!("missed{of}: {} ({}): {}", it.attack, it.strength, it.story);
            writeln!(out, "{}", plain(&text))?;
        }
        for Tried { it, .. } in self.twins.iter().filter(|it| !it.it.quiet) {
            writeln!(
                out,
                "{}",
                plain(&format!("fooled by {}: {}", it.twin, it.sentences.join("; ")))
            )?;
        }
        writeln!(
            out,
            "\n{} to no attack (several about one identity within an hour count once), {:.1} a day, \
             {:.2} per 1 000 identity-days",
            counted(self.others, "finding belongs", "findings belong"),
            self.others_per_day,
            self.others_per_1000_identity_days,
        )?;
        for Tried { it, .. } in self.other_findings.iter().take(SHOWN_MAX) {
            let id = it.id.get(..8).unwrap_or("");
            writeln!(out, "  {id}  {}: {}", it.detector, plain(&it.sentence))?;
        }
        if is_required {
            writeln!(out)?;
            for bar in &self.bars {
                let measured = bar.measured.map_or("-".to_owned(), |it| format!("{it:.2}"));
                let holds = if bar.holds { "holds" } else { "SHORT" };
                writeln!(out, "{holds}  {}: {measured}, wanted {}", bar.what, bar.wanted)?;
            }
        }
        Ok(())
    }

    fn table(&self) -> comfy_table::Table {
        let mut table = render::new_table();
        table.set_header([
            "detector",
            "loud",
            "moderate",
            "weak",
            "findings",
            "false",
            "precision",
            "false per 1 000",
        ]);
        for row in &self.detectors {
            let mut cells = vec![row.detector.clone()];
            cells.extend(Strength::ALL.map(|it| cell(row.strengths.get(it))));
            cells.push(row.trust.findings.to_string());
            cells.push(row.trust.false_findings.to_string());
            let precision = row.trust.precision;
            cells.push(precision.map_or_else(String::new, |it| format!("{it:.2}")));
            cells.push(format!("{:.2}", row.trust.false_per_1000_identity_days));
            table.add_row(cells);
        }
        let mut cells = vec!["all".to_owned()];
        cells.extend(Strength::ALL.map(|it| cell(self.strengths.get(it))));
        let sum = |of: fn(&Row) -> u64| self.detectors.iter().map(of).sum::<u64>().to_string();
        cells.push(sum(|row| row.trust.findings));
        cells.push(self.others.to_string());
        cells.push(String::new());
        cells.push(format!("{:.2}", self.others_per_1000_identity_days));
        table.add_row(cells);
        table
    }
}

impl ByStrength {
    fn of<'a, I: Iterator<Item = &'a Outcome>>(outcomes: impl Fn() -> I) -> Self {
        let [loud, moderate, weak] = Strength::ALL
            .map(|strength| Score::of(outcomes().filter(|it| it.strength == strength.as_str())));
        Self { loud, moderate, weak }
    }

    const fn get(&self, strength: Strength) -> &Score {
        match strength {
            Strength::Loud => &self.loud,
            Strength::Moderate => &self.moderate,
            Strength::Weak => &self.weak,
        }
    }
}

/// `found/attacks, by the expected detector, median, 90th percentile`.
fn cell(score: &Score) -> String {
    if score.attacks == 0 {
        return String::new();
    }
    let time =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), super::super::demo::duration);
    format!(
        "{}/{} ({} itself) {}, {}",
        score.found,
        score.attacks,
        score.by_expected,
        time(score.seconds_median),
        time(score.seconds_p90),
    )
}

fn tried<T>(trials: &[Trial], of: impl Fn(&Trial) -> Vec<T>) -> Vec<Tried<T>> {
    let all = trials
        .iter()
        .flat_map(|trial| of(trial).into_iter().map(|it| Tried { seed: trial.truth.seed, it }));
    all.collect()
}

fn kept(trial: &Trial) -> Vec<Kept> {
    let of = |twin: &crate::truth::Twin| {
        let fooled = trial.others.fooled_by(twin);
        Kept {
            twin: twin.name.clone(),
            detector: twin.detector.clone(),
            principal: twin.principal.clone(),
            quiet: fooled.is_empty(),
            sentences: fooled.iter().map(|it| it.sentence.clone()).collect(),
        }
    };
    trial.truth.twins.iter().map(of).collect()
}

fn other_findings(trial: &Trial) -> Vec<Other> {
    let of = |it: &crate::evaluation::Found| Other {
        id: it.id.clone(),
        detector: it.detector.clone(),
        principal: it.principal.clone(),
        entity: it.entity.clone(),
        detected_at_s: it.detected_at_s,
        sentence: it.sentence.clone(),
    };
    trial.others.findings.iter().map(of).collect()
}

/// A row for each detector, in the order of the catalogue, then what else a truth or a store names.
fn rows(trials: &[Trial], identity_days: u64) -> Vec<Row> {
    let known: Vec<_> = model::Detector::ALL.iter().map(|it| it.as_str().to_owned()).collect();
    let expected = trials.iter().flat_map(|it| it.outcomes.iter().map(|it| it.detector.clone()));
    let more: BTreeSet<_> = expected.filter(|it| !known.contains(it)).collect();
    let others: Vec<_> = trials.iter().map(|it| &it.others).collect();
    let row = |detector: String| {
        let outcomes = || trials.iter().flat_map(|it| &it.outcomes);
        let mine = || outcomes().filter(|it| it.detector == detector);
        let strengths = ByStrength::of(mine);
        let found = trials.iter().flat_map(|it| &it.answer.found);
        let found = found.filter(|it| it.detector == detector).count() as u64;
        let trust = Trust::of(&detector, found, &others, identity_days);
        Row { detector, strengths, trust }
    };
    known.into_iter().chain(more).map(row).collect()
}
