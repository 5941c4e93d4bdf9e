//! Who may ask: the host that is named, where a request comes from, the token, and the mark of a form.
//!
//! A console on this machine alone is open to whoever works there, and so to every page that a browser
//! shows there. What such a page could do is refused: it names another host once its own name leads
//! here, it is another site, and it knows no mark of our forms. A console that others reach wants a
//! token as well, which is typed once and gives a session.

use crate::login;
use crate::page::{self, Problem, Visitor};
use crate::server::{HEAD_BYTES_MAX, Shared};
use axum::extract::{Request, State};
use axum::http::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Time;
use model::time::NS_PER_S;
use ring::hmac;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How long a session lasts, in seconds.
const SESSION_S: i64 = 12 * 3_600;
/// Sessions that are remembered as ended before their time.
const ENDED_MAX: usize = 1_000;
/// Wrong tokens that may be typed in a while, by all who try.
const WRONG_MAX: usize = 5;
/// How long a wrong token counts.
const WRONG_TIME: Duration = Duration::from_mins(1);
/// Characters of a token at least: too many to guess at five a minute.
pub(crate) const TOKEN_CHARS_MIN: usize = 16;
/// What stands for the session where none is needed.
const OPEN: &str = "open";
/// What a page may load and where its forms may lead: nothing but what is ours, and no text in a page
/// is a script.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The headers of every answer.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// What decides who may ask.
#[derive(Debug)]
pub(crate) struct Guard {
    key: hmac::Key,
    /// The token as the key signs it; none where none is needed.
    token: Option<hmac::Tag>,
    /// Whether only the names of this machine are answered.
    is_local: bool,
    cookie: String,
    /// The number of the next session.
    next: AtomicU64,
    ended: watch::Sender<Ended>,
    /// Wrong tokens that may still be typed.
    tries: Arc<Semaphore>,
    /// How long one counts.
    wrong_time: Duration,
}

/// Sessions that somebody ended before their time.
#[derive(Debug, Default)]
struct Ended {
    /// Their ends in seconds, and their numbers.
    some: BTreeSet<(i64, u64)>,
    /// All with a smaller number are over.
    first_left: u64,
}

impl Ended {
    fn has(&self, session: (i64, u64)) -> bool {
        session.1 < self.first_left || self.some.contains(&session)
    }

    fn add(&mut self, session: (i64, u64), now_s: i64) {
        self.some.retain(|(ends, _)| *ends > now_s);
        self.some.insert(session);
        if self.some.len() > ENDED_MAX {
            // Rather all type the token again than that one who has left is let in.
            let last = self.some.iter().map(|(_, number)| *number).max().unwrap_or_default();
            self.first_left = self.first_left.max(last + 1);
            self.some.clear();
        }
    }
}

/// Who asks: what the marks of forms hang on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Session(String);

/// How a request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Way {
    /// Whether nobody on the way can read it, as far as it shows.
    pub(crate) is_encrypted: bool,
}

/// Why a token gives no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Denied {
    Wrong,
    TooOften,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    is_reading: bool,
    path: &'a str,
    has_query: bool,
    host: Option<&'a str>,
    origin: Option<&'a str>,
    /// How the page that asks stands to us, as the browser says it.
    site: Option<&'a str>,
    /// Whether it is a page that is opened or a part of one, as the browser says it.
    mode: Option<&'a str>,
}

