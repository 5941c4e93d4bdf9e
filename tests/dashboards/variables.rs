//! A dashboard's variables in a text, replaced as Grafana replaces them.
//!
//! What is a reference is in `VARIABLE_REGEX` of grafana/scenes
//! (`packages/scenes/src/variables/constants.ts`), what is done with it in its
//! `interpolation/sceneInterpolator.ts`, the formats in `interpolation/formatRegistry.ts`, a value
//! for "All" in `variants/MultiValueVariable.ts`. Without a format a query gets the plugin's own
//! (`format` in `src/data/CHDatasource.ts` of grafana-clickhouse-datasource): several values in
//! quotes, one as it is.

use std::collections::BTreeMap;

/// The value that means all options.
pub(super) const ALL: &str = "$__all";

/// What a variable holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Held {
    One(String),
    Many(Vec<String>),
    /// All options, for which a text of the dashboard's own may stand.
    All {
        instead: Option<String>,
        options: Vec<String>,
    },
}

/// The variables of a dashboard and those that Grafana adds, by name.
pub(super) type Values = BTreeMap<String, Held>;

/// A place in a text where a variable is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Reference<'a> {
    /// Where it begins, in bytes.
    pub(super) at: usize,
    pub(super) whole: &'a str,
    pub(super) name: &'a str,
    /// Behind the dot: `fields.x` of `${__data.fields.x}`.
    pub(super) field: Option<&'a str>,
    pub(super) format: Option<&'a str>,
}

impl Held {
    /// One value, or a list with it where the variable takes several.
    pub(super) fn of(value: &str, is_multi: bool) -> Self {
        let value = value.to_owned();
        if is_multi { Self::Many(vec![value]) } else { Self::One(value) }
    }

    /// The value as the dashboard keeps it, a list joined as JavaScript joins it.
    pub(super) fn current(&self) -> String {
        match self {
            Self::One(value) => value.clone(),
            Self::Many(values) => values.join(","),
            Self::All { .. } => ALL.to_owned(),
        }
    }
}

/// Every reference in a text, in its order; macros look like references too.
pub(super) fn references(text: &str) -> Vec<Reference<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(step) = text.get(at..).and_then(|rest| rest.find(['$', '['])) {
        let start = at + step;
        at = match text.get(start..).and_then(reference) {
            Some(it) => {
                found.push(Reference { at: start, ..it });
                start + it.whole.len()
            }
            None => start + 1,
        };
    }
    found
}

/// The reference with which a text begins.
fn reference(text: &str) -> Option<Reference<'_>> {
    let whole = |bytes: usize| text.get(..bytes);
    if let Some(rest) = text.strip_prefix("${") {
        let (inside, _) = rest.split_once('}')?;
        let (name, rest) = word(inside)?;
        let (field, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (field, rest) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
                (Some(field), rest)
            }
            None => (None, rest),
        };
        let format = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(format) if !format.is_empty() => Some(format),
            _ => return None,
        };
        if field.is_some_and(|it| it.is_empty() || it.contains('^')) {
            return None;
        }
        return Some(Reference { at: 0, whole: whole(inside.len() + 3)?, name, field, format });
    }
    if let Some(rest) = text.strip_prefix("[[") {
        let (inside, _) = rest.split_once("]]")?;
        let (name, rest) = word(inside)?;
        let format = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(format) if word(format).is_some_and(|(_, rest)| rest.is_empty()) => Some(format),
            _ => return None,
        };
        return Some(Reference {
            at: 0,
            whole: whole(inside.len() + 4)?,
            name,
            field: None,
            format,
        });
    }
    let (name, _) = word(text.strip_prefix('$')?)?;
    Some(Reference { at: 0, whole: whole(name.len() + 1)?, name, field: None, format: None })
}

