//! What came back, and whether a panel, a variable, an annotation or a rule can show it.

use super::questions::{Place, Question};
use super::{links, text, texts};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The format in which answers are asked for.
pub(super) const FORMAT: &str = "JSONCompactEachRowWithNamesAndTypes";
/// Panels that show a time series whatever the query says of its format.
const OVER_TIME: [&str; 4] = ["heatmap", "state-timeline", "timeseries", "trend"];
/// Panels whose query must have a number.
const WITH_NUMBER: [&str; 6] = ["barchart", "bargauge", "gauge", "piechart", "stat", "timeseries"];
/// What Grafana calls a value that has no other name.
const GRAFANAS: [&str; 3] = ["Value", "Time", "Trend"];

/// What a time is that nobody has set.
const NEVER: &str = "1970-01-01";

/// The rows of an answer, with their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) names: Vec<String>,
    types: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Answer {
    /// Reads an answer in [`FORMAT`].
    pub(super) fn parse(body: &str) -> Result<Self, String> {
        let mut lines = body.lines();
        let mut head = || -> Result<Vec<String>, String> {
            let line = lines.next().ok_or("an answer without a head")?;
            serde_json::from_str(line).map_err(|it| it.to_string())
        };
        let (names, types) = (head()?, head()?);
        let rows: Result<_, _> = lines.map(serde_json::from_str).collect();
        Ok(Self { names, types, rows: rows.map_err(|it: serde_json::Error| it.to_string())? })
    }

    /// The places of columns of a kind.
    fn columns(&self, is: fn(&str) -> bool) -> Vec<usize> {
        (0..self.types.len()).filter(|at| is(bare(&self.types[*at]))).collect()
    }

    /// The texts in the columns of these names, in any row.
    pub(super) fn texts_of(&self, names: &[&str]) -> BTreeSet<&str> {
        let places = (0..self.names.len()).filter(|at| names.contains(&self.names[*at].as_str()));
        let all = places.flat_map(|at| self.rows.iter().map(move |row| &row[at]));
        all.filter_map(Value::as_str).collect()
    }

    /// The columns with anything in any row: a text, a time, a number that is not 0.
    pub(super) fn filled(&self) -> BTreeSet<&str> {
        let is_filled = |at: &usize| {
            let kind = bare(&self.types[*at]);
            self.rows.iter().any(|row| is_something(kind, &row[*at]))
        };
        let places = (0..self.names.len()).filter(is_filled);
        places.map(|at| self.names[at].as_str()).collect()
    }

    /// Whether anything is said: times alone, and zeros, say nothing.
    pub(super) fn has_something(&self) -> bool {
        let (times, filled) = (self.columns(is_time), self.filled());
        let mut others = (0..self.names.len()).filter(|at| !times.contains(at));
        others.any(|at| filled.contains(self.names[at].as_str()))
    }

    /// Every number in it.
    pub(super) fn numbers(&self) -> Vec<f64> {
        let places = self.columns(is_number);
        let cells = self.rows.iter().flat_map(|row| places.iter().map(move |at| &row[*at]));
        let number = |cell: &Value| cell.as_f64().or_else(|| cell.as_str()?.parse().ok());
        cells.filter_map(number).collect()
    }

    /// What a panel, a variable, an annotation or a rule cannot do with it.
    pub(super) fn complaints(&self, question: &Question) -> Vec<String> {
        let mut said = Vec::new();
        let kind = text(&question.around, "type");
        let (times, numbers) = (self.columns(is_time), self.columns(is_number));
        if self.names.iter().collect::<BTreeSet<_>>().len() != self.names.len() {
            said.push(format!("two columns are called the same: {:?}", self.names));
        }
        match question.place {
            Place::Panel if question.format == 0 || OVER_TIME.contains(&kind) => {
                said.extend(self.of_series());
            }
            Place::Panel if WITH_NUMBER.contains(&kind) && numbers.is_empty() => {
                said.push(format!("no column is a number: {:?}", self.types));
            }
            Place::Annotation => {
                if times.is_empty() || !self.names.iter().any(|it| it == "text") {
                    said.push(format!("no time or no text: {:?}", self.names));
                }
            }
            Place::Variable => {
                let is_text = self.types.iter().all(|it| is_text(bare(it)));
                if !is_text || !(1..=2).contains(&self.names.len()) {
                    said.push(format!("no one or two texts: {:?}", self.types));
                }
            }
            // An alert has one number for each combination of texts.
            Place::Rule if question.format == 1 => {
                if numbers.len() != 1
                    || numbers.len() + self.columns(is_text).len() != self.types.len()
                {
                    said.push(format!("not one number and texts: {:?}", self.types));
                }
            }
            Place::Rule => said.extend(self.of_series()),
            Place::Panel => {}
        }
        said
    }

    /// A time first, ascending; then numbers, and texts that tell lines apart.
    fn of_series(&self) -> Vec<String> {
        let mut said = Vec::new();
        let numbers = self.columns(is_number).len();
        let known = numbers + self.columns(is_text).len() + self.columns(is_time).len();
        if self.columns(is_time) != [0] || numbers == 0 || known != self.types.len() {
            said.push(format!("not a time and numbers: {:?}", self.types));
        }
        let times: Vec<_> = self.rows.iter().filter_map(|row| row[0].as_str()).collect();
        if !times.is_sorted() {
            said.push("its times do not ascend".to_owned());
        }
        said
    }
}

