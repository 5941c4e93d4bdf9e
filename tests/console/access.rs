//! Who may ask the console, and who may change something through it.

use super::served::{Plain, Served, encoded};
use super::{made, mark, ok, shared, was_quiet};
use crate::habitus::Place;
use crate::service::Service;
use crate::services::{Policy, chromium};
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// The secret of a console that wants one.
const TOKEN: &str = "a-token-of-more-than-thirty-two-characters";

/// A console of its own over one finding; its store, and the page of that finding.
fn one(more: &[&str]) -> (Served, String) {
    let place = Place::new();
    made::write(&place.path("store"), "one", 1, made::finding);
    let served = Served::copy_of(&place.path("store"), more);
    (served, format!("/findings/{}", made::finding(0).id))
}

/// The same with a token.
fn one_with_a_token() -> (Served, String) {
    let place = Place::new();
    let file = place.write("token", format!("{TOKEN}\n"));
    one(&["--token-file", &file])
}

/// Types a token, and the page that was asked for.
#[track_caller]
fn typed(served: &Served, token: &str, to: &str) -> Plain {
    let csrf = served.get("/login").hidden("csrf");
    let form = format!("token={token}&to={}&csrf={csrf}", encoded(to));
    served.post("/login", &[("Host", served.host())], &form)
}

/// How many verdicts its store has.
#[track_caller]
fn verdicts(served: &Served) -> usize {
    let store = served.store();
    let args = ["feedback", "--output", "ndjson"];
    ok(Place::new().run_at(store.to_str().unwrap(), &args)).rows().len()
}

#[track_caller]
fn refused(answer: &Plain, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
}

#[test]
fn a_foreign_host_is_refused() {
    let served = shared();
    let port = served.host().rsplit(':').next().unwrap();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", ""] {
        for path in ["/", "/sql?q=SELECT+1", "/static/style.css", "/login"] {
            let answer = served.ask("GET", path, &[("Host", host)], "");
            refused(&answer, host);
            assert!(!answer.body.contains("finding-row"), "{}", answer.body);
        }
    }
    refused(&served.ask("GET", "/", &[], ""), "no host at all");
    // Another site may lead here, but neither embed a page nor run anything.
    let from = |mode: &str, path: &str| {
        let site = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode)];
        served.ask("GET", path, &[[("Host", served.host())].as_slice(), &site].concat(), "").status
    };
    assert_eq!((from("no-cors", "/"), from("navigate", "/")), (403, 200));
    assert_eq!(from("navigate", "/sql?q=SELECT+1"), 403);
    let name = format!("localhost:{port}");
    assert_eq!(served.ask("GET", "/", &[("Host", &name)], "").status, 200);
    assert_eq!(served.get("/health").status, 200);
}

#[test]
fn every_answer_says_what_a_page_may_do() {
    let served = shared();
    for path in [
        "/",
        "/incidents",
        "/identities",
        "/coverage",
        "/sql",
        "/login",
        "/nothing",
        "/findings/nothing",
        "/static/console.js",
        "/static/icon.svg",
    ] {
        let answer = served.get(path);
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), [value], "{path}: {name}");
        }
        assert!(answer.body.len() < 300_000, "{path} has {} bytes", answer.body.len());
        let policy = answer.header("content-security-policy");
        assert!(
            policy.len() == 1 && policy[0].contains("default-src 'none'"),
            "{path}: {policy:?}"
        );
        assert_eq!(answer.header("x-content-type-options"), ["nosniff"], "{path}");
        assert!(answer.header("set-cookie").iter().all(|it| it.contains("HttpOnly")), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Vec::<&str>::new(), "{path}");
    }
    for (path, kind) in [("/static/style.css", "text/css"), ("/static/console.js", "javascript")] {
        let answer = served.get(path);
        assert!(answer.status == 200 && answer.header("content-type")[0].contains(kind), "{path}");
    }
    for path in ["/nothing", "/static/..%2f..%2fkey", "/static/../../key", "/findings/../../key"] {
        let answer = served.get(path);
        refused(&answer, path);
        assert!(answer.body.len() < 10_000, "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "POST"] {
        let headers = [("Host", served.host()), ("Content-Length", "0")];
        refused(&served.ask(method, "/", &headers, ""), method);
    }
}