impl Guard {
    /// Signs with `secret`: 32 random bytes, new at every start.
    pub(crate) fn new(secret: &[u8; 32], token: Option<&str>, bound: SocketAddr) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = token.map(|it| hmac::sign(&key, &message("token", it)));
        Self {
            key,
            token: tag,
            // Where a token is wanted, a name that leads here by a trick has no session, and a proxy on
            // this machine may have any name.
            is_local: bound.ip().is_loopback() && token.is_none(),
            // A browser sends a cookie to all ports of a host.
            cookie: format!("habitus_{}", bound.port()),
            next: AtomicU64::new(0),
            ended: watch::Sender::new(Ended::default()),
            tries: Arc::new(Semaphore::new(WRONG_MAX)),
            wrong_time: WRONG_TIME,
        }
    }

    /// Whether a token is wanted.
    pub(crate) const fn wants_token(&self) -> bool {
        self.token.is_some()
    }

    /// The mark that a form of this session has.
    pub(crate) fn form_mark(&self, session: &Session) -> String {
        self.signed("form", &session.0)
    }

    /// Whether a form has the mark of this session.
    pub(crate) fn is_marked(&self, session: &Session, mark: &str) -> bool {
        self.is_signed("form", &session.0, mark)
    }

    /// A cookie with a session, for whoever has the token.
    pub(crate) fn open(&self, typed: &str, now: Time) -> Result<String, Denied> {
        let Ok(place) = Arc::clone(&self.tries).try_acquire_owned() else {
            return Err(Denied::TooOften);
        };
        let tag = self.token.as_ref().ok_or(Denied::Wrong)?;
        if hmac::verify(&self.key, &message("token", typed), tag.as_ref()).is_err() {
            let counts = self.wrong_time;
            drop(tokio::spawn(async move {
                tokio::time::sleep(counts).await;
                drop(place);
            }));
            return Err(Denied::Wrong);
        }
        let ends = seconds(now) + SESSION_S;
        // Two that begin in one second are two: one ends without the other.
        let of = format!("{ends}.{}", self.next.fetch_add(1, Ordering::Relaxed));
        let value = format!("{of}.{}", self.signed("session", &of));
        let name = &self.cookie;
        Ok(format!("{name}={value}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict"))
    }

    /// Ends a session, also where its cookie was copied; the cookie that takes the place of its own.
    pub(crate) fn close(&self, session: &Session, now: Time) -> String {
        if let Some((it, _, _)) = parts(&session.0) {
            self.ended.send_modify(|ended| ended.add(it, seconds(now)));
        }
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", self.cookie)
    }

    /// Who looks, where the request has this session.
    fn visitor(&self, session: &Session) -> Visitor {
        if self.wants_token() { Visitor::Signed(self.form_mark(session)) } else { Visitor::Anyone }
    }

    /// The session of a request, if it has one or needs none.
    fn session(&self, headers: &HeaderMap, now: Time) -> Option<Session> {
        if self.token.is_none() {
            return Some(Session(OPEN.to_owned()));
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
        let mut values = cookies.flat_map(|it| it.split(';')).filter_map(|it| {
            it.trim().strip_prefix(self.cookie.as_str()).and_then(|it| it.strip_prefix('='))
        });
        let is_ours = |value: &&str| {
            let Some((it, of, mark)) = parts(value) else { return false };
            let is_over = it.0 <= seconds(now) || self.ended.borrow().has(it);
            self.is_signed("session", of, mark) && !is_over
        };
        values.find(is_ours).map(|it| Session(it.to_owned()))
    }

    /// Why a request is refused, whoever asks; nothing if it is not.
    fn refusal(&self, asked: &Asked<'_>) -> Option<&'static str> {
        if self.is_local && !asked.host.is_some_and(names_this_machine) {
            return Some(
                "The console listens on this machine only and is asked under another name: open it \
                 as http://localhost or http://127.0.0.1 with its port.",
            );
        }
        let is_ours = match asked.site {
            Some(site) => matches!(site, "same-origin" | "none"),
            // A browser that sends no referrer says of a form only that it is of no origin.
            None => asked.origin.is_none_or(|it| it == "null" || is_of(it, asked.host)),
        };
        if is_ours {
            return None;
        }
        if !asked.is_reading {
            return Some("Another site sent this form: open the console and send it there.");
        }
        if asked.mode != Some("navigate") {
            return Some("Another site asks for a part of the console: open the console itself.");
        }
        (asked.path == "/sql" && asked.has_query).then_some(
            "Another site asks for this SQL to be run: open the SQL page of the console and type it.",
        )
    }

    fn signed(&self, purpose: &str, of: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &message(purpose, of)))
    }

    /// In a time that says nothing of where they differ.
    fn is_signed(&self, purpose: &str, of: &str, mark: &str) -> bool {
        let Ok(mark) = URL_SAFE_NO_PAD.decode(mark) else { return false };
        hmac::verify(&self.key, &message(purpose, of), &mark).is_ok()
    }
}

