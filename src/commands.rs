//! The commands, one a file.

pub(crate) mod answer;
pub(crate) mod back_test;
pub(crate) mod baseline;
pub(crate) mod change_window;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod coverage;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod feedback;
pub(crate) mod findings;
pub(crate) mod forget;
pub(crate) mod formats;
pub(crate) mod health;
pub(crate) mod identity;
pub(crate) mod incidents;
pub(crate) mod migrate;
pub(crate) mod normalize;
pub(crate) mod privileges;
pub(crate) mod query;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod reshard;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod trial;

use crate::cli::{Logs, OutputFormat, Span};
use crate::config::Config;
use crate::render::plain;
use ingest::format::FormatId;
use ingest::reject::Rejects;
use model::Time;
use model::time::{NS_PER_H, NS_PER_MIN};
use std::path::PathBuf;
use store::clickhouse::{Client, Plaintext};
use store::{Reader, Store};
use tokio::runtime::Handle;

/// Nanoseconds in one microsecond, the unit of the store's times.
const NS_PER_US: i64 = 1_000;

/// What every command is given by `main`, the only place that reads the clock and the environment.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The configuration, checked.
    pub(crate) config: Config,
    /// The file that the configuration was named to be in, if one was.
    pub(crate) config_path: Option<PathBuf>,
    /// The store's directory; beside a server, that of the key, of checkpoints and dead letters.
    pub(crate) store: PathBuf,
    /// The URL of the server that stands for the directory, if one does.
    pub(crate) server: Option<String>,
    /// How to print.
    pub(crate) output: OutputFormat,
    /// Runs what the store does in the background.
    pub(crate) runtime: Handle,
    /// 32 random bytes, for the key of a new store.
    pub(crate) fresh_key: [u8; 32],
    /// Processors of this machine.
    pub(crate) processors: usize,
    /// How object stores are reached.
    pub(crate) environment: crate::live::objects::Environment,
}

/// A text as one word of a shell, which obeys nothing in it: callers chose the names that it has.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Setting {
    /// What names the store to another command; empty for the one that is asked without a word.
    fn store_argument(&self) -> String {
        let named = self.server.clone().unwrap_or_else(|| self.store.display().to_string());
        if named == crate::cli::STORE {
            String::new()
        } else {
            format!(" --store {}", word(&named))
        }
    }

    /// The server that stands for the store's directory, if one does.
    pub(crate) fn server(&self) -> Result<Option<Client>, Failure> {
        let Some(url) = &self.server else { return Ok(None) };
        let config = &self.config.clickhouse;
        let plaintext =
            if config.allow_plaintext { Plaintext::Allowed } else { Plaintext::Refused };
        let mut settings = store::clickhouse::Settings::parse(url, plaintext)?;
        if !config.password.is_none() {
            settings = settings.with_password(config.password.read("clickhouse.password")?);
        }
        if let Some(path) = &config.ca_file {
            settings = settings.with_ca_file(path.clone());
        }
        let client = Client::new(settings)?;
        // Whatever is wrong with the way to it is said now, within seconds.
        self.runtime.block_on(client.ping())?;
        Ok(Some(client))
    }

    /// What reads the store, whichever it is.
    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        Ok(match self.server()? {
            Some(client) => Reader::Server(client),
            None => Reader::Directory(self.runtime.block_on(Store::open(&self.store))?),
        })
    }

    /// The wall clock, for rates and durations.
    #[expect(
        clippy::disallowed_methods,
        clippy::unused_self,
        reason = "composition may read the clock, and only through its setting"
    )]
    pub(crate) fn now(&self) -> std::time::Instant {
        std::time::Instant::now()
    }
}

/// What stops a command: one line for people.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// How a command ended well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// All was done.
    Done,
    /// Something was done, but some input could not be read.
    Partly,
    /// All was done, and what should be the same is not.
    Differs,
    /// All was done, and what was required of the result does not hold.
    Short,
}

/// The format that `--format` names.
fn declared_format(logs: &Logs) -> Result<Option<FormatId>, Failure> {
    logs.format.as_deref().map(named_format).transpose()
}

/// The format of that name.
fn named_format(name: &str) -> Result<FormatId, Failure> {
    if let Some(format) = FormatId::from_name(name) {
        Ok(format)
    } else {
        let known: Vec<_> = FormatId::known().map(FormatId::as_str).collect();
        Err(format!("no format is called `{name}`; the formats are {}", known.join(", ")).into())
    }
}

/// Rejected records in words, a line for each reason, with the first of them.
fn reject_lines(rejects: &Rejects) -> Vec<String> {
    let line = |(reason, count): (ingest::Reject, u64)| {
        let first = rejects.samples().iter().find(|sample| sample.reason == reason);
        let first = first.map_or_else(String::new, |sample| {
            let colon = if sample.excerpt.is_empty() { "" } else { ": " };
            format!(", the first in line {}{colon}{}", sample.position.line, sample.excerpt)
        });
        plain(&format!("{count} {reason} ({}){first}", reason.cure()))
    };
    rejects.iter().map(line).collect()
}

