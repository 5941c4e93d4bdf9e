//! Arguments of the commands that say what is learned.

use clap::{Args, Subcommand};

/// Arguments of `baseline`.
#[derive(Args, Debug)]
pub(crate) struct Baseline {
    /// What is to be done.
    #[command(subcommand)]
    pub(crate) action: BaselineAction,
}

/// Whose baseline.
#[derive(Args, Clone, Debug)]
pub(crate) struct Whose {
    /// The principal's id, its name as findings say it, or the beginning of either.
    #[arg(value_name = "PRINCIPAL")]
    pub(crate) id: String,
    /// How long the service is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u32,
}

/// What can be done with a baseline.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BaselineAction {
    /// Learn nothing of it any more.
    Freeze(Whose),
    /// Learn of it again.
    Thaw(Whose),
    /// Begin anew, as if it were seen for the first time.
    Reset(Whose),
    /// Go back to what was known before a time; of each of the last seven days one state is kept.
    Rollback {
        /// Whose.
        #[command(flatten)]
        whose: Whose,
        /// The time, written as in `findings --since`.
        #[arg(long, value_name = "TIME")]
        to: String,
    },
}

/// Arguments of `change-window`.
#[derive(Args, Debug)]
pub(crate) struct ChangeWindows {
    /// What is to be done.
    #[command(subcommand)]
    pub(crate) action: ChangeWindowsAction,
}

/// What can be done with change windows.
#[derive(Debug, Subcommand)]
pub(crate) enum ChangeWindowsAction {
    /// Announce a change; prints its id.
    Add(Announce),
    /// List them.
    List,
    /// Take one back.
    Remove {
        /// Its id, as `list` shows it.
        id: String,
    },
}

/// A change that is announced.
#[derive(Args, Debug)]
pub(crate) struct Announce {
    /// From this time on, written as in `findings --since`.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// Before this one.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Only identities whose id or name is like this, `*` standing for anything; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) identity: Vec<String>,
    /// Only hours with a call to an endpoint like this, such as `GET /export*`; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) endpoint: Vec<String>,
}
