//! Log lines on standard error: as people read them, or a JSON object each.
//!
//! Whatever a line quotes may come from whoever calls the watched API, so it is made harmless here:
//! no line holds a control character, an escape or a mark that turns text around, none is longer than
//! its limit, and each is one line.

use crate::render::plain;
use model::Time;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 4_096;
/// Characters of a field's value.
const VALUE_CHARS_MAX: usize = 1_024;

/// How the service writes its lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// `TIME LEVEL: message name=value`.
    #[default]
    Text,
    /// `{"time":…,"level":…,"message":…,"fields":{…}}`.
    Json,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A name and a value beside a message.
pub(crate) type Field<'a> = (&'static str, &'a dyn std::fmt::Display);

/// How lines are written now: 0 as commands write them, the message alone; else the format's number
/// and one.
static WRITTEN_AS: AtomicU8 = AtomicU8::new(0);

/// From now on lines are written as a service writes them.
pub(crate) fn write_as(format: LogFormat) {
    WRITTEN_AS.store(format as u8 + 1, Ordering::Relaxed);
}

/// Says something that is as it should be.
pub(crate) fn info(message: &str, fields: &[Field<'_>]) {
    say(Level::Info, message, fields);
}

/// Says something that somebody may have to look after.
pub(crate) fn warn(message: &str) {
    say(Level::Warn, message, &[]);
}

/// Says what failed.
pub(crate) fn error(message: &str) {
    say(Level::Error, message, &[]);
}

fn say(level: Level, message: &str, fields: &[Field<'_>]) {
    let format = match WRITTEN_AS.load(Ordering::Relaxed) {
        0 => None,
        1 => Some(LogFormat::Text),
        _ => Some(LogFormat::Json),
    };
    let mut line = line(format, wall(), level, message, fields);
    line.push('\n');
    // In one piece, so that lines of several threads do not mix. Nobody is left to tell if standard
    // error is closed.
    std::io::stderr().lock().write_all(line.as_bytes()).ok();
}

#[expect(clippy::disallowed_methods, reason = "a line says when it was written")]
fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_ns(since.map_or(0, |since| since.as_millis() as i64 * 1_000_000))
}

/// One line without its end.
fn line(
    format: Option<LogFormat>,
    at: Time,
    level: Level,
    message: &str,
    fields: &[Field<'_>],
) -> String {
    let message = cut(&plain(message), MESSAGE_CHARS_MAX);
    let values = fields
        .iter()
        .map(|(name, value)| (*name, cut(&plain(&value.to_string()), VALUE_CHARS_MAX)));
    if format == Some(LogFormat::Json) {
        let fields: serde_json::Map<String, serde_json::Value> =
            values.map(|(name, value)| (name.to_owned(), value.into())).collect();
        let line = Line { time: at.to_string(), level: level.as_str(), message: &message, fields };
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let mut text = match (format, level) {
        (Some(_), _) => format!("{at} {}: {message}", level.as_str()),
        (None, Level::Error) => format!("error: {message}"),
        (None, _) => message,
    };
    for (name, value) in values {
        let is_bare = |c: char| c.is_alphanumeric() || "-_./:@+".contains(c);
        let is_quoted = value.is_empty() || !value.chars().all(is_bare);
        text.extend([" ", name, "="]);
        // As JSON writes a text: in quotes, its own escaped.
        let quoted = is_quoted.then(|| serde_json::Value::from(value.as_str()).to_string());
        text.push_str(&quoted.unwrap_or(value));
    }
    text
}

/// A line as JSON, its parts in this order.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    fields: serde_json::Map<String, serde_json::Value>,
}

/// A text of at most so many characters.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: Option<LogFormat>, level: Level, fields: &[Field<'_>], expected: &str) {
        let at = Time::from_ns(1_772_000_000_250_000_000);
        assert_eq!(line(format, at, level, "it \u{1b}[31mis\nso", fields), expected);
    }

    #[test]
    fn a_command_says_the_message_alone() {
        check(None, Level::Info, &[], "it \u{fffd}[31mis so");
        check(None, Level::Error, &[], "error: it \u{fffd}[31mis so");
    }

    #[test]
    fn a_service_says_when_and_how_much_it_matters() {
        check(
            Some(LogFormat::Text),
            Level::Warn,
            &[("epoch", &7), ("why", &"a \"b\" \u{202e}c"), ("none", &"")],
            "2026-02-25T06:13:20.250Z warn: it \u{fffd}[31mis so epoch=7 \
             why=\"a \\\"b\\\" \u{fffd}c\" none=\"\"",
        );
        check(
            Some(LogFormat::Json),
            Level::Error,
            &[("why", &"\"},{\"level\":\"info")],
            "{\"time\":\"2026-02-25T06:13:20.250Z\",\"level\":\"error\",\
             \"message\":\"it \u{fffd}[31mis so\",\
             \"fields\":{\"why\":\"\\\"},{\\\"level\\\":\\\"info\"}}",
        );
    }

    #[test]
    fn whatever_is_quoted_stays_one_short_line() {
        for format in [None, Some(LogFormat::Text), Some(LogFormat::Json)] {
            let long = "\n\u{7f}\"x".repeat(100_000);
            let said = line(format, Time::from_ns(0), Level::Info, &long, &[("a", &long)]);
            assert!(said.chars().count() < 2 * (MESSAGE_CHARS_MAX + VALUE_CHARS_MAX) + 200);
            assert!(!said.chars().any(char::is_control), "{format:?}");
            if format == Some(LogFormat::Json) {
                let read: serde_json::Value = serde_json::from_str(&said).unwrap();
                assert_eq!(read["level"], "info");
            }
        }
    }
}