#[test]
fn a_verdict_is_taken_from_the_form_of_the_same_page_only() {
    let (served, path) = one(&[]);
    let page = served.get(&path);
    let csrf = page.hidden("csrf");
    let cookies: Vec<_> =
        page.header("set-cookie").iter().filter_map(|it| it.split(';').next()).collect();
    let cookies = cookies.join("; ");
    let target = format!("{path}/verdict");
    let form = |csrf: &str| format!("verdict=benign&reason=x&scope=finding&until=&csrf={csrf}");
    let own = served.origin.as_str();
    let send = |host: &str, from: (&str, &str), csrf: &str| {
        let mut headers = vec![("Host", host), from];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        served.post(&target, &headers, &form(csrf))
    };
    let here = served.host();
    let other = "0".repeat(csrf.len());
    for (what, host, from, csrf) in [
        ("no mark", here, ("Origin", own), ""),
        ("another mark", here, ("Origin", own), other.as_str()),
        ("no mark and no origin", here, ("Origin", "null"), ""),
        ("another site", here, ("Origin", "http://evil.example"), &csrf),
        ("another port", here, ("Origin", "http://127.0.0.1:1"), &csrf),
        ("another site, says the browser", here, ("Sec-Fetch-Site", "cross-site"), &csrf),
        ("another site of one name", here, ("Sec-Fetch-Site", "same-site"), &csrf),
        ("another host", "evil.example", ("Origin", own), &csrf),
    ] {
        refused(&send(host, from, csrf), what);
        assert_eq!(verdicts(&served), 0, "{what}");
    }
    refused(&served.get(&format!("{target}?{}", form(&csrf))), "a link");
    // What makes no sense is refused too, and says why.
    for (form, words) in [
        (format!("verdict=benign&reason=&scope=finding&until=&csrf={csrf}"), "reason"),
        (format!("verdict=harmless&reason=x&scope=finding&until=&csrf={csrf}"), "malicious"),
        (format!("verdict=benign&reason=x&scope=world&until=&csrf={csrf}"), "scope"),
    ] {
        let headers = [("Host", served.host()), ("Origin", own), ("Cookie", &cookies)];
        let answer = served.post(&target, &headers, &form);
        refused(&answer, &form);
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
        if words != "malicious" {
            assert_eq!(answer.link("back").as_deref(), Some(path.as_str()), "{words}");
        }
    }
    // And nothing that was typed is lost: the form that comes back has it, and can be sent again.
    let typed = format!("verdict=benign&reason=a+%22job%22&scope=entity&until=soon&csrf={csrf}");
    let headers = [("Host", served.host()), ("Origin", own), ("Cookie", &cookies)];
    let answer = served.post(&target, &headers, &typed);
    assert_eq!(answer.status, 400, "{}", answer.body);
    for kept in ["value=\"a &quot;job&quot;\"", "value=\"soon\"", "value=\"entity\" selected"] {
        assert!(answer.body.contains(kept), "{kept}: {}", answer.body);
    }
    assert_eq!(answer.hidden("csrf"), csrf);
    assert_eq!(verdicts(&served), 0);
    let answer = send(here, ("Origin", own), &csrf);
    assert!(matches!(answer.status, 200 | 302 | 303), "{} {}", answer.status, answer.body);
    assert_eq!(verdicts(&served), 1);
}

