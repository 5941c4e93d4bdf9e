//! What happened in a run, as one JSON object.

use crate::back_test::Report;
use crate::inputs::Inputs;
use crate::pipeline::Passed;
use detect::Tally;
use model::FindingId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The summary of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    /// Records read: lines that are not blank, and elements of arrays.
    pub(crate) records: u64,
    /// Events that they held.
    pub(crate) events: u64,
    /// Records that held none.
    pub(crate) rejected: u64,
    /// The same by reason.
    pub(crate) rejected_by_reason: BTreeMap<String, u64>,
    /// Events that came after later ones had been released.
    pub(crate) late: u64,
    /// Late events whose hour had closed: in no window.
    pub(crate) late_not_scored: u64,
    /// Events of a call that another record had told of; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repeated: Option<u64>,
    /// Inputs that could not be read, or not to their end, a line each.
    pub(crate) problems: Vec<String>,
    /// What is worth a note but not wrong, such as an empty input.
    pub(crate) notes: Vec<String>,
    /// Each input's format.
    pub(crate) formats: BTreeMap<String, String>,
    /// First event time.
    pub(crate) first_time: Option<String>,
    /// Last event time.
    pub(crate) last_time: Option<String>,
    /// Wall-clock seconds from the first input to the commit.
    pub(crate) seconds: f64,
    /// Events over seconds.
    pub(crate) events_per_second: f64,
    /// Threads that did the work.
    pub(crate) threads: usize,
    /// Identities with state.
    pub(crate) identities: u64,
    /// Windows closed.
    pub(crate) windows: u64,
    /// Findings kept, each once.
    pub(crate) findings: u64,
    /// Events whose endpoint is none of its own, because there are too many.
    pub(crate) endpoints_overflowed: u64,
    /// Calls of identities beyond the memory budget.
    pub(crate) identities_overflowed_calls: u64,
    /// About how many identities made those.
    pub(crate) identities_overflowed_about: u64,
    /// Identities that came once and made room for somebody who came back.
    pub(crate) identities_evicted: u64,
    /// What should have been noted beside identities' own hours, beyond one of the limits.
    pub(crate) unnoted: u64,
    /// Estimated bytes of state of all identities.
    pub(crate) state_bytes: u64,
    /// The same over the identities: what one of them takes; 0 without identities.
    pub(crate) state_bytes_per_identity: f64,
    /// Most memory that the whole process held, in bytes; 0 where the system does not say.
    pub(crate) peak_rss_bytes: u64,
    /// That peak over the identities; 0 without identities. The program's own memory and what it
    /// reads ahead are in it, so it says what an identity takes only where there are very many.
    pub(crate) peak_rss_bytes_per_identity: f64,
    /// The ids of those findings, where the run keeps them.
    #[serde(skip)]
    pub(crate) found: BTreeSet<FindingId>,
    /// How it compares with the store, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) back_test: Option<Report>,
}

impl Summary {
    /// Puts together what the stages counted.
    pub(crate) fn of(
        passed: &Passed,
        inputs: &Inputs,
        tally: Tally,
        seconds: f64,
        threads: usize,
    ) -> Self {
        let peak = peak_rss_bytes();
        let per_identity = |bytes: u64| match tally.identities {
            0 => 0.0,
            identities => bytes as f64 / identities as f64,
        };
        Self {
            records: passed.records,
            events: passed.events,
            rejected: passed.rejects.total(),
            rejected_by_reason: passed
                .rejects
                .iter()
                .map(|(reason, count)| (reason.as_str().to_owned(), count))
                .collect(),
            late: passed.late,
            late_not_scored: passed.late_not_scored,
            repeated: Some(passed.repeated).filter(|it| *it > 0),
            problems: inputs.problems().to_vec(),
            notes: inputs.notes().to_vec(),
            formats: inputs
                .formats()
                .iter()
                .map(|(name, format)| (name.clone(), (*format).to_owned()))
                .collect(),
            first_time: passed.times.map(|(first, _)| first.to_string()),
            last_time: passed.times.map(|(_, last)| last.to_string()),
            seconds,
            events_per_second: if seconds > 0.0 { passed.events as f64 / seconds } else { 0.0 },
            threads,
            identities: tally.identities,
            windows: tally.windows,
            findings: 0,
            endpoints_overflowed: passed.endpoints_overflowed,
            identities_overflowed_calls: tally.overflowed_calls,
            identities_overflowed_about: tally.overflowed_identities,
            identities_evicted: tally.evicted_identities,
            unnoted: tally.unnoted,
            state_bytes: tally.state_bytes,
            state_bytes_per_identity: per_identity(tally.state_bytes),
            peak_rss_bytes: peak,
            peak_rss_bytes_per_identity: per_identity(peak),
            found: BTreeSet::new(),
            back_test: None,
        }
    }

    /// Writes the summary to a file.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text)
    }
}

/// The most memory that this process ever held, as Linux counts it (`VmHWM`).
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
