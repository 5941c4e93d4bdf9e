//! Progress on standard error, only on a terminal: a bar with rate and time left.

use crate::figures::counted;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;

/// A progress bar over the bytes of the inputs; silent where nobody looks.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `bytes` bytes, if they are known.
    pub(crate) fn over(bytes: Option<u64>, what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let target = ProgressDrawTarget::stderr_with_hz(5);
        let bar = ProgressBar::with_draw_target(bytes, target).with_prefix(what);
        let template = match bytes {
            Some(_) => {
                "{prefix} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {wide_msg}"
            }
            None => "{prefix} {spinner} {bytes} {bytes_per_sec} {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// A bar over `seconds` seconds of traffic.
    pub(crate) fn through(seconds: u64, what: &'static str) -> Self {
        let progress = Self::over(Some(seconds), what);
        let template = "{prefix} {bar:30} {percent} % eta {eta} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.bar.set_style(style);
        }
        progress
    }

    /// Moves the bar to so many seconds of traffic, of which `lines` were written in `took_s`.
    pub(crate) fn lines_at(&self, seconds: u64, lines: u64, took_s: f64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(seconds);
        self.bar.set_message(format!("{lines} lines, {:.0}/s", lines as f64 / took_s.max(1e-3)));
    }

    /// Moves the bar.
    pub(crate) fn at(&self, bytes: u64, events: u64, findings: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(bytes);
        let events = counted(events, "event", "events");
        // Each revision counts: they are more than the findings at the end.
        let findings = counted(findings, "finding", "findings");
        self.bar.set_message(format!("{events}, {findings} raised or revised"));
    }

    /// Takes the bar away.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
