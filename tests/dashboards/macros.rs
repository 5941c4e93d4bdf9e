//! The macros of the plugin `grafana-clickhouse-datasource` 4.x, done to a query as the plugin does it.
//!
//! What they become is in the plugin's `pkg/macros/macros.go`; how they and their arguments are found
//! in `data/sqlutil/macros.go` of grafana-plugin-sdk-go; `$__conditionalAll`, which the browser
//! expands, in `applyConditionalAll` of the plugin's `src/data/CHDatasource.ts`.
//! That search is crude: it takes macros in any order, looks for an argument's bracket as far as the
//! query goes, and splits arguments at every comma. Later 4.x search better and would make another
//! query of it, so whatever depends on the search is refused here.

use chrono::DateTime;

/// What a panel asks for besides its text: the span of time, and how fine, in milliseconds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit is part of a name")]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) interval_ms: i64,
}

/// The macros that the plugin's backend knows; those that only a newer one has are not among them.
const NAMES: [&str; 12] = [
    "dateFilter",
    "dateTimeFilter",
    "dt",
    "fromTime",
    "fromTime_ms",
    "interval_s",
    "timeFilter",
    "timeFilter_ms",
    "timeInterval",
    "timeInterval_ms",
    "toTime",
    "toTime_ms",
];
/// What JavaScript's `replace` does not take literally in a replacement.
const SPECIAL: [&str; 4] = ["$$", "$&", "$`", "$'"];
const CONDITIONAL: &str = "$__conditionalAll(";

/// Expands the macros of the backend; refuses what depends on their order or is none of them.
pub(super) fn expand(sql: &str, span: &Span) -> Result<String, String> {
    let forward = in_order(sql, span, NAMES.iter())?;
    let backward = in_order(sql, span, NAMES.iter().rev())?;
    if forward != backward {
        return Err(format!("its macros depend on the order in which they are expanded: {sql}"));
    }
    match forward.split_once("$__") {
        None => Ok(forward),
        Some((_, rest)) => {
            let name: String = rest.chars().take_while(|it| is_word(*it)).collect();
            Err(format!("$__{name} is no macro of the plugin: {sql}"))
        }
    }
}

/// Whether the plugin has a macro of this name.
pub(super) fn is_macro(name: &str) -> bool {
    name == "conditionalAll" || NAMES.contains(&name)
}

