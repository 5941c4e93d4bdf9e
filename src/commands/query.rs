//! `habitus query`: SQL over the store.

use super::{Ended, Failure, Setting};
use crate::cli::Query;
use crate::render;
use std::io::Write as _;
use store::Store;

/// Runs a query and prints its rows.
pub(crate) fn run(setting: &Setting, args: &Query) -> Result<Ended, Failure> {
    print(setting, &args.sql)
}

/// Runs `sql` over the store and prints the rows.
pub(crate) fn print(setting: &Setting, sql: &str) -> Result<Ended, Failure> {
    let server = setting.server()?;
    let answer = setting.runtime.block_on(async {
        match server {
            Some(server) => server.query(sql).await,
            None => Store::open(&setting.store).await?.query(sql).await,
        }
    });
    let (schema, batches) = answer?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    render::rows(&mut out, setting.output, &schema, &batches)?;
    out.flush()?;
    Ok(Ended::Done)
}
