//! `habitus coverage`: how much of a log has what detectors need, and which setting would add the rest.

use super::{Ended, Failure, Setting, named_format};
use crate::cli::{self, OutputFormat};
use crate::coverage::{Coverage, Report};
use crate::figures::counted;
use crate::progress::Progress;
use crate::render::{self, plain};
use ingest::parse::Parser;
use ingest::reject::Rejects;
use ingest::source::{CHUNK_BYTES, Input, Reader, discover};
use ingest::{FormatId, sniff};
use serde::Serialize;
use std::io::{self, Write};

/// What was read, and what it says.
#[derive(Debug, Serialize)]
struct Printed {
    /// Records read.
    records: u64,
    /// Those that are no events.
    rejected: u64,
    /// Inputs that could not be read, or not to their end.
    problems: Vec<String>,
    #[serde(flatten)]
    report: Report,
}

/// What is read of the inputs.
#[derive(Debug, Default)]
struct Read {
    coverage: Coverage,
    rejects: Rejects,
    records: u64,
    problems: Vec<String>,
    notes: Vec<String>,
}

/// Reads logs to their ends, and says what they let detection see.
pub(crate) fn run(setting: &Setting, args: &cli::Coverage) -> Result<Ended, Failure> {
    let declared = args.format.as_deref().map(named_format).transpose()?;
    let parser = setting.config.ingest.check(setting.fresh_key)?;
    let found = discover(&args.files)?;
    let mut read = Read {
        problems: found.problems.iter().map(ToString::to_string).collect(),
        ..Read::default()
    };
    let total = found.inputs.iter().map(|input| input.bytes).sum::<Option<u64>>();
    let progress = Progress::over(total, "coverage");
    for input in &found.inputs {
        if let Err(why) = read.add(input, &parser, declared) {
            read.problems.push(why);
        }
    }
    progress.done();
    // The first problem is the error, where nothing could be read.
    let is_nothing = read.coverage.events() == 0;
    let problems = read.problems.iter().skip(usize::from(is_nothing));
    for line in read.notes.iter().chain(problems) {
        crate::note(&plain(line));
    }
    if is_nothing {
        let why = read.problems.first().map_or("there are no events in it", String::as_str);
        return Err(why.to_owned().into());
    }
    let ended = if read.problems.is_empty() { Ended::Done } else { Ended::Partly };
    let printed = Printed {
        records: read.records,
        rejected: read.rejects.total(),
        report: read.coverage.report(),
        problems: read.problems,
    };
    let mut out = io::stdout().lock();
    if setting.output == OutputFormat::Table {
        tables(&mut out, &printed)?;
    } else {
        serde_json::to_writer(&mut out, &printed)?;
        writeln!(out)?;
    }
    Ok(ended)
}

impl Read {
    /// Reads one input to its end; an error says why nothing of it was read.
    fn add(
        &mut self,
        input: &Input,
        parser: &Parser,
        declared: Option<FormatId>,
    ) -> Result<(), String> {
        let mut reader = Reader::open(input).map_err(|error| error.to_string())?;
        let sample = reader.sample();
        let format = match declared {
            Some(format) => Some(format),
            None if sample.is_empty() => None,
            None => {
                let found = sniff::recognise(sample);
                found.map_err(|refusal| format!("{}: {refusal}", input.name))?.hint
            }
        };
        loop {
            match reader.next(CHUNK_BYTES) {
                Ok(Some(chunk)) => {
                    let parsed = parser.parse(&chunk, format);
                    self.records += parsed.records;
                    self.rejects.merge(&parsed.rejects);
                    self.coverage.add(&parsed.batch);
                }
                Ok(None) => break,
                Err(error) => {
                    self.problems.push(error.to_string());
                    break;
                }
            }
        }
        if let Some(problem) = reader.problem() {
            let list = if problem.is_note() { &mut self.notes } else { &mut self.problems };
            list.push(problem.to_string());
        }
        Ok(())
    }
}

