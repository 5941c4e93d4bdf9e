//! Arguments of the command that writes a report.

use super::Span;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Where it goes: a file, which is replaced once the report is whole, or - for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) span: Span,
    /// Only findings that are at least this severe: info, low, medium, high or critical.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) severity: Option<String>,
    /// Only about this identity: its id, its name as findings say it, or the beginning of either.
    #[arg(long, value_name = "ID")]
    pub(crate) identity: Option<String>,
    /// At most this many findings with everything that they rest on, the most severe first; all are
    /// counted.
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
}
