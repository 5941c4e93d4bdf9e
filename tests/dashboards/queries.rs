//! Every query of the dashboards on the real engine: any time range, any value, and no more read than needed.

use super::macros::Span;
use super::questions::{Choice, Place, Question, Variable, questions, variables_of};
use super::results::{Answer, FORMAT, unknown_columns};
use super::seed::{self, HOSTILE, Store, span};
use super::variables::{Held, Values, interpolate};
use super::{committed, text};
use crate::habitus::is_full;
use crate::services;
use std::collections::{BTreeMap, BTreeSet};

/// Queries at least, so that none is left out unseen.
const QUESTIONS_MIN: usize = 45;
/// Columns in which nothing ever stands, the queries that have them, and why.
const EMPTY: [(&str, &str, &str); 2] = [
    ("Identity: Novel endpoints", "requests_before", "novel is what was not called before"),
    ("Identity: Evidence", "agent", "who is asked about is no agent"),
];
/// Queries about one identity that name others too, and why; other tenants they do not name.
const ABOUT_OTHERS: [(&str, &str); 1] = [("Identity: Peers", "who is like it")];
/// Identities that were there from the first day to the last one, and read objects in nearly every hour:
/// a lower end of their band that is 0 would be a column that could be any other.
const LIVED: &str = "SELECT principal_id FROM windows GROUP BY principal_id
     HAVING quantileExact(0.05)(objects_distinct) > 0
         AND toDate(min(window_start)) = (SELECT toDate(min(window_start)) FROM windows)
         AND toDate(max(window_start)) = (SELECT toDate(max(window_start)) FROM windows)";
/// Tables that grow with the traffic.
const LARGE: [&str; 5] = ["findings", "metrics", "operations", "signals", "windows"];
/// What a plan says of a table's parts before it comes to the primary key, or after it.
const OTHER_INDEXES: [&str; 4] = ["Min-Max", "MinMax", "Partition", "Skip"];
/// Reads of each large table at least in the plans of all queries: that plans are understood.
const READS_MIN: usize = 4;
/// Nobody is called so, and no variable has this value.
const NOBODY: &str = "nobody is called so";
/// Nobody is called so either, and whoever is careless with it gets everybody. The first two are
/// tried always, all of them in the full tier.
static ATTACKS: [&str; 4] =
    ["nobody\\' OR 1=1 --", "nobody' OR '1'='1", "nobody\\') OR 1=1 --", "nobody} OR {1=1"];
const DAY_MS: i64 = 86_400_000;

/// A store, the dashboards, and what was complained of so far.
pub(super) struct Inquiry {
    pub(super) store: Store,
    pub(super) questions: Vec<Question>,
    /// Of each dashboard, by its uid, with what can be chosen.
    variables: BTreeMap<String, Vec<Variable>>,
    said: Vec<String>,
}

/// What all answers to one query had.
#[derive(Debug, Default)]
struct Seen {
    columns: BTreeSet<String>,
    filled: BTreeSet<String>,
    has_something: bool,
}

impl Seen {
    fn add(&mut self, answer: &Answer) {
        self.columns.extend(answer.names.iter().cloned());
        self.filled.extend(answer.filled().into_iter().map(str::to_owned));
        self.has_something |= answer.has_something();
    }

    /// What is not there where data are.
    fn complaints(&self, name: &str) -> Vec<String> {
        let mut said = Vec::new();
        if !self.has_something {
            said.push("no answer where there are data".to_owned());
        }
        for column in self.columns.difference(&self.filled) {
            let is_exempt = EMPTY.iter().any(|(of, it, _)| name.contains(of) && it == column);
            if !is_exempt {
                said.push(format!("the column {column} is empty or 0 in every answer"));
            }
        }
        said
    }
}

impl Inquiry {
    /// The committed dashboards on a store.
    pub(super) fn new(store: Store) -> Self {
        let files = committed();
        let (questions, variables) = (questions(&files), variables_of(&files));
        assert!(questions.len() >= QUESTIONS_MIN, "{} queries", questions.len());
        let mut inquiry = Self { store, questions, variables, said: Vec::new() };
        inquiry.choose();
        inquiry
    }

