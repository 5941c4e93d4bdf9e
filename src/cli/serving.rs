//! Arguments of the command that shows the store in a browser.

use clap::Args;
use std::path::PathBuf;

/// Where the console listens if nothing else is said.
const LISTEN: &str = "127.0.0.1:8484";

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The address and the port; port 0 is any that is free.
    #[arg(long, alias = "bind", value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: String,
    /// File with the token that whoever opens the console has to type, 16 characters or more; needed
    /// where others can reach the address.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}