/// What is signed: a purpose has no space in it, so that no two are signed alike.
fn message(purpose: &str, of: &str) -> Vec<u8> {
    format!("habitus console {purpose} {of}").into_bytes()
}

fn seconds(time: Time) -> i64 {
    time.ns().div_euclid(NS_PER_S)
}

/// What a cookie says of its session: its end in seconds and its number, both as text, and the mark.
fn parts(cookie: &str) -> Option<((i64, u64), &str, &str)> {
    let (of, mark) = cookie.rsplit_once('.')?;
    let (ends, number) = of.split_once('.')?;
    Some(((ends.parse().ok()?, number.parse().ok()?), of, mark))
}

/// Whether a `Host` header names this machine.
fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_loopback = |it: IpAddr| it.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

/// Whether an origin is that of the host.
fn is_of(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|it| host.is_some_and(|host| it.eq_ignore_ascii_case(host)))
}

/// Whether the browser's way here is encrypted, as far as it shows: where its own machine is not asked,
/// a browser says how pages stand to each other on such a way only.
fn is_encrypted(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|it| it.to_str().ok());
    headers.contains_key("sec-fetch-site") && !host.is_some_and(names_this_machine)
}

/// Bytes of a request's head, all but the few of its first line's ends.
fn head_bytes(request: &Request) -> usize {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + "\r\n".len()
    };
    request.uri().to_string().len() + request.headers().iter().map(line).sum::<usize>()
}

/// Whether a path is open to those without a session.
fn is_open(path: &str) -> bool {
    matches!(path, "/login" | "/health") || path.starts_with("/static/")
}