    /// Asks what can be chosen, a variable after the other, since one may depend on those before.
    fn choose(&mut self) {
        let whole = self.store.whole();
        for question in self.questions.clone() {
            if question.place != Place::Variable {
                continue;
            }
            let answer = self.answer(&question, Choice::All, &whole);
            // The value comes first, what is shown of it second.
            let values = answer.rows.iter().filter_map(|row| row.first()?.as_str());
            let mut options: Vec<_> = values.map(str::to_owned).collect();
            let name = text(&question.around, "name");
            if name == "identity" {
                // Who came lately has no band yet: the one asked about was there all the time.
                let lived = self.store.ask(LIVED);
                let lived: BTreeSet<&str> = lived.lines().collect();
                options.sort_by_key(|it| !lived.contains(it.as_str()));
            }
            let variables = self.variables.get_mut(&question.board);
            if let Some(it) = variables.into_iter().flatten().find(|it| it.name == name) {
                it.options = options;
            }
        }
    }

    /// The variables of the dashboard that a query is of.
    pub(super) fn variables(&self, question: &Question) -> &[Variable] {
        self.variables.get(&question.board).map(Vec::as_slice).unwrap_or_default()
    }

    /// What ClickHouse would be sent.
    pub(super) fn sent(
        &self,
        question: &Question,
        choice: Choice<'_>,
        span: &Span,
    ) -> Result<String, String> {
        question.sent(self.variables(question), choice, &self.span_of(question, span))
    }

    /// The time that a query is asked about: a panel may have a shortest step, and a rule looks
    /// back from the end.
    fn span_of(&self, question: &Question, span: &Span) -> Span {
        let least = text(&question.around, "interval");
        let interval_ms = span.interval_ms.max(milliseconds(least));
        match question.looks_back {
            Some((from, to)) if span.to_ms == self.store.to_ms && !self.is_whole(span) => Span {
                from_ms: span.to_ms - from * 1_000,
                to_ms: span.to_ms - to * 1_000,
                interval_ms,
            },
            _ => Span { interval_ms, ..*span },
        }
    }

    fn is_whole(&self, span: &Span) -> bool {
        span.from_ms == self.store.from_ms
    }

    /// The answer to a query; nothing and a complaint where it is refused.
    fn answer(&mut self, question: &Question, choice: Choice<'_>, span: &Span) -> Answer {
        let server = self.store.server;
        let answer = self.sent(question, choice, span).and_then(|sql| {
            let body = server.try_query_in(&self.store.database, FORMAT, &sql);
            let answer = body.and_then(|it| Answer::parse(&it));
            answer.map_err(|why| format!("{} in\n{sql}", why.trim()))
        });
        answer.unwrap_or_else(|why| {
            self.complain(question, choice, &why);
            Answer::default()
        })
    }

    fn complain(&mut self, question: &Question, choice: Choice<'_>, why: &str) {
        self.said.push(format!("{} with {choice:?}: {why}", question.name));
    }

    /// Every query over all, a day and an hour to come, with everything and with one of everything.
    fn ask_ranges(&mut self) {
        let (from, to) = (self.store.from_ms, self.store.to_ms);
        let later = to + 300 * DAY_MS;
        let spans = [span(from, to), span(to - DAY_MS, to), span(later, later + DAY_MS / 24)];
        let mut shown: BTreeMap<(String, String), (Question, Vec<Answer>)> = BTreeMap::new();
        for question in self.questions.clone() {
            let mut seen = Seen::default();
            for span in &spans {
                for choice in [Choice::All, Choice::First] {
                    let answer = self.answer(&question, choice, span);
                    if answer.names.is_empty() {
                        continue;
                    }
                    for why in answer.complaints(&question) {
                        self.complain(&question, choice, &why);
                    }
                    let is_all = matches!(choice, Choice::All) && self.is_whole(span);
                    seen.add(&answer);
                    if is_all && question.place == Place::Panel {
                        let key = (question.board.clone(), question.around["id"].to_string());
                        let empty = || (question.clone(), Vec::new());
                        shown.entry(key).or_insert_with(empty).1.push(answer);
                    }
                }
            }
            // What compares with the time before is empty over all: nothing is before that.
            for why in seen.complaints(&question.name) {
                self.complain(&question, Choice::All, &why);
            }
        }
        for (question, answers) in shown.values() {
            for name in unknown_columns(&question.around, answers) {
                let why = format!("names {name:?}, which no query of the panel yields");
                self.complain(question, Choice::All, &why);
            }
        }
    }

