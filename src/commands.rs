//! The commands, one a file.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod formats;
pub(crate) mod identity;
pub(crate) mod normalize;
pub(crate) mod query;
pub(crate) mod replay;

use crate::cli::{Logs, OutputFormat, Span};
use crate::config::Config;
use crate::render::plain;
use ingest::format::FormatId;
use ingest::reject::Rejects;
use std::path::PathBuf;
use tokio::runtime::Handle;

/// What every command is given by `main`, the only place that reads the clock and the environment.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The configuration, checked.
    pub(crate) config: Config,
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// How to print.
    pub(crate) output: OutputFormat,
    /// Runs what the store does in the background.
    pub(crate) runtime: Handle,
    /// 32 random bytes, for the key of a new store.
    pub(crate) fresh_key: [u8; 32],
    /// Processors of this machine.
    pub(crate) processors: usize,
}

impl Setting {
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
}

/// The format that `--format` names.
fn declared_format(logs: &Logs) -> Result<Option<FormatId>, Failure> {
    let Some(name) = &logs.format else { return Ok(None) };
    if let Some(format) = FormatId::from_name(name) {
        Ok(Some(format))
    } else {
        let known: Vec<_> = FormatId::ALL.iter().map(|it| it.as_str()).collect();
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

/// SQL conditions for a span over the column `at`.
fn span_conditions(span: &Span, at: &str) -> Result<Vec<String>, Failure> {
    let mut conditions = Vec::new();
    for (bound, sign, flag) in [(&span.since, ">=", "--since"), (&span.until, "<", "--until")] {
        let Some(bound) = bound else { continue };
        let digits =
            |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z' | '+' | ' ');
        let dated = bound.len() >= 10 && bound.chars().all(digits);
        let day = bound.get(..10).unwrap_or("");
        let parts: Vec<_> = day.split('-').map(str::parse::<u32>).collect();
        let is_day = matches!(parts.as_slice(), [Ok(year), Ok(month), Ok(day)]
            if model::Time::from_civil((i64::from(*year), *month, *day), (0, 0, 0), 0).is_some());
        if !dated || !is_day {
            return Err(format!(
                "{flag} is `{bound}`, which is no time: write 2026-03-02 or 2026-03-02T14:00:00Z"
            )
            .into());
        }
        conditions.push(format!("{at} {sign} TIMESTAMP {}", store::quote(bound)));
    }
    Ok(conditions)
}

/// Conditions as a WHERE clause; empty without any.
fn where_all(conditions: &[String]) -> String {
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}
