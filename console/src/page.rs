//! The frame that every page has: title, ways to the other pages, the place where the content begins.

use crate::ask::AskError;
use crate::words;
use axum::Extension;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Bytes of a page; what is shown is cut long before.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Rows of a list that stand open where other things follow it; what is beyond them is folded.
pub(crate) const OPEN_MAX: usize = 10;

/// A page, or why there is none.
pub(crate) type Shown = Result<Html<String>, Problem>;

/// Why there is no page, as one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    /// What stands below the text: markup.
    below: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, title: &'static str, text: &str) -> Self {
        Self { status, title, text: text.to_owned(), below: String::new() }
    }

    /// The same with something below it, such as the form that was sent.
    pub(crate) fn above(mut self, below: Markup) -> Self {
        self.below = below.into_string();
        self
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let status = match error {
            AskError::Slow => StatusCode::GATEWAY_TIMEOUT,
            AskError::Store(_) | AskError::Refused(_) | AskError::Odd(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, "The store gives no answer", &error.to_string())
    }
}

/// Without its page: only the guard, which every answer passes, knows who looks; see [`drawn`].
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Extension(self), Html("")).into_response()
    }
}

/// An answer as it is sent: that of a problem gets its page, in the frame of whoever looks.
pub(crate) fn drawn(mut response: Response, visitor: &Visitor) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let body = html! { (notice(&problem.text)) (PreEscaped(problem.below)) };
    let page = frame(problem.title, Here::Elsewhere, visitor, &body);
    *response.body_mut() = Body::from(page.into_string());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// Where links on a part of a page lead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Links {
    /// To other pages of the console.
    Console,
    /// Nowhere: the part stands in a file.
    None,
}

impl Links {
    /// A text that leads to a finding's page where there is one.
    pub(crate) fn finding(self, id: &str, content: &Markup) -> Markup {
        match self {
            Self::Console => html! {
                a href={ "/findings/" (words::encoded(id)) } data-testid="finding-link" { (content) }
            },
            Self::None => content.clone(),
        }
    }

    /// The name of an identity, which leads to its page where there is one; its id where it has none.
    pub(crate) fn identity(self, tenant: &str, id: &str, name: &str) -> Markup {
        let shown = words::short(if name.is_empty() { id } else { name }, words::NAME_CHARS_MAX);
        match self {
            Self::Console if !id.is_empty() => html! {
                a href=(identity_address(tenant, id)) data-testid="identity-link"
                    title=[(!name.is_empty()).then(|| words::short(id, words::NAME_CHARS_MAX))] {
                    (shown)
                }
            },
            _ => html! { (shown) },
        }
    }

    /// The beginning of an incident's id, which leads to its page where there is one.
    pub(crate) fn incident(self, id: &str) -> Markup {
        match self {
            Self::Console => html! {
                a href={ "/incidents/" (words::encoded(id)) } { (words::id(id)) }
            },
            Self::None => html! { (words::id(id)) },
        }
    }
}

/// Where an identity's page is.
pub(crate) fn identity_address(tenant: &str, id: &str) -> String {
    format!("/identity?tenant={}&id={}", words::encoded(tenant), words::encoded(id))
}

/// Who looks at a page, as far as its frame differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Visitor {
    /// Whoever it is: no token is wanted.
    Anyone,
    /// Somebody with a session, and the mark of the form that ends it.
    Signed(String),
    /// Somebody who has still to type the token: the other pages would only lead back.
    Stranger,
}

/// Which of the pages in the list of pages this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Here {
    Findings,
    Incidents,
    Identities,
    Coverage,
    Sql,
    /// None of them.
    Elsewhere,
}

/// The list of pages.
const PAGES: [(Here, &str, &str); 5] = [
    (Here::Findings, "/", "Findings"),
    (Here::Incidents, "/incidents", "Incidents"),
    (Here::Identities, "/identities", "Identities"),
    (Here::Coverage, "/coverage", "Coverage"),
    (Here::Sql, "/sql", "SQL"),
];

/// A whole page: `title` is its heading too.
pub(crate) fn frame(title: &str, here: Here, visitor: &Visitor, body: &Markup) -> Markup {
    let title = words::short(title, words::NAME_CHARS_MAX);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Habitus" }
                link rel="icon" href="/static/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/static/style.css";
                script src="/static/console.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.top {
                    p.brand { a href="/" { "Habitus" } }
                    @if *visitor != Visitor::Stranger { (pages(here)) }
                    @if let Visitor::Signed(mark) = visitor { (leaving(mark)) }
                }
                main #content tabindex="-1" {
                    h1 { (title) }
                    (body)
                }
                footer { p { "All times are in UTC." } }
            }
        }
    }
}

/// The list of pages, as links.
fn pages(here: Here) -> Markup {
    html! {
        nav aria-label="Pages" {
            ul {
                @for (page, address, name) in PAGES {
                    li {
                        a href=(address) aria-current=[(page == here).then_some("page")] { (name) }
                    }
                }
            }
        }
    }
}

/// What ends a session.
fn leaving(mark: &str) -> Markup {
    html! {
        form.leave method="post" action="/logout" {
            input type="hidden" name="csrf" value=(mark);
            button type="submit" data-testid="sign-out" { "Sign out" }
        }
    }
}