    /// Every query with every variable in it set to what nobody is called: of whom the store has
    /// nothing, an answer has nothing, and no value may yield more than another.
    fn ask_attacks(&mut self) {
        let whole = self.store.whole();
        for question in self.questions.clone() {
            if question.place == Place::Rule {
                continue;
            }
            let is_named = |it: &&Variable| question.names().contains(&it.name.as_str());
            let open = self.variables(&question).iter().filter(is_named).filter(|it| it.is_open());
            let names: Vec<_> = open.map(|it| (it.name.clone(), it.kind == "query")).collect();
            for (name, is_of_store) in names {
                let choice = Choice::Only(&name, NOBODY);
                let nobody = self.answer(&question, choice, &whole);
                if is_of_store && nobody.has_something() {
                    self.complain(&question, choice, &format!("{:?} of nobody", nobody.rows));
                }
                for attack in &ATTACKS[..if is_full() { ATTACKS.len() } else { 2 }] {
                    let choice = Choice::Only(&name, attack);
                    let answer = self.answer(&question, choice, &whole);
                    // One row is a count or a sum, which tells by its value.
                    let is_other = nobody.rows.len() == 1 && answer.rows != nobody.rows;
                    if is_other || answer.rows.len() != nobody.rows.len() {
                        let why = format!("{:?}, and {:?} for nobody", answer.rows, nobody.rows);
                        self.complain(&question, choice, &why);
                    }
                }
            }
        }
    }

    /// Identities and tenants that are called like parts of SQL: each is found, and nobody else.
    fn ask_hostile(&mut self) {
        let whole = self.store.whole();
        for (variable, column, names) in
            [("identity", "principal_id", &HOSTILE[..]), ("tenant", "tenant_id", &HOSTILE[..1])]
        {
            let mut found = BTreeSet::new();
            for question in self.questions.clone() {
                let is_exempt = variable == "identity"
                    && ABOUT_OTHERS.iter().any(|(it, _)| question.name.contains(it));
                let is_rule = question.place == Place::Rule;
                if is_rule || !question.names().contains(&variable) {
                    continue;
                }
                for name in names {
                    let choice = Choice::Only(variable, name);
                    let answer = self.answer(&question, choice, &whole);
                    let seen = answer.texts_of(&[column]);
                    if seen.contains(name) {
                        found.insert(*name);
                    }
                    if !is_exempt && seen.iter().any(|it| it != name) {
                        let why = format!("{column} is of others too: {seen:?}");
                        self.complain(&question, choice, &why);
                    }
                }
            }
            for name in names.iter().filter(|it| !found.contains(**it)) {
                self.said.push(format!("no query finds the {variable} {name:?}"));
            }
        }
    }

    /// Every query of a day: of large tables the primary key narrows what is read, by the identity
    /// where one is asked about.
    fn ask_keys(&mut self) {
        let to = self.store.to_ms;
        let day = span(to - DAY_MS, to);
        let mut counts: BTreeMap<&str, usize> = LARGE.map(|it| (it, 0)).into();
        for question in self.questions.clone() {
            for choice in [Choice::All, Choice::First] {
                let Some((sql, plan)) = self.plan(&question, choice, &day) else { continue };
                let is_of_one = question.names().contains(&"identity");
                for (table, key) in reads(&plan) {
                    let Some(count) = counts.get_mut(table) else { continue };
                    *count += 1;
                    if key == "true" || (is_of_one && !key.contains("principal_id")) {
                        let why = format!("reads too much of {table} ({key}):\n{sql}");
                        self.complain(&question, choice, &why);
                    }
                }
            }
        }
        for (table, count) in counts.into_iter().filter(|(_, count)| *count < READS_MIN) {
            self.said.push(format!("the plans read {table} {count} times: are they understood?"));
        }
    }

