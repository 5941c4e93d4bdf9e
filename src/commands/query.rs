//! `habitus query`: SQL over the store.

use super::{Ended, Failure, Setting};
use crate::cli::Query;
use crate::render;
use std::io::Write as _;

/// Runs a query and prints its rows.
pub(crate) fn run(setting: &Setting, args: &Query) -> Result<Ended, Failure> {
    let (schema, batches) = setting.runtime.block_on(setting.reader()?.query(&args.sql))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    render::rows(&mut out, setting.output, &schema, &batches)?;
    out.flush()?;
    Ok(Ended::Done)
}
