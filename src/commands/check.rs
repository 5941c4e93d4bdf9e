//! `habitus check`: configuration, inputs and store, looked at without changing anything.

use super::{Ended, Failure, Setting, reject_lines};
use crate::cli::Check;
use crate::figures::counted;
use crate::operation::probe;
use crate::render::plain;
use ingest::parse::Parser;
use ingest::reject::Rejects;
use ingest::source::{CHUNK_BYTES, Input, Inputs, Reader, discover};
use ingest::{Chunk, FormatId, sniff};
use std::io::{self, Write};
use store::Store;

/// What one input holds, read to its end or as far as it goes.
#[derive(Debug, Default)]
struct Seen {
    /// The format; `None` for an input without a line.
    format: Option<FormatId>,
    /// What its records are read as.
    hint: Option<FormatId>,
    records: u64,
    events: u64,
    rejects: Rejects,
    /// The first line with a zero byte, which no text has.
    binary_line: Option<u64>,
    /// What is wrong with it, a line each.
    problems: Vec<String>,
    /// What is worth a note but not wrong.
    notes: Vec<String>,
}

/// Says what is right and what is not; fails if anything is not.
pub(crate) fn run(setting: &Setting, args: &Check) -> Result<Ended, Failure> {
    let mut out = io::stdout().lock();
    let a_day = setting.config.detect.findings_per_day;
    // May be a fraction.
    let findings = if a_day.to_string() == "1" { "finding" } else { "findings" };
    writeln!(out, "configuration  ok, {a_day} {findings} a day")?;
    let mut wrong = services(&mut out, setting)?;
    if setting.server.is_some() {
        // The directory beside a server holds the key, and perhaps checkpoints; no rows.
    } else if setting.store.exists() {
        match setting.runtime.block_on(rows_of(setting)) {
            Ok(rows) => {
                writeln!(out, "store          ok, {} in {}", rows, setting.store.display())?;
            }
            Err(error) => {
                wrong += 1;
                writeln!(out, "store          {}", plain(&error.to_string()))?;
            }
        }
    } else {
        writeln!(out, "store          none yet in {}; replay makes it", setting.store.display())?;
    }
    if !args.files.is_empty() {
        let parser = setting.config.ingest.check(setting.fresh_key)?;
        let (found, refused) = find(&args.files);
        for why in &refused {
            wrong += 1;
            writeln!(out, "input          {}", plain(why))?;
        }
        wrong += check_all(&mut out, &found, &parser)?;
    }
    if wrong > 0 { Err(format!("{wrong} of the checks failed").into()) } else { Ok(Ended::Done) }
}

/// Asks what a service would need, a line each; yields how much of it cannot be had.
fn services(out: &mut dyn Write, setting: &Setting) -> io::Result<u32> {
    let mut wrong = 0;
    for (name, outcome) in [
        ("source", probe::source(setting)),
        ("format", probe::format(setting)),
        ("dead letters", probe::dead_letters(setting)),
        ("deny feed", probe::deny(setting)),
        ("store", probe::server(setting)),
        ("checkpoints", probe::checkpoints(setting)),
    ] {
        match outcome {
            None => {}
            Some(Ok(found)) => writeln!(out, "{name:<15}ok, {}", plain(&found))?,
            Some(Err(error)) => {
                wrong += 1;
                writeln!(out, "{name:<15}{}", plain(&crate::full(error.as_ref())))?;
            }
        }
    }
    Ok(wrong)
}

/// The inputs that the arguments stand for, and what is wrong with arguments that stand for none.
fn find(files: &[String]) -> (Inputs, Vec<String>) {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for file in files {
        match discover(&[file]) {
            Ok(_) => good.push(file),
            Err(error) => refused.push(crate::full(&error)),
        }
    }
    // All of them at once, so that what is named twice is read once.
    let found = discover(&good).unwrap_or_else(|error| {
        refused.push(crate::full(&error));
        Inputs::default()
    });
    (found, refused)
}

