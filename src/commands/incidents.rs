//! `habitus incidents`: findings that belong together, the most severe first.

use super::findings::severity_min;
use super::{Ended, Failure, Setting, span_us};
use crate::cli::{Incidents, OutputFormat};
use crate::render;
use std::io::Write as _;
use store::Question;

/// Lists incidents.
pub(crate) fn run(setting: &Setting, args: &Incidents) -> Result<Ended, Failure> {
    let (since_us, until_us) = span_us(&args.span)?;
    let reader = setting.reader()?;
    let values = vec![
        ("since_us", since_us.into()),
        ("until_us", until_us.into()),
        ("severity_min", severity_min(args.severity.as_deref())?.into()),
        ("rows_max", i64::from(args.limit).into()),
    ];
    let (schema, rows) = setting.runtime.block_on(reader.ask(Question::Incidents, values))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if setting.output == OutputFormat::Table && rows.iter().all(|batch| batch.num_rows() == 0) {
        writeln!(out, "no incidents: nothing was found that they could be of")?;
    } else {
        render::rows(&mut out, setting.output, &schema, &rows)?;
    }
    Ok(out.flush().map(|()| Ended::Done)?)
}
