//! What may be typed about formats: how a file would be read, and what its log says.

use clap::{Args, Subcommand};

/// Arguments of `formats`.
#[derive(Args, Debug)]
pub(crate) struct Formats {
    /// What to do with them [default: list them].
    #[command(subcommand)]
    pub(crate) action: Option<FormatsAction>,
}

/// What can be done with formats.
#[derive(Debug, Subcommand)]
pub(crate) enum FormatsAction {
    /// Say how a file would be read, and why so: what its records are wrapped in, which format they
    /// have, where each of their fields goes, and what is not read. JSON with --output json or ndjson.
    Explain {
        /// One file, or - for standard input.
        file: String,
        /// The file's format [default: recognised].
        #[arg(long, value_name = "NAME")]
        format: Option<String>,
    },
}

/// Arguments of `coverage`.
#[derive(Args, Debug)]
pub(crate) struct Coverage {
    /// Files, globs, directories, or - for standard input; .gz and .zst are unpacked.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The logs' format [default: recognised from each file; see `habitus formats`].
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
}
