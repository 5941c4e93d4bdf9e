//! Every query that a dashboard, its variables, its annotations or an alert rule would send.

use super::lint::{FIXED, PLUGIN, definitions};
use super::macros::{self, Span, conditional_all};
use super::variables::{self, Held, Values, references};
use super::{Committed, boards, panels, rule_files, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a query stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Panel,
    Variable,
    Annotation,
    Rule,
}

/// A query as it is committed.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) place: Place,
    /// The dashboard's title and what it is of it, for people.
    pub(super) name: String,
    /// The dashboard's uid; empty for a rule.
    pub(super) board: String,
    pub(super) sql: String,
    /// The panel, the definition or the rule.
    pub(super) around: Value,
    /// As the plugin numbers them: 0 is a time series, 1 a table.
    pub(super) format: i64,
    /// How far back a rule looks, from and to, in seconds.
    pub(super) looks_back: Option<(i64, i64)>,
}

/// A variable of a dashboard.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) kind: String,
    is_multi: bool,
    includes_all: bool,
    instead_of_all: Option<String>,
    /// What it is without anybody's doing.
    current: String,
    /// What can be chosen, as far as it is known without asking.
    pub(super) options: Vec<String>,
}

/// What a reader of a dashboard has chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice<'a> {
    /// Everything, where everything can be chosen.
    All,
    /// The first option of each.
    First,
    /// This for the variable of this name, all for the others.
    Only(&'a str, &'a str),
}

/// Every query of the committed files.
pub(super) fn questions(files: &[Committed]) -> Vec<Question> {
    let mut found = Vec::new();
    for board in boards(files) {
        let (title, uid) = (text(&board.json, "title"), text(&board.json, "uid"));
        let question = |place, name: String, sql: &str, around: &Value, format: i64| Question {
            place,
            name: format!("{title}: {name}"),
            board: uid.to_owned(),
            sql: sql.to_owned(),
            around: around.clone(),
            format,
            looks_back: None,
        };
        for panel in panels(&board.json) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let name = format!("{} {}", text(panel, "title"), text(target, "refId"));
                let format = target["format"].as_i64().unwrap_or(-1);
                found.push(question(Place::Panel, name, text(target, "rawSql"), panel, format));
            }
        }
        for it in definitions(&board.json).into_iter().filter(|it| text(it, "type") == "query") {
            let name = format!("variable {}", text(it, "name"));
            found.push(question(Place::Variable, name, variable_sql(it), it, 1));
        }
        for it in board.json["annotations"]["list"].as_array().into_iter().flatten() {
            let sql = it["target"]["rawSql"].as_str().unwrap_or_else(|| text(it, "rawQuery"));
            if text(&it["datasource"], "type") == PLUGIN {
                let name = format!("annotation {}", text(it, "name"));
                found.push(question(Place::Annotation, name, sql, it, 1));
            }
        }
    }
    for file in rule_files(files) {
        for rule in rules(&file.json) {
            for data in rule["data"].as_array().into_iter().flatten() {
                found.extend(of_rule(rule, data));
            }
        }
    }
    found
}

/// The alert rules of a file.
pub(super) fn rules(file: &Value) -> Vec<&Value> {
    let groups = file["groups"].as_array().into_iter().flatten();
    groups.flat_map(|it| it["rules"].as_array().into_iter().flatten()).collect()
}

/// A query of a rule; none where it computes with the answers of others.
fn of_rule(rule: &Value, data: &Value) -> Option<Question> {
    let sql = data["model"]["rawSql"].as_str()?;
    let back = |side: &str| data["relativeTimeRange"][side].as_i64().unwrap_or_default();
    Some(Question {
        place: Place::Rule,
        name: format!("rule {} {}", text(rule, "title"), text(data, "refId")),
        board: String::new(),
        sql: sql.to_owned(),
        around: rule.clone(),
        format: data["model"]["format"].as_i64().unwrap_or(-1),
        looks_back: Some((back("from"), back("to"))),
    })
}

/// A variable's query, which is a text or has one.
pub(super) fn variable_sql(definition: &Value) -> &str {
    let query = &definition["query"];
    query.as_str().or_else(|| query["rawSql"].as_str()).unwrap_or_default()
}

/// The variables of each dashboard, by its uid.
pub(super) fn variables_of(files: &[Committed]) -> BTreeMap<String, Vec<Variable>> {
    let all = boards(files);
    let of = |it: &Committed| -> Vec<Variable> {
        definitions(&it.json).into_iter().map(Variable::of).collect()
    };
    all.iter().map(|it| (text(&it.json, "uid").to_owned(), of(it))).collect()
}