#[test]
fn a_console_with_a_token_lets_in_who_has_it() {
    const TEST: &str = "a_console_with_a_token_lets_in_who_has_it";
    let Some(browser) = chromium(TEST) else { return };
    let (served, finding) = one_with_a_token();
    let sentence = made::finding(0).sentence;
    for path in ["/", &finding, "/identities", "/incidents", "/coverage", "/sql?q=SELECT+4711"] {
        let answer = served.get(path);
        assert!(matches!(answer.status, 302 | 303 | 401), "{path}: {}", answer.status);
        assert!(!answer.body.contains("svc-0") && !answer.body.contains("4711"), "{path}");
    }
    let form = "verdict=benign&reason=x&scope=finding&until=&csrf=x";
    let headers = [("Host", served.host()), ("Origin", served.origin.as_str())];
    let answer = served.post(&format!("{finding}/verdict"), &headers, form);
    assert!((300..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(verdicts(&served), 0);

    let mut tab = browser.open(Policy::Kept);
    tab.goto(&served.at("/login"));
    super::look_at(&mut tab, "/login");
    tab.fill("[name=token]", "another-token-of-more-than-thirty-two-chars");
    tab.follow("main form [type=submit], main form button");
    assert!(tab.text("main").contains("not the token"), "{}", tab.text("main"));
    assert_eq!(tab.count("[name=token]"), 1, "{}", tab.url());
    super::look_at(&mut tab, "a wrong token");
    let mut tab = browser.open(Policy::Kept);
    // Whoever opens a page and is asked for the token gets to that page.
    tab.goto(&served.at(&finding));
    tab.fill("[name=token]", TOKEN);
    tab.follow("main form [type=submit], main form button");
    assert_eq!(tab.text(&mark("finding-sentence")).trim(), sentence);
    super::look_at(&mut tab, "a page of somebody who has signed in");
    let readable: String = tab.evaluate("() => document.cookie");
    assert_eq!(readable, "", "no script reads what lets people in");
    tab.follow(&mark("sign-out"));
    assert!(tab.text("main").contains("signed out"), "{}", tab.text("main"));
    tab.goto(&served.at("/"));
    assert_eq!(tab.count("[name=token]"), 1, "{}", tab.url());
    was_quiet(&mut tab, &served.origin);
    // The token stands neither in what the console says nor in an address.
    let said = std::fs::read_to_string(served.dir.join("log")).unwrap();
    assert!(!said.contains(TOKEN), "{said}");
    assert!(tab.log().requests.iter().all(|it| !it.contains(TOKEN)));
}

#[test]
fn whoever_signs_in_gets_to_the_page_that_was_asked_for() {
    let (served, finding) = one_with_a_token();
    let answer = served.get(&finding);
    assert_eq!(answer.status, 303);
    let form = answer.header("location").concat();
    assert_eq!(form, format!("/login?to={}", encoded(&finding)));
    assert_eq!(served.get(&form).hidden("to"), finding);
    let wrong = typed(&served, "not-the-token-at-all", &finding);
    assert_eq!(wrong.status, 401, "{}", wrong.body);
    assert!(wrong.body.contains("This is not the token"), "{}", wrong.body);
    assert!(wrong.body.contains("name=\"token\""), "the form is there again: {}", wrong.body);
    assert_eq!(wrong.hidden("to"), finding);
    for (to, expected) in [
        (finding.as_str(), finding.as_str()),
        ("/?severity=high", "/?severity=high"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/..//evil.example", "/"),
        ("/a\r\nSet-Cookie: a=b", "/"),
        ("/sql?q=SELECT+1", "/sql"),
        (&format!("/?identity={}", "a".repeat(2_000)), "/"),
    ] {
        let entered = typed(&served, TOKEN, to);
        assert_eq!((entered.status, entered.header("location")), (303, vec![expected]), "{to}");
    }
    for _ in 0..4 {
        assert_eq!(typed(&served, "not-the-token-at-all", "/").status, 401);
    }
    let often = typed(&served, TOKEN, &finding);
    assert!(often.status == 429 && often.body.contains("in a minute"), "{}", often.body);
    assert_eq!(often.hidden("to"), finding);
}

#[test]
fn whoever_signs_out_is_out_and_nobody_else() {
    let (served, finding) = one_with_a_token();
    let enter = || {
        let entered = typed(&served, TOKEN, "/");
        let cookie = entered.header("set-cookie").concat();
        assert!(cookie.ends_with("HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains(TOKEN), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    };
    let (mine, other) = (enter(), enter());
    let see = |cookie: &str| {
        served.ask("GET", &finding, &[("Host", served.host()), ("Cookie", cookie)], "")
    };
    assert_eq!(see(&format!("{mine}x")).status, 303, "a session is signed");
    let page = see(&mine);
    assert!(page.body.contains("data-testid=\"sign-out\""), "{}", page.body);
    let leave = |from: (&str, &str), csrf: &str| {
        let headers = [("Host", served.host()), ("Cookie", mine.as_str()), from];
        served.post("/logout", &headers, &format!("csrf={csrf}"))
    };
    let (here, csrf) = (("Origin", served.origin.as_str()), page.hidden("csrf"));
    refused(&leave(here, ""), "no mark");
    refused(&leave(here, &see(&other).hidden("csrf")), "the mark of another session");
    refused(&leave(("Origin", "http://evil.example"), &csrf), "another site");
    refused(&leave(("Sec-Fetch-Site", "cross-site"), &csrf), "another site, says the browser");
    let headers = [("Host", served.host()), ("Cookie", mine.as_str())];
    refused(&served.ask("GET", "/logout", &headers, ""), "a link");
    assert_eq!(see(&mine).status, 200, "nobody has left yet");
    let left = leave(here, &csrf);
    assert_eq!((left.status, left.header("location")), (303, vec!["/login?done=left"]));
    let cleared = left.header("set-cookie").concat();
    assert!(cleared.contains("=; ") && cleared.contains("Max-Age=0"), "{cleared}");
    assert_eq!(see(&mine).status, 303, "a copy of the cookie lets nobody in");
    assert_eq!(see(&other).status, 200, "others go on");
    let form = served.get("/login?done=left");
    assert!(form.body.contains("You are signed out.") && !form.body.contains("<nav"));
}

#[test]
fn pages_that_say_what_is_wrong_have_the_way_out_and_a_stranger_sees_no_other_page() {
    let (served, finding) = one_with_a_token();
    let host = ("Host", served.host());
    let cookie = typed(&served, TOKEN, "/").header("set-cookie").concat();
    let cookie = cookie.split(';').next().unwrap();
    let signed = |path: &str| served.ask("GET", path, &[host, ("Cookie", cookie)], "");
    let mark = signed("/").hidden("csrf");
    let has_way_out = |answer: &Plain, what: &str| {
        refused(answer, what);
        assert!(answer.body.contains("data-testid=\"sign-out\""), "{what}: {}", answer.body);
        assert_eq!(answer.header("content-length").concat(), answer.body.len().to_string());
        assert_eq!(answer.hidden("csrf"), mark, "{what}");
    };
    for path in ["/nothing", "/findings/abcd", "/incidents/zzzz", "/?since=zz"] {
        has_way_out(&signed(path), path);
    }
    let still = served.post("/logout", &[host, ("Cookie", cookie)], "csrf=");
    assert!(still.body.contains("Still signed in"), "{}", still.body);
    has_way_out(&still, "the form of another session");
    // Whoever has not typed the token would only be led back to its form.
    let form = "verdict=benign&reason=x&scope=finding&until=&csrf=x";
    let stranger = served.post(&format!("{finding}/verdict"), &[host], form);
    assert!(stranger.status == 401 && stranger.body.contains("Not signed in"), "{stranger:?}");
    assert!(!stranger.body.contains("<nav") && !stranger.body.contains("sign-out"), "{stranger:?}");
}

#[test]
fn behind_a_proxy_a_session_stays_on_the_encrypted_way() {
    let (served, _) = one_with_a_token();
    let cookie = |host: &str, more: &[(&str, &str)]| {
        let page = served.ask("GET", "/login", &[("Host", host)], "");
        let form = format!("token={TOKEN}&csrf={}", page.hidden("csrf"));
        let mut headers = vec![("Host", host)];
        headers.extend(more);
        let answer = served.post("/login", &headers, &form);
        assert!((300..400).contains(&answer.status), "{} {}", answer.status, answer.body);
        answer.header("set-cookie").concat()
    };
    let site = [("Sec-Fetch-Site", "same-origin")];
    assert!(cookie("habitus.example", &site).ends_with("SameSite=Strict; Secure"));
    assert!(!cookie("habitus.example", &[]).contains("Secure"));
    assert!(!cookie(served.host(), &site).contains("Secure"), "here nothing encrypts");
}

#[test]
fn a_form_has_an_end() {
    let served = shared();
    let host = ("Host", served.host());
    let long = served.post("/login", &[host], &format!("token={}", "a".repeat(17_000)));
    assert_eq!(long.status, 413, "{}", long.body);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let slow = served.ask("POST", "/login", &[host, kind, ("Content-Length", "100")], "token=");
    assert_eq!(slow.status, 408, "{}", slow.body);
    assert_eq!(slow.header("x-frame-options"), ["DENY"]);
}

#[test]
fn whoever_says_nothing_keeps_nobody_waiting() {
    let (served, finding) = one(&[]);
    let silent: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(served.host()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0").unwrap();
            stream
        })
        .collect();
    assert_eq!(served.get(&finding).status, 200);
    assert_eq!(silent.len(), 20);
}

#[test]
fn a_console_ends_when_it_is_told_to() {
    let place = Place::new();
    made::write(&place.path("store"), "one", 1, made::finding);
    let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--store"]).arg(place.path("store"));
    command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    let mut service = Service::spawn(command);
    service.wait_for("http://127.0.0.1:");
    let time = service.stop();
    assert!(time.as_secs() < 10, "{time:?}");
}