/// The letters, digits and underscores with which a text begins, and the rest.
fn word(text: &str) -> Option<(&str, &str)> {
    let is_in = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let end = text.find(|it: char| !is_in(it)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A query with its variables replaced; what is no variable stays as it is.
pub(super) fn interpolate(text: &str, values: &Values) -> Result<String, String> {
    let (mut made, mut end) = (String::new(), 0);
    for it in references(text) {
        made.push_str(text.get(end..it.at).unwrap_or_default());
        end = it.at + it.whole.len();
        match values.get(it.name) {
            Some(held) => made.push_str(&formatted(it.name, held, it.format)?),
            None => made.push_str(it.whole),
        }
    }
    made.push_str(text.get(end..).unwrap_or_default());
    Ok(made)
}

/// A value in a format, the plugin's own without one.
fn formatted(name: &str, held: &Held, format: Option<&str>) -> Result<String, String> {
    match held {
        Held::One(value) => one(name, value, format),
        Held::Many(values) => many(name, values, format),
        Held::All { instead: None, options } if format != Some("queryparam") => {
            many(name, options, format)
        }
        // The text that stands for all is not quoted in any way.
        Held::All { instead, .. } => Ok(match (format, instead) {
            (Some("text"), _) => "All".to_owned(),
            (Some("queryparam"), _) => parameter(name, ALL),
            (Some("percentencode"), Some(text)) => percent(text),
            (_, text) => text.clone().unwrap_or_default(),
        }),
    }
}

fn one(name: &str, value: &str, format: Option<&str>) -> Result<String, String> {
    let (format, arguments) = split(format);
    Ok(match format {
        None | Some("raw" | "csv" | "pipe" | "glob" | "json" | "text" | "join") => value.to_owned(),
        Some("singlequote") => format!("'{}'", value.replace('\'', "\\'")),
        Some("doublequote") => format!("\"{}\"", value.replace('"', "\\\"")),
        Some("sqlstring") => sql_string(value),
        Some("percentencode") => percent(value),
        Some("regex") => escaped(value),
        Some("queryparam") => parameter(name, value),
        Some("customqueryparam") => custom(name, value, &arguments),
        Some(other) => return Err(format!("the format {other} is not known to these tests")),
    })
}

fn many(name: &str, values: &[String], format: Option<&str>) -> Result<String, String> {
    let whole = format;
    let (format, arguments) = split(format);
    let each = |separator: &str| -> Result<String, String> {
        let made: Result<Vec<_>, _> = values.iter().map(|it| one(name, it, whole)).collect();
        Ok(made?.join(separator))
    };
    Ok(match format {
        None => format!("'{}'", values.join("','")),
        Some("raw" | "csv") => values.join(","),
        Some("pipe") => values.join("|"),
        Some("join") => values.join(arguments.first().copied().unwrap_or(",")),
        Some("text") => values.join(" + "),
        Some("glob") if values.len() > 1 => format!("{{{}}}", values.join(",")),
        Some("glob") => values.concat(),
        Some("json") => serde_json::to_string(values).map_err(|it| it.to_string())?,
        Some("percentencode") => percent(&format!("{{{}}}", values.join(","))),
        Some("regex") if values.len() != 1 => format!("({})", each("|")?),
        Some("regex") => each("")?,
        Some("queryparam" | "customqueryparam") => each("&")?,
        Some(_) => each(",")?,
    })
}

/// A format, and what stands behind its colons.
fn split(format: Option<&str>) -> (Option<&str>, Vec<&str>) {
    let mut parts = format.into_iter().flat_map(|it| it.split(':'));
    (parts.next(), parts.collect())
}

fn sql_string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''").replace('"', "\\\""))
}

/// What a regular expression would take for more than a letter, with a backslash before it.
fn escaped(value: &str) -> String {
    let mut made = String::new();
    for letter in value.chars() {
        if "\\^$*+?.()|[]{}/".contains(letter) {
            made.push('\\');
        }
        made.push(letter);
    }
    made
}

/// Everything but letters, digits and `-_.~` as bytes.
pub(super) fn percent(value: &str) -> String {
    encoded(value, "-_.~")
}

fn encoded(value: &str, plain: &str) -> String {
    let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap().to_ascii_uppercase();
    let mut made = String::new();
    for byte in value.bytes() {
        let letter = char::from(byte);
        if byte.is_ascii_alphanumeric() || (byte.is_ascii() && plain.contains(letter)) {
            made.push(letter);
        } else {
            made.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    made
}

/// A parameter of a URL, by the older of Grafana's two ways, which leaves a quote as it is.
fn parameter(name: &str, value: &str) -> String {
    format!("var-{name}={}", encoded(value, "-_.~!'()*@:$,;"))
}

fn custom(name: &str, value: &str, arguments: &[&str]) -> String {
    let name = arguments.first().filter(|it| !it.is_empty()).copied().unwrap_or(name);
    let prefix = arguments.get(1).copied().unwrap_or_default();
    format!("{}={}{}", percent(name), percent(prefix), percent(value))
}

/// What a test says of each reference: its name, its field and its format.
fn parts(text: &str) -> Vec<(&str, Option<&str>, Option<&str>)> {
    references(text).iter().map(|it| (it.name, it.field, it.format)).collect()
}

#[test]
fn references_are_found_in_all_their_forms() {
    assert_eq!(parts("$a b ${c} [[d]]"), [("a", None, None), ("c", None, None), ("d", None, None)]);
    assert_eq!(parts("${a:csv}[[b:raw]]"), [("a", None, Some("csv")), ("b", None, Some("raw"))]);
    assert_eq!(parts("${a:date:iso}"), [("a", None, Some("date:iso"))]);
    assert_eq!(
        parts("${__data.fields[\"x y\"]} ${__data.fields.x:percentencode}"),
        [
            ("__data", Some("fields[\"x y\"]"), None),
            ("__data", Some("fields.x"), Some("percentencode"))
        ]
    );
    assert!(parts("a[1] $ ${} ${a: [[ [[a b]] 5$").is_empty());
    let places: Vec<_> = references("ü$a-$b").iter().map(|it| it.at).collect();
    assert_eq!(places, [2, 5]);
}

#[test]
fn values_are_formatted_as_grafana_does_it() {
    let one = Held::One("te'st \"1\" \\ é".to_owned());
    let two = Held::Many(vec!["a'b".to_owned(), "c".to_owned()]);
    let all = Held::All { instead: None, options: vec!["x".to_owned(), "y".to_owned()] };
    let dot = Held::All { instead: Some(".*'".to_owned()), options: Vec::new() };
    for (format, of_one, of_two, of_all, of_dot) in [
        (None, "te'st \"1\" \\ é", "'a'b','c'", "'x','y'", ".*'"),
        (Some("csv"), "te'st \"1\" \\ é", "a'b,c", "x,y", ".*'"),
        (Some("raw"), "te'st \"1\" \\ é", "a'b,c", "x,y", ".*'"),
        (Some("pipe"), "te'st \"1\" \\ é", "a'b|c", "x|y", ".*'"),
        (Some("glob"), "te'st \"1\" \\ é", "{a'b,c}", "{x,y}", ".*'"),
        (Some("json"), "te'st \"1\" \\ é", "[\"a'b\",\"c\"]", "[\"x\",\"y\"]", ".*'"),
        (Some("singlequote"), "'te\\'st \"1\" \\ é'", "'a\\'b','c'", "'x','y'", ".*'"),
        (Some("doublequote"), "\"te'st \\\"1\\\" \\ é\"", "\"a'b\",\"c\"", "\"x\",\"y\"", ".*'"),
        (Some("sqlstring"), "'te''st \\\"1\\\" \\ é'", "'a''b','c'", "'x','y'", ".*'"),
        (
            Some("percentencode"),
            "te%27st%20%221%22%20%5C%20%C3%A9",
            "%7Ba%27b%2Cc%7D",
            "%7Bx%2Cy%7D",
            ".%2A%27",
        ),
        (
            Some("queryparam"),
            "var-v=te'st%20%221%22%20%5C%20%C3%A9",
            "var-v=a'b&var-v=c",
            "var-v=$__all",
            "var-v=$__all",
        ),
        (
            Some("customqueryparam:p:q-"),
            "p=q-te%27st%20%221%22%20%5C%20%C3%A9",
            "p=q-a%27b&p=q-c",
            "p=q-x&p=q-y",
            ".*'",
        ),
        (Some("regex"), "te'st \"1\" \\\\ é", "(a'b|c)", "(x|y)", ".*'"),
        (Some("join:;"), "te'st \"1\" \\ é", "a'b;c", "x;y", ".*'"),
    ] {
        for (held, expected) in [(&one, of_one), (&two, of_two), (&all, of_all), (&dot, of_dot)] {
            assert_eq!(formatted("v", held, format).as_deref(), Ok(expected), "{format:?}");
        }
    }
    assert_eq!(formatted("v", &dot, Some("text")).as_deref(), Ok("All"));
    assert!(formatted("v", &one, Some("no such")).is_err());
}

#[test]
fn only_what_is_a_variable_is_replaced() {
    let values = Values::from([
        ("a".to_owned(), Held::One("1".to_owned())),
        ("b".to_owned(), Held::Many(vec!["x".to_owned(), "y".to_owned()])),
    ]);
    let text = "$a ${b} [[a]] ${b:csv} $c $__timeFilter(x) $ ${a.b}";
    let expected = "1 'x','y' 1 x,y $c $__timeFilter(x) $ 1";
    assert_eq!(interpolate(text, &values).as_deref(), Ok(expected));
}
