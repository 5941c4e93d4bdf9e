//! Where the token is typed, on a console that others can reach, and where whoever typed it leaves.

use crate::guard::{Denied, Session, Way};
use crate::page::{self, Here, Problem, Shown, Visitor};
use crate::server::{Console, Shared};
use crate::words;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;
use std::future::{Ready, ready};

/// Bytes of an address that is kept until whoever asked for it has signed in.
const WANTED_BYTES_MAX: usize = 1_024;
/// Where the form is.
const FORM: &str = "/login";
/// What `done` is after somebody has left.
const LEFT: &str = "left";

/// What the address of the form says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Before {
    /// The page that was asked for.
    to: String,
    done: String,
}

/// The form as it was sent.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    token: String,
    to: String,
    csrf: String,
}

/// The form of whoever leaves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Leaving {
    csrf: String,
}

/// The form's address for whoever asked for another.
pub(crate) fn address(asked_for: &str) -> String {
    let to = wanted(asked_for).filter(|it| *it != "/").unwrap_or_default();
    format!("{FORM}{}", words::query(&[("to", to)]))
}

/// The page of this console that an address means; none where it could mean anything else to a browser.
fn wanted(typed: &str) -> Option<&str> {
    let (path, query) = typed.split_once('?').unwrap_or((typed, ""));
    // No page has a dot or a percent sign in its path: so nothing in it leads up, or is read otherwise
    // by a browser than here.
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'/' | b'-' | b'_');
    let is_path = path.starts_with('/') && !path.contains("//") && path.bytes().all(is_plain);
    let is_query = query.bytes().all(|it| it.is_ascii_graphic() && !matches!(it, b'\\' | b'#'));
    if typed.len() > WANTED_BYTES_MAX || !is_path || !is_query {
        return None;
    }
    match path {
        FORM | "/logout" => None,
        // SQL is run for whoever typed it, and anybody can write a link to the form.
        "/sql" => Some(path),
        _ => Some(typed),
    }
}

/// The page.
pub(crate) fn page(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(visitor): Extension<Visitor>,
    Query(before): Query<Before>,
) -> Ready<Shown> {
    let said = (before.done == LEFT).then_some("You are signed out.");
    ready(drawn(&console, &session, &visitor, &before.to, said))
}

/// The form, below what there is to say.
fn drawn(
    console: &Console,
    session: &Session,
    visitor: &Visitor,
    to: &str,
    said: Option<&str>,
) -> Shown {
    if !console.guard.wants_token() {
        let body = html! { p { "No token is needed here." } };
        return page::whole("Sign in", Here::Elsewhere, visitor, &body);
    }
    let body = html! {
        @if let Some(text) = said { (page::notice(text)) }
        form.login method="post" action=(FORM) {
            input type="hidden" name="csrf" value=(console.guard.form_mark(session));
            @if let Some(to) = wanted(to) { input type="hidden" name="to" value=(to); }
            div.field.wide {
                label for="token" { "Token" }
                input #token name="token" type="password" required autocomplete="current-password";
            }
            button type="submit" { "Sign in" }
        }
        p { "It stands in the file that --token-file names." }
    };
    page::whole("Sign in", Here::Elsewhere, visitor, &body)
}

/// Gives a session to whoever has the token.
pub(crate) fn open(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(visitor): Extension<Visitor>,
    Extension(way): Extension<Way>,
    Form(sent): Form<Sent>,
) -> Ready<Response> {
    ready(entered(&console, &session, &visitor, way, &sent))
}

fn entered(
    console: &Console,
    session: &Session,
    visitor: &Visitor,
    way: Way,
    sent: &Sent,
) -> Response {
    let again = |status: StatusCode, text: &str| {
        (status, drawn(console, session, visitor, &sent.to, Some(text))).into_response()
    };
    if !console.guard.is_marked(session, &sent.csrf) {
        let text = "The form is from before the console's last start, or from before somebody signed in \
                    in this browser: type the token again.";
        return again(StatusCode::FORBIDDEN, text);
    }
    match console.guard.open(&sent.token, console.commands.now()) {
        Ok(cookie) => {
            let to = wanted(&sent.to).unwrap_or("/");
            ([(SET_COOKIE, on_its_way(cookie, way))], Redirect::to(to)).into_response()
        }
        Err(Denied::Wrong) => {
            again(StatusCode::UNAUTHORIZED, "This is not the token: type it again.")
        }
        Err(Denied::TooOften) => {
            let text = "Too many wrong tokens were typed: try again in a minute.";
            again(StatusCode::TOO_MANY_REQUESTS, text)
        }
    }
}

/// Ends the session of whoever leaves.
pub(crate) fn close(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(way): Extension<Way>,
    Form(leaving): Form<Leaving>,
) -> Ready<Result<Response, Problem>> {
    ready(left(&console, &session, way, &leaving))
}

fn left(
    console: &Console,
    session: &Session,
    way: Way,
    leaving: &Leaving,
) -> Result<Response, Problem> {
    if !console.guard.is_marked(session, &leaving.csrf) {
        let text = "The form is not from this console, or from before its last start: open a page of \
                    the console, and sign out there.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Still signed in", text));
    }
    let cookie = on_its_way(console.guard.close(session, console.commands.now()), way);
    let there = format!("{FORM}?done={LEFT}");
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&there)).into_response())
}

/// A cookie that came on an encrypted way once is sent on no other.
fn on_its_way(cookie: String, way: Way) -> String {
    if way.is_encrypted { format!("{cookie}; Secure") } else { cookie }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_where_it_leads_to_a_page_of_the_console_and_nowhere_else() {
        for kept in [
            "/",
            "/incidents",
            "/findings/00ab-12",
            "/?severity=high&identity=a%20b",
            "/identity?tenant=default&id=%3Cscript%3E//x..",
            "/sql",
        ] {
            assert_eq!(wanted(kept), Some(kept));
        }
        let long = format!("/?identity={}", "a".repeat(WANTED_BYTES_MAX));
        for other in [
            "",
            "incidents",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/incidents//evil.example",
            "/../sql?q=SELECT+1",
            "/./sql?q=SELECT+1",
            "/%2e/sql?q=SELECT+1",
            "/%73ql?q=SELECT+1",
            "/a\r\nset-cookie: x=1",
            "/\t/evil.example",
            "/?a=\u{7f}",
            "/?a=\u{e9}",
            "/?a=b c",
            "/?a=\\",
            "/#q",
            "/login?to=/",
            "/logout",
            &long,
        ] {
            assert_eq!(wanted(other), None, "{other}");
        }
        assert_eq!(wanted("/sql?q=SELECT+1"), Some("/sql"), "nobody has typed it here");
    }

    #[test]
    fn the_form_knows_which_page_was_asked_for() {
        assert_eq!(address("/findings/00ab?x=1"), "/login?to=%2Ffindings%2F00ab%3Fx%3D1");
        assert_eq!(address("/"), "/login");
        assert_eq!(address("//evil.example"), "/login");
    }
}
