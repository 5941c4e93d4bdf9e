//! The console: pages over a store, drawn by the server.
//!
//! * [`bind`] and [`Bound::serve`] — an HTTP server with limits on everything.
//! * `guard` — who may ask: the host, the origin, the token, the form's mark, the headers of an answer.
//! * `ask` — questions to the store, their answers as texts, and how long they may take.
//! * `ids` — which finding or incident is meant by what somebody typed.
//! * `page` — the frame that every page has; `words` — numbers, times and hostile texts as people read them.
//! * `findings`, `finding`, `incidents`, `identities`, `identity`, `coverage`, `sql`, `verdict`, `login` — the pages.
//! * `chart` — charts as SVG; [`report()`] — the same in one file, without a server.
//!
//! What a page shows of one finding is [`finding::body`], of one identity [`identity::body`], and a table
//! of findings [`findings::table`]: they take rows and say where links lead ([`page::Links`]), so that a
//! report can show the same without a server.
//!
//! Everything that comes out of a store may have been written by an attacker: it reaches a page only
//! through maud, which escapes it, and [`words::plain`], which takes out what is not seen.
//!
//! Nothing here reads a clock, the environment or a source of entropy: [`Commands`] and [`Settings`]
//! bring them.

mod ask;
mod chart;
mod coverage;
mod finding;
mod findings;
mod guard;
mod identities;
mod identity;
mod ids;
mod incidents;
mod login;
mod page;
mod report;
mod server;
mod sql;
mod verdict;
mod words;

pub use report::{Report, ReportError, Selection, report};
pub use server::{Bound, ServeError, Settings, bind};

use model::Time;
use std::pin::Pin;
use store::Answer;

/// What the console does as the commands of the same names do it.
///
/// Each may take as long as the store does, so none is called where others wait; but a question in SQL
/// is waited for as others are.
pub trait Commands: std::fmt::Debug + Send + Sync + 'static {
    /// The time of the machine.
    fn now(&self) -> Time;

    /// The instant that a person writes, as for `--since`.
    fn instant(&self, typed: &str) -> Option<Time>;

    /// Says what a finding is, as `habitus feedback` does.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words for whoever typed it.
    fn judge(&self, judgement: &Judgement) -> Result<(), String>;

    /// Answers a question in SQL that somebody typed; the engine refuses whatever would change something.
    /// It ends, with all that it takes, once nobody waits for it.
    fn query(&self, sql: String) -> Asking;

    /// Which operations an identity used of those that its peers use, as `habitus privileges` says it.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    fn privileges(&self, tenant_id: &str, principal_id: &str) -> Result<Privileges, String>;
}

/// An answer that is waited for, or why there is none, in words for whoever typed the question.
pub type Asking = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send>>;

/// What somebody says of a finding, as it was typed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// The finding's id; to withdraw, also that of one row of feedback.
    pub finding_id: String,
    /// `benign`, `malicious` or `withdraw`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// The name of a [`store::Scope`]; empty for this finding only.
    pub scope: String,
    /// Until when benign holds; empty for good.
    pub until: String,
}

/// What an identity used of what its peers use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Privileges {
    /// All of it in one sentence.
    pub sentence: String,
    /// The operations that it called or that its peers use, the most called first.
    pub operations: Vec<Operation>,
    /// Operations that there are besides these.
    pub left_out: u64,
}

/// One operation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// Days on which it was called.
    pub days: u64,
    /// Calls.
    pub calls: u64,
    /// Of these the ones that were not refused.
    pub accepted: u64,
    /// The last day; empty if it was never called.
    pub last_day: String,
    /// Peers that use it.
    pub peers: u64,
}