/// Lets a request through to its page, or not; every answer gets its headers here.
pub(crate) async fn guarded(
    State(console): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let guard = &console.guard;
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let asked = Asked {
        is_reading: request.method() == Method::GET || request.method() == Method::HEAD,
        path: request.uri().path(),
        has_query: request.uri().query().is_some_and(|it| !it.is_empty()),
        host: text(HOST.as_str()),
        origin: text(ORIGIN.as_str()),
        site: text("sec-fetch-site"),
        mode: text("sec-fetch-mode"),
    };
    let way = Way { is_encrypted: is_encrypted(headers) };
    let session = guard.session(headers, console.commands.now());
    let visitor = session.as_ref().map_or(Visitor::Stranger, |it| guard.visitor(it));
    // What reads the head looks only every now and then how long it is.
    let response = if head_bytes(&request) > HEAD_BYTES_MAX {
        let text = format!("The head of a request has at most {HEAD_BYTES_MAX} bytes.");
        Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Too long a head", &text)
            .into_response()
    } else if let Some(why) = guard.refusal(&asked) {
        Problem::new(StatusCode::FORBIDDEN, "Refused", why).into_response()
    } else if session.is_some() || is_open(asked.path) {
        let session = session.unwrap_or_else(|| Session(OPEN.to_owned()));
        request.extensions_mut().insert(visitor.clone());
        request.extensions_mut().insert(session);
        request.extensions_mut().insert(way);
        next.run(request).await
    } else if asked.is_reading {
        let asked_for = request.uri().path_and_query().map_or("/", |it| it.as_str());
        Redirect::to(&login::address(asked_for)).into_response()
    } else {
        let why = "The session is over: open /login, and send the form again.";
        Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", why).into_response()
    };
    let mut response = page::drawn(response, &visitor);
    for (name, value) in HEADERS {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a token of many letters";

    fn guard(bound: &str, token: Option<&str>) -> Guard {
        Guard::new(&[7; 32], token, bound.parse().unwrap())
    }

    const READING: Asked<'_> = Asked {
        is_reading: true,
        path: "/",
        has_query: false,
        host: Some("127.0.0.1:8484"),
        origin: None,
        site: None,
        mode: None,
    };

    fn is_let_through(bound: &str, asked: &Asked<'_>) -> bool {
        guard(bound, None).refusal(asked).is_none()
    }

    #[test]
    fn on_this_machine_only_its_own_names_are_answered() {
        for host in
            ["127.0.0.1:8484", "localhost:8484", "LOCALHOST", "[::1]:8484", "127.0.0.1", "[::1]"]
        {
            let asked = Asked { host: Some(host), ..READING };
            assert!(is_let_through("127.0.0.1:8484", &asked), "{host}");
        }
        for host in [
            "attacker.example:8484",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example:80",
            "192.0.2.1:8484",
            "0.0.0.0:8484",
            "",
            "[",
            "[::2]:8484",
        ] {
            let asked = Asked { host: Some(host), ..READING };
            assert!(!is_let_through("127.0.0.1:8484", &asked), "{host}");
            assert!(is_let_through("192.0.2.1:8484", &asked), "elsewhere the token counts");
        }
        assert!(!is_let_through("[::1]:8484", &Asked { host: None, ..READING }));
    }

    #[test]
    fn a_head_is_as_long_as_its_address_and_its_headers() {
        let request = Request::builder().uri("/sql?q=1").header("x-long", "abc");
        let request = request.body(axum::body::Body::empty()).unwrap();
        assert_eq!(head_bytes(&request), "/sql?q=1x-long: abc\r\n".len());
    }

    #[test]
    fn behind_a_proxy_on_this_machine_the_token_counts() {
        let guard = guard("127.0.0.1:8484", Some(TOKEN));
        let asked = Asked { host: Some("habitus.example"), ..READING };
        assert!(guard.refusal(&asked).is_none());
        let form = Asked { is_reading: false, site: Some("cross-site"), ..asked };
        assert!(guard.refusal(&form).is_some());
    }

    #[test]
    fn a_browser_says_how_pages_stand_only_where_nobody_listens() {
        let check = |headers: &[(HeaderName, &'static str)], expected: bool| {
            let headers = headers.iter().cloned();
            let headers: HeaderMap =
                headers.map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
            assert_eq!(is_encrypted(&headers), expected, "{headers:?}");
        };
        let site = HeaderName::from_static("sec-fetch-site");
        check(&[(HOST, "habitus.example"), (site.clone(), "same-origin")], true);
        check(&[(HOST, "habitus.example")], false);
        check(&[(HOST, "127.0.0.1:8484"), (site, "same-origin")], false);
    }

    #[test]
    fn another_site_sends_no_form() {
        let sent = Asked { is_reading: false, path: "/findings/a/verdict", ..READING };
        let check = |site: Option<&str>, origin: Option<&str>, expected: bool| {
            let asked = Asked { site, origin, mode: Some("navigate"), ..sent };
            let found = is_let_through("127.0.0.1:8484", &asked);
            assert_eq!(found, expected, "{site:?} {origin:?}");
        };
        check(Some("same-origin"), Some("null"), true);
        check(Some("same-origin"), None, true);
        check(Some("cross-site"), Some("http://127.0.0.1:8484"), false);
        check(Some("same-site"), None, false);
        check(None, None, true);
        check(None, Some("http://127.0.0.1:8484"), true);
        check(None, Some("null"), true);
        check(None, Some("http://127.0.0.1:3000"), false);
        check(None, Some("https://attacker.example"), false);
        check(None, Some("127.0.0.1:8484"), false);
    }

    #[test]
    fn another_site_may_link_here_but_neither_embed_nor_run_anything() {
        let linked = Asked { site: Some("cross-site"), mode: Some("navigate"), ..READING };
        assert!(is_let_through("127.0.0.1:8484", &linked));
        for mode in [Some("no-cors"), Some("cors"), Some("websocket"), None] {
            assert!(!is_let_through("127.0.0.1:8484", &Asked { mode, ..linked }), "{mode:?}");
        }
        let sql = Asked { path: "/sql", ..linked };
        assert!(is_let_through("127.0.0.1:8484", &sql));
        assert!(!is_let_through("127.0.0.1:8484", &Asked { has_query: true, ..sql }));
        let typed = Asked { has_query: true, site: Some("none"), ..sql };
        assert!(is_let_through("127.0.0.1:8484", &typed));
    }

    fn with_cookie(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers
    }

    #[test]
    fn the_token_gives_a_session_that_ends() {
        let guard = guard("192.0.2.1:8484", Some(TOKEN));
        let now = Time::from_ns(1_772_445_600 * NS_PER_S);
        assert_eq!(guard.session(&HeaderMap::new(), now), None);
        let cookie = guard.open(TOKEN, now).unwrap();
        assert!(cookie.ends_with("HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains(TOKEN) && cookie.starts_with("habitus_8484="), "{cookie}");
        let value = cookie.split(';').next().unwrap();
        assert!(guard.session(&with_cookie(&format!("other=1; {value}")), now).is_some());
        let later = now.plus(SESSION_S * NS_PER_S);
        assert_eq!(guard.session(&with_cookie(value), later), None, "it is over");
        let longer = value.replacen("=1", "=2", 1);
        assert_eq!(guard.session(&with_cookie(&longer), now), None, "its end is signed");
        let other = Guard::new(&[8; 32], Some(TOKEN), "192.0.2.1:8484".parse().unwrap());
        assert_eq!(other.session(&with_cookie(value), now), None, "after a start it is void");
    }

    #[test]
    fn a_session_that_somebody_ended_is_over_and_no_other() {
        let guard = guard("192.0.2.1:8484", Some(TOKEN));
        let now = Time::from_ns(1_772_445_600 * NS_PER_S);
        let opened = || {
            let cookie = guard.open(TOKEN, now).unwrap();
            with_cookie(cookie.split(';').next().unwrap())
        };
        let (mine, other) = (opened(), opened());
        let session = guard.session(&mine, now).unwrap();
        let cleared = guard.close(&session, now);
        assert!(cleared.starts_with("habitus_8484=; ") && cleared.contains("Max-Age=0"));
        assert_eq!(guard.session(&mine, now), None, "a copy of the cookie lets nobody in");
        let kept = guard.session(&other, now).unwrap();
        // Of very many those that came before are over too, and none of them returns.
        for _ in 0..=ENDED_MAX {
            let session = guard.session(&opened(), now).unwrap();
            guard.close(&session, now);
        }
        assert_eq!(guard.session(&mine, now), None);
        assert_eq!(guard.session(&with_cookie(&format!("habitus_8484={}", kept.0)), now), None);
        assert!(guard.session(&opened(), now).is_some(), "whoever comes then is let in");
    }

    #[tokio::test]
    async fn a_token_cannot_be_guessed_by_trying() {
        let mut guard = guard("192.0.2.1:8484", Some(TOKEN));
        guard.wrong_time = Duration::from_millis(200);
        let now = Time::from_ns(0);
        for _ in 0..WRONG_MAX {
            assert_eq!(guard.open("a token of few letters", now), Err(Denied::Wrong));
        }
        assert_eq!(guard.open(TOKEN, now), Err(Denied::TooOften));
        while guard.open(TOKEN, now).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[test]
    fn a_form_has_the_mark_of_its_session() {
        let guard = guard("127.0.0.1:8484", None);
        let (mine, other) = (Session("a".into()), Session("b".into()));
        let mark = guard.form_mark(&mine);
        assert!(guard.is_marked(&mine, &mark));
        assert!(!guard.is_marked(&other, &mark));
        for wrong in ["", "x", "!", &format!("{mark}A")] {
            assert!(!guard.is_marked(&mine, wrong), "{wrong}");
        }
    }
}