    /// What is sent, and how the engine would read for it; nothing and a complaint where it would not.
    fn plan(
        &mut self,
        question: &Question,
        choice: Choice<'_>,
        span: &Span,
    ) -> Option<(String, String)> {
        let sent = self.sent(question, choice, span).and_then(|sql| {
            let explain = format!("EXPLAIN indexes = 1 {sql}");
            let plan = self.store.server.try_query_in(&self.store.database, "TSVRaw", &explain)?;
            Ok((sql, plan))
        });
        sent.map_err(|why| self.complain(question, choice, &why)).ok()
    }
}

/// A step of time as a panel has it, such as `5m`; 0 where it has none.
fn milliseconds(step: &str) -> i64 {
    let unit = step.trim_start_matches(|it: char| it.is_ascii_digit());
    let count: i64 = step.strip_suffix(unit).and_then(|it| it.parse().ok()).unwrap_or_default();
    count
        * match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY_MS,
            _ => 0,
        }
}

/// The tables that a plan reads, each with the condition on its primary key: `true` without one.
fn reads(plan: &str) -> Vec<(&str, &str)> {
    let mut reads: Vec<(&str, &str)> = Vec::new();
    let mut is_key = false;
    for line in plan.lines() {
        if let Some((_, rest)) = line.split_once("ReadFromMergeTree (") {
            let (table, _) = rest.split_once(')').unwrap_or((rest, ""));
            reads.push((table.rsplit('.').next().unwrap_or(table), "true"));
            is_key = false;
        }
        let line = line.trim_start_matches(|it: char| !it.is_ascii_alphabetic()).trim_end();
        if line == "PrimaryKey" {
            is_key = true;
        } else if OTHER_INDEXES.contains(&line) {
            is_key = false;
        }
        if let (true, Some(condition), Some(last)) =
            (is_key, line.strip_prefix("Condition: "), reads.last_mut())
        {
            last.1 = condition;
        }
    }
    reads
}

#[test]
fn every_query_answers_for_every_time_and_every_value() {
    let test = "every_query_answers_for_every_time_and_every_value";
    let Some(server) = services::clickhouse(test) else { return };
    let mut inquiry = Inquiry::new(seed::simulated(server));
    inquiry.ask_ranges();
    inquiry.ask_attacks();
    inquiry.ask_hostile();
    inquiry.ask_keys();
    let said = inquiry.said;
    assert!(said.is_empty(), "{} complaints:\n{}", said.len(), said.join("\n\n"));
}

#[test]
fn an_attack_widens_a_query_that_grafana_quotes_itself() {
    let test = "an_attack_widens_a_query_that_grafana_quotes_itself";
    let Some(server) = services::clickhouse(test) else { return };
    let variables = Values::from([("who".to_owned(), Held::One(ATTACKS[0].to_owned()))]);
    for (format, rows) in [
        ("${who:singlequote}", "3"),
        ("${who:sqlstring}", "3"),
        ("decodeURLComponent('${who:percentencode}')", "0"),
    ] {
        let sql = format!("SELECT count() FROM numbers(3) WHERE toString(number) = {format}");
        let sent = interpolate(&sql, &variables).unwrap();
        assert_eq!(server.try_query_in("default", "TSV", &sent).as_deref(), Ok(rows), "{sent}");
    }
}

#[test]
fn a_plan_says_what_of_a_table_is_read() {
    let plan = "└──ReadFromMergeTree (b.windows)\n   Indexes:\n     Min-Max\n       Condition: (day in [1, 2])\n\
                     PrimaryKey\n       Condition: true\n│  ReadFromMergeTree (b.findings)\n\
                │    PrimaryKey\n│      Condition: (principal_id in ['a', 'a'])\n\
                │    Skip\n│      Condition: true\nReadFromMergeTree (b.signals)";
    let expected =
        [("windows", "true"), ("findings", "(principal_id in ['a', 'a'])"), ("signals", "true")];
    assert_eq!(reads(plan), expected);
    assert_eq!(
        ["5m", "1h", "", "250ms", "1d"].map(milliseconds),
        [300_000, 3_600_000, 0, 250, DAY_MS]
    );
}