fn tables(out: &mut dyn Write, printed: &Printed) -> io::Result<()> {
    let Printed { records, rejected, report, .. } = printed;
    let formats: Vec<_> = report
        .formats
        .iter()
        .map(|it| format!("{} ({}, {})", it.format, counted(it.events, "event", "events"), it.page))
        .collect();
    writeln!(
        out,
        "{}, {}, {} rejected: {}\n",
        counted(*records, "record", "records"),
        counted(report.events, "event", "events"),
        rejected,
        formats.join("; "),
    )?;
    let mut table = render::new_table();
    table.set_header(["what events say", "events", "share"]);
    for held in &report.facts {
        table.add_row([held.fact.to_owned(), held.events.to_string(), percent(held.share)]);
    }
    writeln!(out, "{table}\n")?;
    let mut table = render::new_table();
    table.set_header(["charged by", "trust", "events", "share"]);
    for it in &report.identities {
        table.add_row([
            it.rule.to_owned(),
            it.trust.to_owned(),
            it.events.to_string(),
            percent(it.share),
        ]);
    }
    writeln!(out, "{table}\n")?;
    shared(out, report)?;
    sights(out, report)?;
    settings(out, report)?;
    incurable(out, report)
}

fn shared(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if report.shared.is_empty() {
        return Ok(());
    }
    let mut table = render::new_table();
    table.set_header(["shared identity", "events", "share", "networks"]);
    for it in &report.shared {
        let (events, networks) = (it.events.to_string(), it.networks.to_string());
        table.add_row([plain(&it.principal), events, percent(it.share), networks]);
    }
    let why = "Many callers have these: give each a credential of its own.";
    writeln!(out, "{table}\n{why}\n")
}

fn sights(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let limited: Vec<_> = report.detectors.iter().filter(|it| it.sees != "all").collect();
    if limited.is_empty() {
        return writeln!(out, "Every detector has what it needs.");
    }
    let mut table = render::new_table();
    table.set_header(["detector", "sees", "lacks"]);
    for sight in limited {
        let lacks = sight.lacks.join(", ");
        let lacks = if sight.is_of_agents {
            format!("{lacks}; needed where AI agents call")
        } else {
            lacks
        };
        table.add_row([sight.detector, sight.sees, lacks.as_str()]);
    }
    writeln!(out, "{table}")
}

fn settings(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut table = render::new_table();
    table.set_header(["to have", "in", "set"]);
    let mut offered = 0;
    for held in &report.facts {
        for it in &held.settings {
            offered += 1;
            table.add_row([held.fact, it.format, it.setting]);
        }
    }
    if offered == 0 {
        return Ok(());
    }
    let mut pages: Vec<_> = report.formats.iter().map(|it| it.page.as_str()).collect();
    pages.dedup();
    writeln!(out, "\n{table}\nWhere each setting belongs: {}", pages.join(", "))
}

/// What detectors lack that no setting adds.
fn incurable(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let lacks: Vec<&str> = report
        .detectors
        .iter()
        .flat_map(|it| &it.lacks)
        .flat_map(|it| it.split(" or ").flat_map(|it| it.split(" with ")))
        .collect();
    let is_incurable = |fact: &str| lacks.contains(&fact);
    let facts = report.facts.iter().filter(|it| it.settings.is_empty()).map(|it| it.fact);
    let facts: Vec<_> = facts.filter(|it| is_incurable(it)).collect();
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nNo setting is known that adds: {}", facts.join(", "))?;
    if facts.contains(&"object") {
        let why =
            "An object is what a path has as a parameter: calls without one are of no object.";
        writeln!(out, "{why}")?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of a log of one line.
    fn shown(line: &str) -> String {
        let parser = ingest::Settings::default().check([7; 32]).unwrap();
        let chunk = ingest::Chunk { bytes: line.into(), ..ingest::Chunk::default() };
        let mut coverage = Coverage::default();
        coverage.add(&parser.parse(&chunk, None).batch);
        let printed =
            Printed { records: 1, rejected: 0, problems: Vec::new(), report: coverage.report() };
        let mut out = Vec::new();
        tables(&mut out, &printed).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_name_what_is_missing_and_the_setting() {
        let text =
            shown(r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /orders/7 HTTP/1.1" 200 12"#);
        for part in
            ["1 record, 1 event, 0 rejected: clf", "foreign_object", "user agent", "client_address"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("An object is"), "{text}");
    }

    #[test]
    fn what_no_setting_adds_is_said() {
        let text =
            shown(r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /orders HTTP/1.1" 200 12"#);
        let line = text.lines().find(|it| it.starts_with("No setting is known that adds: "));
        assert!(line.is_some_and(|it| it.contains("object")), "{text}");
        assert!(text.contains("An object is what a path has as a parameter"), "{text}");
    }
}