fn in_order<'a>(
    sql: &str,
    span: &Span,
    names: impl Iterator<Item = &'a &'static str>,
) -> Result<String, String> {
    let mut sql = sql.to_owned();
    for name in names {
        for (whole, arguments) in calls(&sql, name)? {
            let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
            let value = value(name, &arguments, span)?;
            sql = sql.replace(&whole, &value);
        }
    }
    Ok(sql)
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Where a macro stands: its whole text, and what is between its brackets.
fn calls(sql: &str, name: &str) -> Result<Vec<(String, String)>, String> {
    let token = format!("$__{name}");
    let mut found = Vec::new();
    for (start, _) in sql.match_indices(&token) {
        let (_, rest) = sql.split_at(start);
        let (_, behind) = rest.split_at(token.len());
        if behind.starts_with(is_word) {
            continue;
        }
        let (mut depth, mut opened, mut closed) = (0_usize, None, None);
        for (at, letter) in behind.char_indices() {
            match letter {
                '(' => {
                    depth += 1;
                    opened = opened.or(Some(at));
                }
                ')' if depth == 0 => break,
                ')' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                closed = Some(at);
                break;
            }
        }
        found.push(match (opened, closed) {
            (None, _) => (token.clone(), String::new()),
            (Some(0), Some(end)) => {
                let (call, _) = rest.split_at(token.len() + end + 1);
                let inside = behind.get(1..end).unwrap_or_default();
                (call.to_owned(), inside.to_owned())
            }
            (Some(0), None) => return Err(format!("the brackets of {token} do not close: {sql}")),
            (Some(_), _) => {
                return Err(format!(
                    "{token} swallows the query up to the end of the next brackets; \
                     put it into brackets of its own: {sql}"
                ));
            }
        });
    }
    Ok(found)
}

/// What a macro becomes.
fn value(name: &str, arguments: &[&str], span: &Span) -> Result<String, String> {
    let (from, to) = (span.from_ms, span.to_ms);
    let one = || match arguments {
        [it] => Ok(*it),
        all => Err(format!("$__{name} takes 1 argument, and is given {}: {all:?}", all.len())),
    };
    let between = |column: &str, as_time: fn(i64) -> String| {
        format!("{column} >= {} AND {column} <= {}", as_time(from), as_time(to))
    };
    Ok(match name {
        "fromTime" => seconds(from),
        "toTime" => seconds(to),
        "fromTime_ms" => milliseconds(from),
        "toTime_ms" => milliseconds(to),
        "timeFilter" => between(one()?, seconds),
        "timeFilter_ms" => between(one()?, milliseconds),
        "dateFilter" => between(one()?, date),
        "dateTimeFilter" | "dt" => match arguments {
            [day, time] => format!("({}) AND ({})", between(day, date), between(time, seconds)),
            all => return Err(format!("$__{name} takes 2 arguments, and is given {}", all.len())),
        },
        "timeInterval" => format!(
            "toStartOfInterval(toDateTime({}), INTERVAL {} second)",
            one()?,
            (span.interval_ms / 1_000).max(1)
        ),
        "timeInterval_ms" => format!(
            "toStartOfInterval(toDateTime64({}, 3), INTERVAL {} millisecond)",
            one()?,
            span.interval_ms.max(1)
        ),
        "interval_s" => (span.interval_ms / 1_000).max(1).to_string(),
        other => return Err(format!("$__{other} is no macro of the plugin")),
    })
}

fn seconds(ms: i64) -> String {
    format!("toDateTime({})", ms.div_euclid(1_000))
}

fn milliseconds(ms: i64) -> String {
    format!("fromUnixTimestamp64Milli({ms})")
}

/// The day in the plugin's own time zone, which is that of its server: UTC.
fn date(ms: i64) -> String {
    let time = DateTime::from_timestamp(ms.div_euclid(1_000), 0).unwrap();
    format!("toDate('{}')", time.format("%Y-%m-%d"))
}

/// Expands `$__conditionalAll(condition, $variable)`: the condition, or `1=1` where the variable is
/// empty or all. `current` gives a variable's value as it stands in the dashboard.
pub(super) fn conditional_all(
    sql: &str,
    current: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut sql = sql.to_owned();
    while let Some(start) = sql.rfind(CONDITIONAL) {
        let (_, rest) = sql.split_at(start + CONDITIONAL.len());
        let arguments = arguments(rest);
        let [condition, variable] = &arguments[..] else {
            return Err(format!("$__conditionalAll takes 2 arguments, not {arguments:?}"));
        };
        if SPECIAL.iter().any(|it| condition.contains(it)) {
            return Err(format!("JavaScript's replace would change {condition}"));
        }
        let is_open = named(variable).and_then(&current).is_some_and(|it| is_all_or_none(&it));
        let whole = format!("{CONDITIONAL}{condition},{variable})");
        sql = sql.replacen(&whole, if is_open { "1=1" } else { condition }, 1);
    }
    Ok(sql)
}

fn is_all_or_none(value: &str) -> bool {
    value.is_empty() || value == super::variables::ALL
}

/// The variable in the second argument: `$x` or `${x}`, and nothing where a format is given.
fn named(argument: &str) -> Option<&str> {
    let (_, rest) = argument.split_once('$')?;
    let (rest, needs_end) = match rest.strip_prefix('{') {
        Some(inside) => (inside, true),
        None => (rest, false),
    };
    let end = rest.find(|it: char| !is_word(it)).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    (!name.is_empty() && (!needs_end || behind.starts_with('}'))).then_some(name)
}

/// The arguments up to the bracket that closes, split at commas outside of brackets.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut found, mut one) = (1_usize, Vec::new(), String::new());
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            found.push(one);
            return found;
        }
        if letter == ',' && depth == 1 {
            found.push(std::mem::take(&mut one));
        } else {
            one.push(letter);
        }
    }
    Vec::new()
}

/// From 2014-11-12T11:45:26.123Z to 2015-11-12T11:45:26.456Z, in steps of 20 s.
const SPAN: Span =
    Span { from_ms: 1_415_792_726_123, to_ms: 1_447_328_726_456, interval_ms: 20_000 };

