//! Every sentence is true: what findings say is counted again from their own evidence and from the log.
//!
//! Each attack of the corpora is replayed into a store. The finding's query is run on it and must show
//! what was observed; the same is counted from the raw lines, by code that shares nothing with the
//! program; and the log is replayed with so few of the attacker's lines that what is left is at, and
//! then just above, what the counterfactual calls ordinary.

mod facts;
mod log;
mod parts;
mod recount;
mod words;

use crate::corpus::{Case, cases};
use crate::habitus::{Place, is_full, text};
use log::Line;
use serde_json::Value;
use words::{after, before};

/// How a finding's query shows what was observed.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// In this column of the row of the finding's window.
    Column(&'static str),
    /// In this column of every row of the window.
    Only(&'static str),
    /// In this column of that row, which goes on to the end of the hour: within a tenth.
    Near(&'static str),
    /// In one of two columns of that row.
    Either(&'static str, &'static str),
    /// As the sum of this column over the rows of the window.
    Sum(&'static str),
    /// As so many rows.
    Rows,
    /// As the days between the hour in which it returned and the row before.
    Gap,
    /// As the day's row, which is of the whole day; the finding may have been said before its end.
    Day(&'static str),
}

/// How precisely the counterfactual of a finding is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Limit {
    /// At the number it names nothing is said, at the next one above it is.
    Tight,
    /// At the number it names nothing is said.
    Quiet,
    /// It names a number in the unit, between what was expected and what was observed.
    Between,
    /// It names no number.
    Words,
}

/// What is checked of the findings of one detector.
struct Check {
    detector: &'static str,
    shown: Shown,
    /// Whether the raw lines alone tell what was observed.
    is_counted: bool,
    limit: Limit,
}

const fn check(detector: &'static str, shown: Shown, is_counted: bool, limit: Limit) -> Check {
    Check { detector, shown, is_counted, limit }
}

/// Detector by detector: where its query shows what was observed, whether that is counted again from the
/// raw lines, and how its counterfactual is tried.
const CHECKS: [Check; 28] = {
    use Limit::{Between, Quiet, Tight, Words};
    use Shown::{Column, Day, Either, Gap, Near, Only, Rows, Sum};
    [
        check("object_enumeration", Column("observed"), true, Tight),
        check("egress_spike", Column("bytes_out"), true, Tight),
        check("first_seen_endpoint", Only("observed"), false, Words),
        check("foreign_object", Column("objects_foreign"), true, Tight),
        check("unauthenticated_success", Column("observed"), true, Quiet),
        check("new_network", Column("networks_new"), true, Words),
        check("auth_failures", Column("status_401"), true, Tight),
        check("denied_probing", Column("endpoints_denied_distinct"), true, Tight),
        check("secret_harvesting", Column("secrets_read_distinct"), true, Tight),
        check("tool_drift", Column("tools_new"), true, Words),
        check("toxic_flow", Column("observed"), false, Words),
        check("machine_speed", Only("observed"), true, Quiet),
        check("slow_drip", Day("day"), false, Words),
        check("sequence", Either("observed", "step_bits_max"), false, Between),
        check("delegation", Either("subjects_distinct", "observed"), true, Words),
        check("injection", Sum("observed"), true, Between),
        check("exposure_change", Near("observed"), false, Between),
        check("write_burst", Column("objects_changed_distinct"), true, Tight),
        check("runaway_loop", Column("calls_repeated_max"), false, Between),
        check("dormant", Gap, true, Words),
        check("inventory", Rows, false, Words),
        check("key_fanout", Column("observed"), true, Tight),
        check("cadence", Day("observed_of_day"), false, Words),
        check("agent_graph", Column("observed"), true, Words),
        check("identity_explosion", Column("identities"), true, Between),
        check("joint_outlier", Column("observed"), false, Between),
        check("not_itself", Column("observed"), false, Between),
        check("coincidence", Sum("magnitude"), false, Between),
    ]
};

/// What a finding says.
struct Claim<'a> {
    case: &'a Case,
    detector: String,
    principal: String,
    entity: String,
    unit: String,
    sentence: String,
    counterfactual: String,
    start_ms: i64,
    end_ms: i64,
    observed: f64,
    expected: f64,
    upper: f64,
    row: &'a Value,
    /// What its query gives.
    rows: Vec<Value>,
}

impl<'a> Claim<'a> {
    #[track_caller]
    fn of(case: &'a Case, place: &Place, row: &'a Value) -> Self {
        let of = |field| text(row, field).to_owned();
        let sql = of("evidence_sql");
        let said = place.run(&["query", &sql, "--output", "ndjson"]);
        assert_eq!(said.code, 0, "{}: {sql}\n{}", case.file, said.err);
        let number =
            |field: &str| row[field].as_f64().unwrap_or_else(|| panic!("{field} in {row}"));
        Self {
            case,
            detector: of("detector"),
            principal: row["principal_id"].as_str().unwrap_or_default().to_owned(),
            entity: of("entity"),
            unit: of("unit"),
            sentence: of("sentence"),
            counterfactual: of("counterfactual"),
            start_ms: log::ms(text(row, "window_start")),
            end_ms: log::ms(text(row, "window_end")),
            observed: number("observed"),
            expected: number("expected"),
            upper: number("upper"),
            row,
            rows: said.rows(),
        }
    }

    /// Whether a line is of the finding's window.
    fn has(&self, line: &Line) -> bool {
        (self.start_ms..self.end_ms).contains(&line.ms)
    }

    /// The paths of the calls that it shows.
    #[track_caller]
    fn shown_paths(&self) -> Vec<String> {
        let calls: Vec<Value> = serde_json::from_str(text(self.row, "evidence")).unwrap();
        calls.iter().map(|it| text(it, "request").split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// Whether another finding is about the same.
    fn is_like(&self, other: &Value) -> bool {
        ["detector", "principal_id", "entity", "window_start"]
            .iter()
            .all(|field| other[*field] == self.row[*field])
    }

    /// The row of the window.
    #[track_caller]
    fn of_window(&self) -> Vec<&Value> {
        let at = |row: &&Value| {
            let start = row.get("window_start").and_then(Value::as_str).map(log::ms);
            start.is_none_or(|start| (self.start_ms..self.end_ms).contains(&start))
        };
        self.rows.iter().filter(at).collect()
    }

    /// What the finding says that is not so.
    #[track_caller]
    fn is_shown(&self, shown: Shown) {
        let rows = self.of_window();
        let told = || format!("{}\n{:#?}\n{}", self.sentence, rows, self.row["evidence_sql"]);
        assert!(
            !rows.is_empty(),
            "{}: its query shows nothing of its window: {}",
            self.case.file,
            told()
        );
        let values = |column: &str| -> Vec<f64> {
            rows.iter().filter_map(|it| it.get(column).and_then(Value::as_f64)).collect()
        };
        let has = |value: f64| (value - self.observed).abs() <= 1e-9 * self.observed.abs();
        let is_so = match shown {
            Shown::Column(column) => values(column).into_iter().any(has),
            Shown::Only(column) => {
                let values = values(column);
                values.len() == rows.len() && values.into_iter().all(has)
            }
            Shown::Either(a, b) => {
                values(a).into_iter().chain(values(b)).chain(values("observed")).any(has)
            }
            Shown::Near(column) => values(column)
                .into_iter()
                .any(|value| (value - self.observed).abs() <= 0.1 * self.observed.abs()),
            Shown::Sum(column) => has(values(column).iter().sum()),
            Shown::Rows => has(rows.len() as f64),
            Shown::Gap => {
                facts::gap_days(self).is_some_and(has) || values("observed").into_iter().any(has)
            }
            Shown::Day(column) => {
                !values(column).is_empty() || rows.iter().any(|it| it.get(column).is_some())
            }
        };
        assert!(is_so, "{}: its query does not show {}: {}", self.case.file, self.observed, told());
    }

    /// Whether `expected` and `upper`, where the sentence says them, are the finding's.
    #[track_caller]
    fn says_what_is_expected(&self) {
        let said = |mark: &str| self.sentence.contains(mark).then(|| mark.to_owned());
        for mark in [
            " are expected in an active",
            " are expected in an hour",
            " would be expected this hour",
        ] {
            // Other words may stand between the number and these.
            let is_plain = !matches!(&*self.detector, "inventory" | "sequence");
            if let Some(mark) = said(mark).filter(|_| is_plain) {
                let said = before(&self.sentence, &mark);
                assert!(
                    said.is(self.expected),
                    "{}: {said:?} for {}",
                    self.sentence,
                    self.expected
                );
            }
        }
        if said(" is expected to have ").is_some() {
            let said = after(&self.sentence, " is expected to have ");
            assert!(said.is(self.expected), "{}: {said:?} for {}", self.sentence, self.expected);
        }
        for mark in ["stay under ", "stays under "] {
            if said(mark).is_some() && !matches!(&*self.detector, "slow_drip" | "inventory") {
                let said = after(&self.sentence, mark);
                assert!(said.is(self.upper), "{}: {said:?} for {}", self.sentence, self.upper);
            }
        }
    }

    /// The number that the counterfactual names.
    #[track_caller]
    fn limit(&self) -> f64 {
        let marks = [
            " at most ",
            " at a distance of ",
            " acted for ",
            " had it acted for ",
            " at ",
            " after ",
        ];
        let mark = marks.iter().find(|mark| {
            let tail = self.counterfactual.split_once(**mark).map_or("", |it| it.1);
            tail.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        });
        let mark = mark.unwrap_or_else(|| panic!("a number in: {}", self.counterfactual));
        after(&self.counterfactual, mark).value
    }
}

/// The log with only the first `kept` of the attacker's lines.
fn trimmed(case: &Case, lines: &[Line], kept: usize) -> Vec<Line> {
    let mut left = kept;
    let keeps = |line: &&Line| {
        if !case.has_line(line.number, &line.text) {
            return true;
        }
        let keeps = left > 0;
        left = left.saturating_sub(1);
        keeps
    };
    lines.iter().filter(keeps).cloned().collect()
}

/// Replays fewer of the attacker's lines; whether the same is still said.
fn is_said_of(claim: &Claim<'_>, lines: &[Line]) -> bool {
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_by_key(|it| it.number);
    let text: String = lines.iter().flat_map(|it| [&*it.text, "\n"]).collect();
    let name = if claim.case.file.contains(".log.") { "part.log" } else { "part.ndjson" };
    let place = Place::new();
    let file = place.write(name, text);
    let (found, _) = place.replay(&[&file], &["--threads", "1"]);
    found.iter().any(|it| claim.is_like(it))
}

/// Tries the counterfactual on the log itself.
#[track_caller]
fn try_limit(claim: &Claim<'_>, lines: &[Line], limit: Limit) {
    if limit == Limit::Words {
        return;
    }
    let why = format!("{}: {}\n{}", claim.case.file, claim.counterfactual, claim.sentence);
    let is_speed = claim.detector == "machine_speed";
    let most = if is_speed { f64::NAN } else { claim.limit() };
    if is_speed {
        assert!(!facts::is_slow(claim, lines), "what was observed would not be reported: {why}");
    } else {
        assert!(most < claim.observed, "what was observed would not be reported: {why}");
        assert!(claim.expected <= most, "what is expected would be reported: {why}");
    }
    if limit == Limit::Between {
        return;
    }
    let attacks = lines.iter().filter(|it| claim.case.has_line(it.number, &it.text)).count();
    let is_ordinary = |kept| {
        let part = trimmed(claim.case, lines, kept);
        match recount::observed(claim, &part) {
            _ if is_speed => facts::is_slow(claim, &part),
            count => count.unwrap() <= most,
        }
    };
    // The most of the attacker's lines with which no more is observed than what would be ordinary.
    let (mut low, mut high) = (0, attacks);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if is_ordinary(middle) { low = middle } else { high = middle }
    }
    assert!(is_ordinary(low) && !is_ordinary(high), "{why}");
    assert!(!is_said_of(claim, &trimmed(claim.case, lines, low)), "said with {low} lines: {why}");
    if limit == Limit::Tight {
        let next = trimmed(claim.case, lines, high);
        assert!(is_said_of(claim, &next), "not said with {high} lines: {why}");
    }
}

/// Everything that is checked of one attack.
#[track_caller]
fn check_case(case: &Case, check: &Check) {
    let place = Place::new();
    let (findings, _) = place.replay(&[case.path().to_str().unwrap()], &["--threads", "1"]);
    let lines = log::read(case);
    let mut checked = 0;
    for row in findings.iter().filter(|it| text(it, "detector") == check.detector) {
        let claim = Claim::of(case, &place, row);
        claim.is_shown(check.shown);
        claim.says_what_is_expected();
        let counted = recount::observed(&claim, &lines);
        if let Some(counted) = counted {
            assert!(
                (counted - claim.observed).abs() <= 1e-6 * counted.abs(),
                "{}: {counted} in the log: {}",
                case.file,
                claim.sentence
            );
        }
        // Two detectors say two kinds of things, of which the lines tell one.
        let is_other = matches!(check.detector, "dormant" | "agent_graph");
        assert!(counted.is_some() == check.is_counted || is_other, "{}", claim.sentence);
        facts::check(&claim, &lines);
        if case.is_hit(row) {
            try_limit(
                &claim,
                &lines,
                if counted.is_some() { check.limit } else { check.limit.untried() },
            );
        }
        checked += 1;
    }
    assert!(checked > 0, "{} has no finding of its own", case.file);
}

impl Limit {
    /// The same where the lines alone do not tell what was observed.
    const fn untried(self) -> Self {
        match self {
            Self::Tight | Self::Quiet => Self::Between,
            other => other,
        }
    }
}

#[track_caller]
fn check_detector(detector: &str) {
    let check = CHECKS.iter().find(|it| it.detector == detector).unwrap();
    let attacks = cases().into_iter().filter(|it| it.detector == detector && it.is_attack());
    for case in attacks.take(if is_full() { usize::MAX } else { 1 }) {
        check_case(&case, check);
    }
}

macro_rules! detectors {
    ($($detector:ident)+) => {
        $(
            #[test]
            fn $detector() {
                check_detector(stringify!($detector));
            }
        )+

        #[test]
        fn every_detector_is_checked() {
            let here = [$(stringify!($detector)),+];
            let all = model::Detector::ALL.iter().map(|it| it.as_str());
            let all: Vec<_> = all.collect();
            assert_eq!(here.as_slice(), all);
            assert!(CHECKS.iter().map(|it| it.detector).eq(all));
        }
    };
}

detectors! {
    object_enumeration egress_spike first_seen_endpoint foreign_object unauthenticated_success
    new_network auth_failures denied_probing secret_harvesting tool_drift toxic_flow
    machine_speed slow_drip sequence delegation injection exposure_change write_burst
    runaway_loop dormant inventory key_fanout cadence agent_graph identity_explosion joint_outlier
    not_itself coincidence
}
