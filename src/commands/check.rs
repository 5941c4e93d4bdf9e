//! `habitus check`: configuration, inputs and store, looked at without changing anything.

use super::{Ended, Failure, Setting};
use crate::cli::Check;
use crate::render::plain;
use ingest::source::{Reader, discover};
use std::io::Write as _;
use store::Store;

/// Says what is right and what is not; fails if anything is not.
pub(crate) fn run(setting: &Setting, args: &Check) -> Result<Ended, Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "configuration  ok, {} findings a day", setting.config.detect.findings_per_day)?;
    let mut wrong = 0;
    if setting.store.exists() {
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
        let found = discover(&args.files)?;
        for problem in &found.problems {
            wrong += 1;
            writeln!(out, "input          {}", plain(&problem.to_string()))?;
        }
        for input in &found.inputs {
            let seen = match Reader::open(input) {
                Ok(mut reader) => ingest::sniff::stream(reader.sample())
                    .map(|format| format!("ok, {format}"))
                    .map_err(|refusal| refusal.to_string()),
                Err(error) => Err(error.to_string()),
            };
            wrong += u32::from(seen.is_err());
            let said = seen.unwrap_or_else(|error| error);
            writeln!(out, "input          {}: {}", plain(&input.name), plain(&said))?;
        }
    }
    if wrong > 0 { Err(format!("{wrong} of the checks failed").into()) } else { Ok(Ended::Done) }
}

async fn rows_of(setting: &Setting) -> Result<String, store::StoreError> {
    let store = Store::open(&setting.store).await?;
    let (_, batches) = store.query("SELECT count(*) AS n FROM findings_current").await?;
    let count = batches.first().map(|batch| batch.column(0));
    let options = arrow::util::display::FormatOptions::default();
    let text = count
        .and_then(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).ok())
        .map_or_else(|| "0".to_owned(), |cell| cell.value(0).to_string());
    Ok(format!("{text} findings"))
}