/// A type without what it is wrapped in.
fn bare(kind: &str) -> &str {
    ["LowCardinality(", "Nullable("].iter().fold(kind, |kind, wrapper| {
        kind.strip_prefix(wrapper).and_then(|it| it.strip_suffix(')')).unwrap_or(kind)
    })
}

/// Whether a value of this type is more than what stands where nothing is known.
fn is_something(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_f64().is_some_and(|it| it.abs() > 0.0),
        // Numbers of 64 bits may stand in quotes.
        Value::String(it) if is_number(kind) => it.parse().is_ok_and(|it: f64| it.abs() > 0.0),
        Value::String(it) => !it.is_empty() && !it.starts_with(NEVER),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn is_time(kind: &str) -> bool {
    kind.starts_with("Date")
}

fn is_number(kind: &str) -> bool {
    ["Int", "UInt", "Float", "Decimal", "Bool"].iter().any(|it| kind.starts_with(it))
}

fn is_text(kind: &str) -> bool {
    ["String", "FixedString", "Enum", "UUID"].iter().any(|it| kind.starts_with(it))
}

/// Columns that a panel names and that none of its answers has.
pub(super) fn unknown_columns(panel: &Value, answers: &[Answer]) -> Vec<String> {
    let mut known: BTreeSet<String> = GRAFANAS.map(str::to_owned).into();
    for answer in answers {
        known.extend(answer.names.iter().cloned());
        // A line is called as the text that tells it apart from the others.
        let lines = answer.columns(is_text);
        let cells = answer.rows.iter().flat_map(|row| lines.iter().map(move |at| &row[*at]));
        known.extend(cells.filter_map(Value::as_str).map(str::to_owned));
    }
    let mut wanted = links::columns(&panel["fieldConfig"]["defaults"]);
    wanted.extend(links::columns(&panel["links"]));
    for it in panel["transformations"].as_array().into_iter().flatten() {
        for field in ["excludeByName", "indexByName", "renameByName"] {
            for (name, new) in it["options"][field].as_object().into_iter().flatten() {
                wanted.push(name.clone());
                known.extend(new.as_str().map(str::to_owned));
            }
        }
    }
    for it in panel["fieldConfig"]["overrides"].as_array().into_iter().flatten() {
        let name = text(&it["matcher"], "options");
        if text(&it["matcher"], "id") == "byName" {
            wanted.push(name.to_owned());
        }
        // What is said of a column that is not there leads nowhere either.
        if known.contains(name) {
            wanted.extend(links::columns(&it["properties"]));
        }
        for property in it["properties"].as_array().into_iter().flatten() {
            if text(property, "id") == "displayName" {
                known.insert(text(property, "value").to_owned());
            }
        }
    }
    for target in panel["targets"].as_array().into_iter().flatten() {
        let mark = text(target, "refId");
        known.extend(["Trend", "Value"].map(|it| format!("{it} #{mark}")));
        known.insert(mark.to_owned());
    }
    let mut sorted = Vec::new();
    texts(&panel["options"]["sortBy"], "", &mut sorted);
    wanted.extend(sorted.iter().map(|(_, it)| (*it).to_owned()));
    wanted.retain(|it| !known.contains(it));
    wanted
}

/// A question of a panel of this type.
fn question(place: Place, kind: &str, format: i64) -> Question {
    Question {
        place,
        name: "a panel".to_owned(),
        board: String::new(),
        sql: String::new(),
        around: json!({"type": kind}),
        format,
        looks_back: None,
    }
}

#[test]
fn an_answer_that_cannot_be_shown_is_complained_of() {
    let answer = |body: &str| Answer::parse(body).unwrap();
    let series = "[\"t\",\"who\",\"n\"]\n[\"DateTime64(6, 'UTC')\",\"LowCardinality(Nullable(String))\",\
                  \"UInt64\"]\n[\"2026-01-01\",\"a\",\"1\"]\n[\"2026-01-02\",\"a\",2]";
    let sound = question(Place::Panel, "timeseries", 0);
    assert!(answer(series).complaints(&sound).is_empty());
    assert!(answer(series).has_something());
    for (place, kind, format, body, why) in [
        (Place::Panel, "timeseries", 0, series.replace("01-01", "01-03"), "ascend"),
        (Place::Panel, "timeseries", 1, series.replace("DateTime", "Array"), "not a time"),
        (Place::Panel, "table", 0, series.replace("UInt64", "Map"), "not a time"),
        (Place::Panel, "stat", 1, series.replace("UInt64", "String"), "is a number"),
        (Place::Panel, "table", 1, series.replace("who", "t"), "the same"),
        (Place::Annotation, "", 1, series.to_owned(), "no text"),
        (Place::Variable, "", 1, series.to_owned(), "one or two texts"),
        (Place::Rule, "", 1, series.to_owned(), "not one number"),
        (Place::Rule, "", 0, series.replace("UInt64", "String"), "not a time"),
    ] {
        let said = answer(&body).complaints(&question(place, kind, format)).concat();
        assert!(said.contains(why), "{said} is not {why}");
    }
    for (kind, value) in [
        ("Nullable(String)", "null"),
        ("String", "\"\""),
        ("UInt64", "\"0\""),
        ("Float64", "0"),
        ("DateTime", "\"2026-01-01 00:00:00\""),
        ("Array(String)", "[]"),
    ] {
        let body = format!("[\"a\"]\n[\"{kind}\"]\n[{value}]");
        assert!(!answer(&body).has_something(), "{body}");
    }
    let body = "[\"a\",\"b\",\"c\",\"d\"]\n[\"UInt64\",\"Float64\",\"DateTime\",\"Date\"]\n\
                [\"0\",0,\"1970-01-01 00:00:00\",\"2026-01-01\"]\n[\"0\",0.5,\"1970-01-01 00:00:00\",\"2026-01-01\"]";
    assert_eq!(answer(body).filled().into_iter().collect::<Vec<_>>(), ["b", "d"]);
    assert!(answer(body).has_something());
    assert!(Answer::parse("").is_err());
    assert!(Answer::parse("[\"a\"]\n[\"String\"]\nCode: 1").is_err());
}

#[test]
fn columns_that_are_named_and_not_there_are_found() {
    let body =
        "[\"t\",\"who\",\"n\"]\n[\"DateTime\",\"String\",\"UInt64\"]\n[\"2026-01-01\",\"high\",1]";
    let answer = Answer::parse(body).unwrap();
    let panel = json!({
        "targets": [{"refId": "A"}],
        "options": {"sortBy": [{"displayName": "Number"}, {"displayName": "no 1"}]},
        "transformations": [{"options": {"renameByName": {"who": "Who", "no 2": "x"}}}],
        "fieldConfig": {
            "defaults": {"links": [{"url": "${__data.fields.n}${__data.fields.no3}"}]},
            "overrides": [
                {"matcher": {"id": "byName", "options": "n"},
                 "properties": [{"id": "displayName", "value": "Number"}]},
                {"matcher": {"id": "byName", "options": "Who"}, "properties": []},
                {"matcher": {"id": "byName", "options": "high"}, "properties": []},
                {"matcher": {"id": "byName", "options": "Value #A"}, "properties": []},
                {"matcher": {"id": "byName", "options": "no 4"}, "properties": []},
                {"matcher": {"id": "byName", "options": "sentence"},
                 "properties": [{"value": [{"url": "${__data.fields.no5}"}]}]},
                {"matcher": {"id": "byName", "options": "t"},
                 "properties": [{"value": [{"url": "${__data.fields.no6}"}]}]},
            ],
        },
    });
    let unknown = unknown_columns(&panel, &[answer]);
    assert_eq!(unknown, ["no3", "no 2", "no 4", "sentence", "no6", "no 1"]);
}