impl Variable {
    fn of(definition: &Value) -> Self {
        let kind = text(definition, "type").to_owned();
        let query = text(definition, "query");
        let value = &definition["current"]["value"];
        let first = value.as_array().and_then(|it| it.first()).unwrap_or(value);
        let listed = definition["options"].as_array().into_iter().flatten();
        let mut options: Vec<_> = listed
            .map(|it| text(it, "value").to_owned())
            .filter(|it| it != variables::ALL)
            .collect();
        if options.is_empty()
            && ["constant", "custom", "interval", "textbox"].contains(&kind.as_str())
        {
            options = query.split(',').map(|it| it.trim().to_owned()).collect();
        }
        Self {
            name: text(definition, "name").to_owned(),
            kind,
            is_multi: definition["multi"].as_bool() == Some(true),
            includes_all: definition["includeAll"].as_bool() == Some(true),
            instead_of_all: definition["allValue"]
                .as_str()
                .filter(|it| !it.is_empty())
                .map(str::to_owned),
            current: first.as_str().unwrap_or_default().to_owned(),
            options,
        }
    }

    /// Whether a reader, or a URL, can give it any value.
    pub(super) fn is_open(&self) -> bool {
        !FIXED.contains(&self.kind.as_str())
    }

    /// What it holds.
    fn held(&self, choice: Choice<'_>) -> Held {
        let first = self.options.first().map_or("", String::as_str);
        match choice {
            Choice::Only(name, value) if name == self.name => Held::of(value, self.is_multi),
            _ if !self.is_open() => Held::One(first.to_owned()),
            Choice::First => Held::of(first, self.is_multi),
            _ if self.includes_all => {
                Held::All { instead: self.instead_of_all.clone(), options: self.options.clone() }
            }
            _ if self.kind == "query" => Held::of(first, self.is_multi),
            _ => Held::of(&self.current, self.is_multi),
        }
    }
}

/// What the variables of a dashboard hold, and what Grafana adds to them.
fn values(variables: &[Variable], choice: Choice<'_>, span: &Span) -> Values {
    let own = variables.iter().map(|it| (it.name.clone(), it.held(choice)));
    let seconds = (span.interval_ms / 1_000).max(1);
    let added = [
        ("__interval", format!("{seconds}s")),
        ("__interval_ms", span.interval_ms.to_string()),
        ("__from", span.from_ms.to_string()),
        ("__to", span.to_ms.to_string()),
    ];
    let added = added.map(|(name, value)| (name.to_owned(), Held::One(value)));
    added.into_iter().chain(own).collect()
}

impl Question {
    /// The names of the variables in it.
    pub(super) fn names(&self) -> Vec<&str> {
        references(&self.sql).iter().map(|it| it.name).collect()
    }

    /// What ClickHouse gets to see. A rule is asked by the server, which knows no variables.
    pub(super) fn sent(
        &self,
        variables: &[Variable],
        choice: Choice<'_>,
        span: &Span,
    ) -> Result<String, String> {
        if self.place == Place::Rule {
            return macros::expand(&self.sql, span);
        }
        let values = values(variables, choice, span);
        let sql = conditional_all(&self.sql, |name| values.get(name).map(Held::current))?;
        macros::expand(&variables::interpolate(&sql, &values)?, span)
    }
}

#[test]
fn a_question_is_sent_with_what_was_chosen() {
    let definition = |name: &str, more: Value| {
        let mut all = serde_json::json!({"name": name, "type": "query", "includeAll": true});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut variable = Variable::of(&all);
        variable.options = vec!["first".to_owned(), "second".to_owned()];
        variable
    };
    let variables = [
        definition("a", serde_json::json!({})),
        definition("b", serde_json::json!({"multi": true, "allValue": "every"})),
    ];
    let question = Question {
        place: Place::Panel,
        name: String::new(),
        board: String::new(),
        sql: "$__conditionalAll(x = '${a:raw}', $a) ${b:percentencode} $__interval_s".to_owned(),
        around: Value::Null,
        format: 1,
        looks_back: None,
    };
    let span = Span { from_ms: 0, to_ms: 1, interval_ms: 60_000 };
    for (choice, expected) in [
        (Choice::All, "1=1 every 60"),
        (Choice::First, "x = 'first' %7Bfirst%7D 60"),
        (Choice::Only("a", "o'"), "x = 'o'' every 60"),
        (Choice::Only("b", "$__all"), "1=1 %7B%24__all%7D 60"),
    ] {
        assert_eq!(question.sent(&variables, choice, &span).as_deref(), Ok(expected));
    }
    assert_eq!(question.names(), ["__conditionalAll", "a", "a", "b", "__interval_s"]);
}
