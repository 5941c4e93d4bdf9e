//! Where the token is typed, on a console that others can reach.

use crate::guard::{Denied, Session, Way};
use crate::page::{self, Here, Problem, Shown};
use crate::server::{Console, Shared};
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;
use std::future::{Ready, ready};

/// The form as it was sent.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    token: String,
    csrf: String,
}

/// The page.
pub(crate) fn page(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
) -> Ready<Shown> {
    ready(drawn(&console, &session))
}

fn drawn(console: &Console, session: &Session) -> Shown {
    if !console.guard.wants_token() {
        return page::whole(
            "Sign in",
            Here::Elsewhere,
            &html! { p { "No token is needed here." } },
        );
    }
    let body = html! {
        form.login method="post" action="/login" {
            input type="hidden" name="csrf" value=(console.guard.form_mark(session));
            div.field.wide {
                label for="token" { "Token" }
                input #token name="token" type="password" required autocomplete="current-password";
            }
            button type="submit" { "Sign in" }
        }
        p { "It stands in the file that --token-file names." }
    };
    page::whole("Sign in", Here::Elsewhere, &body)
}

/// Gives a session to whoever has the token.
pub(crate) fn open(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(way): Extension<Way>,
    Form(sent): Form<Sent>,
) -> Ready<Result<Response, Problem>> {
    ready(entered(&console, &session, way, &sent))
}

fn entered(
    console: &Console,
    session: &Session,
    way: Way,
    sent: &Sent,
) -> Result<Response, Problem> {
    let refused = |status, text| Problem::new(status, "Not signed in", text);
    if !console.guard.is_marked(session, &sent.csrf) {
        let text = "The form is from before the console's last start: open /login again.";
        return Err(refused(StatusCode::FORBIDDEN, text));
    }
    match console.guard.open(&sent.token, console.commands.now()) {
        Ok(cookie) => {
            // Once it came on an encrypted way it is sent on no other.
            let cookie = if way.is_encrypted { format!("{cookie}; Secure") } else { cookie };
            Ok(([(SET_COOKIE, cookie)], Redirect::to("/")).into_response())
        }
        Err(Denied::Wrong) => {
            Err(refused(StatusCode::UNAUTHORIZED, "This is not the token: go back and try again."))
        }
        Err(Denied::TooOften) => {
            let text = "Too many wrong tokens were typed: try again in a minute.";
            Err(refused(StatusCode::TOO_MANY_REQUESTS, text))
        }
    }
}