/// Reads all inputs, and says what each holds; yields how many of them have a problem.
fn check_all(out: &mut dyn Write, found: &Inputs, parser: &Parser) -> io::Result<u32> {
    let mut wrong = 0;
    for problem in &found.problems {
        wrong += 1;
        writeln!(out, "input          {}", plain(&problem.to_string()))?;
    }
    for input in &found.inputs {
        match read(input, parser) {
            Ok(seen) => {
                wrong += u32::from(!seen.problems.is_empty());
                report(out, &input.name, &seen)?;
            }
            Err(why) => {
                wrong += 1;
                writeln!(out, "input          {}", plain(&why))?;
            }
        }
    }
    Ok(wrong)
}

/// Reads an input as a replay does, a chunk at a time; an error says why not even its format is known.
fn read(input: &Input, parser: &Parser) -> Result<Seen, String> {
    let mut reader = Reader::open(input).map_err(|error| error.to_string())?;
    let sample = reader.sample();
    let found = if sample.is_empty() {
        None
    } else {
        Some(sniff::recognise(sample).map_err(|refusal| format!("{}: {refusal}", input.name))?)
    };
    let (format, hint) = (found.map(|it| it.format), found.and_then(|it| it.hint));
    let mut seen = Seen { format, hint, ..Seen::default() };
    loop {
        match reader.next(CHUNK_BYTES) {
            Ok(Some(chunk)) => seen.add(&chunk, parser),
            Ok(None) => break,
            Err(error) => {
                seen.problems.push(error.to_string());
                break;
            }
        }
    }
    if let Some(line) = seen.binary_line {
        seen.problems.push(format!(
            "`{}` holds binary data, from line {line} on; copy the file again, or cut it out",
            input.name.escape_debug(),
        ));
    }
    if let Some(problem) = reader.problem() {
        let list = if problem.is_note() { &mut seen.notes } else { &mut seen.problems };
        list.push(problem.to_string());
    }
    Ok(seen)
}

impl Seen {
    fn add(&mut self, chunk: &Chunk, parser: &Parser) {
        let parsed = parser.parse(chunk, self.hint);
        self.records += parsed.records;
        self.events += parsed.batch.events.len() as u64;
        self.rejects.merge(&parsed.rejects);
        if self.binary_line.is_none() && chunk.bytes.contains(&0) {
            let mut lines = chunk.bytes.split(|byte| *byte == b'\n');
            let at = lines.position(|line| line.contains(&0));
            self.binary_line = at.map(|index| chunk.first_line + index as u64);
        }
    }
}

/// Says what an input holds: a line of counts, a line for each reason of rejects and each problem.
fn report(out: &mut dyn Write, name: &str, seen: &Seen) -> io::Result<()> {
    if let Some(format) = seen.format {
        let verdict = if seen.problems.is_empty() { "ok" } else { "not read to its end" };
        let verdict = if seen.binary_line.is_some() { "not all of it is text" } else { verdict };
        writeln!(
            out,
            "input          {}: {verdict}, {format}, {}, {}",
            plain(name),
            counted(seen.records, "record", "records"),
            counted(seen.events, "event", "events"),
        )?;
        for line in reject_lines(&seen.rejects) {
            writeln!(out, "               rejected {line}")?;
        }
    }
    for line in seen.notes.iter().chain(&seen.problems) {
        writeln!(out, "input          {}", plain(line))?;
    }
    Ok(())
}

async fn rows_of(setting: &Setting) -> Result<String, store::StoreError> {
    let store = Store::open(&setting.store).await?;
    let (_, batches) = store.query("SELECT count(*) AS n FROM findings_current").await?;
    let count = batches.first().map(|batch| batch.column(0));
    let options = arrow::util::display::FormatOptions::default();
    let count = count
        .and_then(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).ok())
        .and_then(|cell| cell.value(0).to_string().parse().ok());
    Ok(counted(count.unwrap_or(0), "finding", "findings"))
}