/// A span as microseconds, the end exclusive; without a bound it has no end on that side.
fn span_us(span: &Span) -> Result<(i64, i64), Failure> {
    let since = bound(span.since.as_deref(), "--since")?;
    let until = bound(span.until.as_deref(), "--until")?;
    if let (Some(first), Some(end)) = (since, until)
        && first >= end
    {
        return Err(format!(
            "--since is {first} and --until is {end}, so no time lies between them: give a later \
             --until"
        )
        .into());
    }
    // The store keeps microseconds, cut: the first that is not before a bound is the next one.
    let us = |time: Time| {
        let ns = time.ns();
        ns.div_euclid(NS_PER_US) + i64::from(ns.rem_euclid(NS_PER_US) > 0)
    };
    Ok((since.map_or(i64::MIN, us), until.map_or(i64::MAX, us)))
}

/// The instant that an option gives, if it is given.
fn bound(typed: Option<&str>, flag: &str) -> Result<Option<Time>, Failure> {
    typed.map(|typed| time_of(typed, flag)).transpose()
}

/// The instant that an option gives.
fn time_of(typed: &str, flag: &str) -> Result<Time, Failure> {
    match instant(typed) {
        Some(time) => Ok(time),
        None => Err(format!(
            "{flag} is `{typed}`, which is no time: write 2026-03-02, 2026-03-02T14:00 or \
             2026-03-02T14:00:00Z"
        )
        .into()),
    }
}

/// The instant that a person writes: a date alone, or with a time of day to the hour, minute or second
/// and an offset; in UTC without one.
pub(crate) fn instant(typed: &str) -> Option<Time> {
    let (date, rest) = typed.split_once(['T', 't', ' ']).unwrap_or((typed, "00"));
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(a, b)| (a, Some(b)));
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let (hour, minute, second) = match numbers(clock, ':', &[2, 2, 2])?[..] {
        [hour, minute, second] => (hour, minute, second),
        // A fraction is one of a second.
        _ if fraction.is_some() => return None,
        [hour, minute] => (hour, minute, 0),
        [hour] => (hour, 0, 0),
        _ => return None,
    };
    let ns = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) => {
            numbers(&format!("{digits:0<9}"), '.', &[9])?.first().copied()?
        }
        Some(_) => return None,
    };
    let local = Time::from_civil((i64::from(year), month, day), (hour, minute, second), ns)?;
    Some(local.plus(-offset_ns(zone)?))
}

/// How far ahead of UTC a zone is, in nanoseconds: nothing, `Z`, or hours and minutes with a sign.
fn offset_ns(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = match numbers(rest, ':', &[2, 2])?[..] {
        [hours, minutes] if hours < 24 && minutes < 60 => (hours, minutes),
        [hours] if hours < 24 => (hours, 0),
        _ => return None,
    };
    Some(sign * (i64::from(hours) * NS_PER_H + i64::from(minutes) * NS_PER_MIN))
}

/// The numbers in a text, each of so many digits, the last of them left out perhaps; `None` if anything
/// else stands there.
fn numbers(text: &str, between: char, digits: &[usize]) -> Option<Vec<u32>> {
    let parts: Vec<_> = text.split(between).collect();
    let is_number = |(part, digits): (&&str, &usize)| {
        part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if parts.len() > digits.len() || !parts.iter().zip(digits).all(is_number) {
        return None;
    }
    parts.into_iter().map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(instant(typed).map(|time| time.to_string()).as_deref(), expected, "{typed}");
    }

    #[test]
    fn a_time_may_be_as_short_as_a_date() {
        check("2026-03-02", Some("2026-03-02T00:00:00Z"));
        check("2026-03-02T14", Some("2026-03-02T14:00:00Z"));
        check("2026-03-02 14:05", Some("2026-03-02T14:05:00Z"));
        check("2026-03-02t14:05:09z", Some("2026-03-02T14:05:09Z"));
        check("2026-03-02T14:05:09.5", Some("2026-03-02T14:05:09.500Z"));
        check("2026-03-02T14:05+02:00", Some("2026-03-02T12:05:00Z"));
        check("2026-03-02T23:30:00-01", Some("2026-03-03T00:30:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for typed in [
            "",
            "yesterday",
            "2026",
            "2026-03",
            "2026-3-2",
            "2026-02-30",
            "2026-03-02T",
            "2026-03-02T24:00",
            "2026-03-02T14:5",
            "2026-03-02T14:05.5",
            "2026-03-02T14:05:09.",
            "2026-03-02T14:05:09.1234567890",
            "2026-03-02T14:05:09Zulu",
            "2026-03-02T14:05:09+2",
            "2026-03-02T14:05:09+24:00",
            "2026-03-02T14:05:09' OR '1'='1",
            "2026-03-02T1\u{e9}:05",
            "+026-03-02",
        ] {
            check(typed, None);
        }
    }

    #[test]
    fn a_span_has_an_inside() {
        let span = |since: &str, until: &str| Span {
            since: Some(since.to_owned()),
            until: Some(until.to_owned()),
        };
        let inside = span_us(&span("2026-03-02", "2026-03-02T00:01")).unwrap();
        assert_eq!(inside, (1_772_409_600_000_000, 1_772_409_660_000_000));
        let fine = span_us(&span("2026-03-02T00:00:00.0000005", "2026-03-03")).unwrap();
        assert_eq!(fine.0, 1_772_409_600_000_001, "what is cut in the store is not counted twice");
        let open = Span { since: None, until: None };
        assert_eq!(span_us(&open).unwrap(), (i64::MIN, i64::MAX));
        for (since, until) in [("2026-03-02", "2026-03-02"), ("2026-03-02T14+01", "2026-03-02T13")]
        {
            let error = span_us(&span(since, until)).unwrap_err().to_string();
            assert!(error.contains("no time lies between them"), "{error}");
        }
    }
}
