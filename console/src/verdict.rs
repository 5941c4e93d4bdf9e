//! A verdict that somebody gives on a finding's page: kept as `habitus feedback` keeps it.

use crate::Judgement;
use crate::guard::Session;
use crate::ids::Kind;
use crate::page::Problem;
use crate::server::Shared;
use crate::words;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use maud::html;
use serde::Deserialize;
use std::sync::Arc;

/// What there is to say, by the names of the buttons.
const VERDICTS: [&str; 3] = ["benign", "malicious", "withdraw"];

/// The form as it was sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    pub(crate) verdict: String,
    pub(crate) reason: String,
    pub(crate) scope: String,
    pub(crate) until: String,
    pub(crate) csrf: String,
}

/// Keeps it, and leads back to the finding.
pub(crate) async fn give(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Redirect, Problem> {
    if !console.guard.is_marked(&session, &sent.csrf) {
        let text = "The form is not from this console, or from before its last start: open the \
                    finding again, and send it from there.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Refused", text));
    }
    if !VERDICTS.contains(&sent.verdict.as_str()) {
        return Err(wrong("The verdict is benign, malicious or withdraw."));
    }
    let rows = crate::finding::find(&console, &id).await?;
    let row = Kind::Finding.chosen(&rows, &id)?;
    let id = row.text("finding_id");
    let there = format!("/findings/{}", words::encoded(id));
    // What was typed is in the form still: only what is wrong needs another word.
    let again = html! {
        (crate::finding::form(row, &console.guard.form_mark(&session), &sent))
        p { a href=(there) data-testid="back" { "Back to the finding" } }
    };
    let back = format!("/findings/{}?done={}", words::encoded(id), sent.verdict);
    // What covers the finding may have been said of another.
    let of = if sent.verdict == "withdraw" { crate::finding::withdrawn_id(row) } else { id };
    let judgement = Judgement { finding_id: of.to_owned(), ..judgement(sent) };
    let commands = Arc::clone(&console.commands);
    // A store is waited for while another writes to it: not where others are served.
    let kept = tokio::task::spawn_blocking(move || commands.judge(&judgement)).await;
    match kept {
        Ok(Ok(())) => Ok(Redirect::to(&back)),
        Ok(Err(why)) => Err(wrong(&why).above(again)),
        Err(error) => {
            let title = "The verdict was not kept";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, title, &error.to_string()))
        }
    }
}

/// What holds only of benign is left out of the others: the form is one for all of them.
fn judgement(sent: Sent) -> Judgement {
    let is_benign = sent.verdict == "benign";
    let is_withdrawn = sent.verdict == "withdraw";
    Judgement {
        finding_id: String::new(),
        scope: if is_withdrawn { String::new() } else { sent.scope },
        until: if is_benign { sent.until.trim().to_owned() } else { String::new() },
        verdict: sent.verdict,
        reason: sent.reason,
    }
}

fn wrong(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "The verdict was not kept", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_of_benign_is_left_out_of_the_others() {
        let sent = |verdict: &str| Sent {
            verdict: verdict.into(),
            reason: "why".into(),
            scope: "pattern".into(),
            until: " 30d ".into(),
            csrf: String::new(),
        };
        let of = |verdict: &str| {
            let it = judgement(sent(verdict));
            (it.scope, it.until)
        };
        assert_eq!(of("benign"), ("pattern".into(), "30d".into()));
        assert_eq!(of("malicious"), ("pattern".into(), String::new()));
        assert_eq!(of("withdraw"), (String::new(), String::new()));
    }
}