/// A whole page, as long as it is one that a browser should be given.
pub(crate) fn whole(title: &str, here: Here, visitor: &Visitor, body: &Markup) -> Shown {
    let page = frame(title, here, visitor, body).into_string();
    if page.len() > PAGE_BYTES_MAX {
        let text = format!("The page has {} bytes, and at most {PAGE_BYTES_MAX}.", page.len());
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Too long a page", &text));
    }
    Ok(Html(page))
}

/// The heading of a part of a page; in a file it stands below that of the finding.
pub(crate) fn heading(links: Links, text: &str) -> Markup {
    match links {
        Links::Console => html! { h2 { (text) } },
        Links::None => html! { h4 { (text) } },
    }
}

/// What there is to say instead of rows.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty data-testid="empty" { (words::whole(text)) } }
}

/// What was done, or what is wrong.
pub(crate) fn notice(text: &str) -> Markup {
    html! { p.notice role="status" data-testid="notice" { (words::whole(text)) } }
}

/// A severity as a word with its colour.
pub(crate) fn severity(name: &str) -> Markup {
    // The name becomes a class only if it is one of those that there are.
    let class = model::Severity::from_name(name).map_or("none", model::Severity::as_str);
    html! { span class={ "severity severity-" (class) } { (words::short(name, words::ID_CHARS)) } }
}

/// A list of what things are called and what they are; what is empty is left out.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts.iter().filter(|(_, value)| !value.0.is_empty()) {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// A part that whoever wants it opens; how much it is stands on it.
pub(crate) fn folded(summary: &str, is_open: bool, part: &Markup) -> Markup {
    html! { details open[is_open] { summary { (words::whole(summary)) } (part) } }
}

/// A table that scrolls by itself where it is wider than the page; reachable with the keyboard.
pub(crate) fn scrolled(name: &str, table: &Markup) -> Markup {
    html! { div.scrolled tabindex="0" role="region" aria-label=(name) { (table) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an attacker may be called.
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}'";

    #[test]
    fn a_hostile_name_is_text_wherever_it_stands() {
        let body = html! {
            (Links::Console.identity(HOSTILE, HOSTILE, ""))
            (Links::Console.finding(HOSTILE, &html! { (HOSTILE) }))
            (Links::Console.incident(HOSTILE))
            (empty(HOSTILE)) (notice(HOSTILE)) (severity(HOSTILE))
            (scrolled(HOSTILE, &html! { (HOSTILE) })) (folded(HOSTILE, true, &html! { (HOSTILE) }))
        };
        let visitor = Visitor::Signed(HOSTILE.to_owned());
        let page = frame(HOSTILE, Here::Elsewhere, &visitor, &body).into_string();
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }

    #[test]
    fn an_identity_is_called_by_its_name_and_leads_to_its_id() {
        let named = Links::Console.identity("t", "4ac1", "sales-022").into_string();
        assert!(named.contains("id=4ac1") && named.contains("title=\"4ac1\""), "{named}");
        assert!(named.contains(">sales-022</a>"), "{named}");
        let other = Links::Console.identity("t", "4ac1", "").into_string();
        assert!(other.contains(">4ac1</a>") && !other.contains("title"), "{other}");
    }

    #[test]
    fn one_page_is_the_one_that_is_shown() {
        let page = frame("Findings", Here::Findings, &Visitor::Anyone, &html! {}).into_string();
        assert_eq!(page.matches("aria-current").count(), 1, "{page}");
        assert!(page.contains("<a href=\"/\" aria-current=\"page\">Findings</a>"), "{page}");
        assert!(page.contains("<title>Findings · Habitus</title>"), "{page}");
    }

    #[test]
    fn whoever_has_signed_in_can_leave_and_nobody_else() {
        let check = |visitor: &Visitor, has_pages: bool, has_button: bool| {
            let page = frame("Findings", Here::Findings, visitor, &html! {}).into_string();
            assert_eq!(page.contains("<nav"), has_pages, "{page}");
            assert_eq!(page.contains("data-testid=\"sign-out\""), has_button, "{page}");
        };
        check(&Visitor::Anyone, true, false);
        check(&Visitor::Stranger, false, false);
        check(&Visitor::Signed("mark".to_owned()), true, true);
    }

    #[tokio::test]
    async fn a_problem_has_the_frame_of_whoever_meets_it() {
        for (visitor, has_pages, has_button) in [
            (Visitor::Anyone, true, false),
            (Visitor::Stranger, false, false),
            (Visitor::Signed("mark".to_owned()), true, true),
        ] {
            let problem = Problem::new(StatusCode::NOT_FOUND, "No such page", "It is <nowhere>.");
            let problem = problem.above(html! { p { "below" } });
            let answer = drawn(problem.into_response(), &visitor);
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            let kind = answer.headers().get("content-type").unwrap().to_str().unwrap();
            assert!(kind.starts_with("text/html"), "{kind}");
            let bytes = axum::body::to_bytes(answer.into_body(), PAGE_BYTES_MAX).await.unwrap();
            let page = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(page.contains("It is &lt;nowhere&gt;.") && page.contains("<p>below</p>"));
            assert_eq!(page.contains("<nav"), has_pages, "{page}");
            assert_eq!(page.contains("data-testid=\"sign-out\""), has_button, "{page}");
        }
    }

    #[test]
    fn a_fact_that_is_not_known_is_left_out() {
        let shown = facts(&[("a", html! { "1" }), ("b", html! {})]).into_string();
        assert_eq!(shown, "<dl class=\"facts\"><div><dt>a</dt><dd>1</dd></div></dl>");
    }
}