#[track_caller]
fn check(sql: &str, expected: &str) {
    assert_eq!(expand(sql, &SPAN).as_deref(), Ok(expected));
}

#[track_caller]
fn refuses(sql: &str, why: &str) {
    let said = expand(sql, &SPAN).unwrap_err();
    assert!(said.contains(why), "{said}");
}

#[test]
fn every_macro_becomes_what_the_plugin_makes_of_it() {
    check("$__timeFilter(at)", "at >= toDateTime(1415792726) AND at <= toDateTime(1447328726)");
    check(
        "$__timeFilter_ms(at)",
        "at >= fromUnixTimestamp64Milli(1415792726123) AND \
         at <= fromUnixTimestamp64Milli(1447328726456)",
    );
    check("$__dateFilter(day)", "day >= toDate('2014-11-12') AND day <= toDate('2015-11-12')");
    let both = "(day >= toDate('2014-11-12') AND day <= toDate('2015-11-12')) AND \
                (at >= toDateTime(1415792726) AND at <= toDateTime(1447328726))";
    check("$__dateTimeFilter(day, at)", both);
    check("$__dt(day,at )", both);
    check("($__fromTime) ($__toTime)", "(toDateTime(1415792726)) (toDateTime(1447328726))");
    check("x < $__fromTime_ms", "x < fromUnixTimestamp64Milli(1415792726123)");
    check("x < $__toTime_ms", "x < fromUnixTimestamp64Milli(1447328726456)");
    check("$__timeInterval(at)", "toStartOfInterval(toDateTime(at), INTERVAL 20 second)");
    check(
        "$__timeInterval_ms(at)",
        "toStartOfInterval(toDateTime64(at, 3), INTERVAL 20000 millisecond)",
    );
    check("INTERVAL $__interval_s second", "INTERVAL 20 second");
    assert_eq!(
        expand("$__interval_s", &Span { interval_ms: 50, ..SPAN }).as_deref(),
        Ok("1"),
        "never less than a second"
    );
}

#[test]
fn arguments_have_brackets_of_their_own_and_are_trimmed() {
    let twice = "cast(x as timestamp) >= toDateTime(1415792726) AND \
                 cast(x as timestamp) <= toDateTime(1447328726)";
    check("WHERE $__timeFilter(cast(x as timestamp) )", &format!("WHERE {twice}"));
    check("( x >= $__fromTime ) AND f(x)", "( x >= toDateTime(1415792726) ) AND f(x)");
}

#[test]
fn what_versions_of_the_plugin_read_differently_is_refused() {
    refuses("x >= $__fromTime AND f(x) > 1", "swallows");
    refuses("$__timeFilter(f(x, 3))", "takes 1 argument");
    refuses("$__dt(day)", "takes 2 arguments");
    refuses("$__timeFilter(f(x)", "do not close");
    refuses("($__fromTime) ($__fromTime_ms)", "order");
    refuses("$__timeFrom(at)", "$__timeFrom is no macro");
}

#[test]
fn a_condition_falls_away_where_its_variable_is_all() {
    let current = |name: &str| match name {
        "all" => Some("$__all".to_owned()),
        "none" => Some(String::new()),
        "some" => Some("a,b".to_owned()),
        _ => None,
    };
    for (sql, expected) in [
        ("WHERE $__conditionalAll(a IN ($all), $all) AND c", "WHERE 1=1 AND c"),
        ("WHERE $__conditionalAll(a IN ($none), ${none})", "WHERE 1=1"),
        ("WHERE $__conditionalAll(f(a, b) IN ($some), $some)", "WHERE f(a, b) IN ($some)"),
        ("$__conditionalAll(a, $all) $__conditionalAll(b, $some)", "1=1 b"),
        ("$__conditionalAll(a, $unknown)", "a"),
        ("$__conditionalAll(a, ${all:csv})", "a"),
    ] {
        assert_eq!(conditional_all(sql, current).as_deref(), Ok(expected));
    }
    assert!(conditional_all("$__conditionalAll(a)", current).is_err());
    assert!(conditional_all("$__conditionalAll(a = '$', $all)", current).is_err());
}
