//! `habitus serve` as a client without a browser sees it: who is let in, what pages say of themselves,
//! what is kept of a verdict, and what is wrong said in one line.

use crate::habitus::{Place, Said, root};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the console may take for anything.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What the console says before its address.
const MARK: &str = "the console is at http://";
/// A token that is long enough.
const TOKEN: &str = "correct-horse-battery-staple";
/// The pages in the list of pages.
const PAGES: [&str; 5] = ["/", "/incidents", "/identities", "/coverage", "/sql"];

/// A running console.
struct Console {
    child: Child,
    said: PathBuf,
    address: String,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Console {
    #[track_caller]
    fn start(place: &Place, store: &str, more: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", place, store, more)
    }

    /// The same, elsewhere; asked on this machine only.
    #[track_caller]
    fn start_at(listen: &str, place: &Place, store: &str, more: &[&str]) -> Self {
        let said = place.path(&crate::services::unique("said"));
        let child = Command::new(env!("CARGO_BIN_EXE_habitus"))
            .args(["serve", "--listen", listen, "--store"])
            .arg(place.store(store))
            .args(more)
            .stderr(File::create(&said).unwrap())
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut console = Self { child, said, address: String::new() };
        for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
            let said = console.said();
            let at = said.split_once(MARK).and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = at {
                console.address = address.replace("0.0.0.0", "127.0.0.1");
                return console;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("no address: {}", console.said());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    /// Sends a request with these headers beside those that every one has.
    #[track_caller]
    fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{line} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request = format!("{request}Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request = format!("{request}{name}: {value}\r\n");
        }
        if line.starts_with("POST") {
            let kind = "application/x-www-form-urlencoded";
            let length = body.len();
            request = format!("{request}Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        }
        request = format!("{request}\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "")
    }

    /// Ends it as a person does.
    #[track_caller]
    fn stop(mut self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("it did not end within 20 s: {}", self.said());
    }
}

impl Drop for Console {
    /// A test that failed leaves no console behind.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A store with the findings of a demo's day: a copy of the one that the browser's tests look at.
fn with_findings() -> Place {
    let place = Place::new();
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(crate::console::shared().store()).arg(place.path("store"));
    assert!(copy.status().unwrap().success());
    place
}

/// The first text between two others.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

/// The address of the first finding of the list.
#[track_caller]
fn first_finding(console: &Console) -> String {
    let list = console.get("/");
    assert_eq!(list.status, 200, "{}", list.body);
    format!("/findings/{}", between(&list.body, "href=\"/findings/", "\""))
}

#[test]
fn every_page_is_there_and_lets_nothing_in_from_elsewhere() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let finding = first_finding(&console);
    let page = console.get(&finding);
    let identity = between(&page.body, "href=\"/identity?", "\"").replace("&amp;", "&");
    let mut paths = PAGES.map(str::to_owned).to_vec();
    paths.extend([finding, format!("/identity?{identity}"), "/no-such-page".to_owned()]);
    for path in &paths {
        let page = console.get(path);
        let expected = if path == "/no-such-page" { 404 } else { 200 };
        assert_eq!(page.status, expected, "{path}: {}", page.body);
        let head = page.head.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; \
             img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path}: {header} in {head}");
        }
        for lacking in
            [" style=\"", "<style", " onclick=", "javascript:", "src=\"http", "href=\"http"]
        {
            assert!(!page.body.contains(lacking), "{path} has {lacking}");
        }
        assert_eq!(page.body.matches("<h1").count(), 1, "{path}");
        for part in ["<html lang=\"en\">", "<title>", "<main id=\"content\"", "href=\"#content\""] {
            assert!(page.body.contains(part), "{path} has no {part}");
        }
        assert!(page.body.len() < 300_000, "{path} has {} bytes", page.body.len());
    }
    for file in ["/static/style.css", "/static/console.js", "/static/icon.svg", "/health"] {
        assert_eq!(console.get(file).status, 200, "{file}");
    }
    console.stop("-TERM");
}

#[test]
fn another_name_and_another_site_are_refused() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let asked = |line: &str, headers: &[(&str, &str)]| console.ask(line, headers, "").status;
    assert_eq!(asked("GET /", &[("Host", "attacker.example:8484")]), 403);
    assert_eq!(asked("GET /", &[("Host", "localhost")]), 200);
    let cross = ("Sec-Fetch-Site", "cross-site");
    assert_eq!(asked("GET /", &[cross, ("Sec-Fetch-Mode", "no-cors")]), 403);
    assert_eq!(asked("GET /", &[cross, ("Sec-Fetch-Mode", "navigate")]), 200, "a link");
    assert_eq!(asked("GET /sql?q=SELECT+1", &[cross, ("Sec-Fetch-Mode", "navigate")]), 403);
    let line = format!("POST {}/verdict", first_finding(&console));
    assert_eq!(asked(&line, &[("Origin", "https://attacker.example")]), 403);
    assert_eq!(asked(&line, &[("Sec-Fetch-Site", "same-site")]), 403);
    assert_eq!(asked(&line, &[]), 403, "a form without the mark");
    console.stop("-INT");
}

#[test]
fn a_verdict_is_kept_as_the_command_keeps_it() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let path = first_finding(&console);
    let page = console.get(&path);
    let mark = between(&page.body, "name=\"csrf\" value=\"", "\"");
    let give = |body: &str| console.ask(&format!("POST {path}/verdict"), &[], body);
    let wrong = give(&format!("csrf={mark}&verdict=benign&reason="));
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert!(wrong.body.contains("the reason is empty"), "{}", wrong.body);
    assert!(
        wrong.body.contains(&format!("<a href=\"{path}\" data-testid=\"back\"")),
        "{}",
        wrong.body
    );
    let kept = give(&format!("csrf={mark}&verdict=benign&reason=a+test&scope=finding&until=30d"));
    assert_eq!(kept.status, 303, "{}", kept.body);
    let after = console.get(&format!("{path}?done=benign"));
    let said = between(&after.body, "data-testid=\"verdict-current\"", "</section>");
    assert!(said.contains("benign") && said.contains("a test"), "{said}");
    assert!(!console.get("/").body.contains(&format!("\"{path}\"")), "lists leave it out");
    let id = path.rsplit('/').next().unwrap();
    let sql = format!("SELECT verdict, reason FROM feedback WHERE finding_id = '{id}'");
    assert_eq!(place.query("store", &sql), "verdict,reason\nbenign,a test\n");
    let audit = place.query("store", "SELECT count(*) AS n FROM audit WHERE action = 'feedback'");
    assert_eq!(audit, "n\n1\n");
    let taken = give(&format!("csrf={mark}&verdict=withdraw&reason=over&scope=pattern&until=30d"));
    assert_eq!(taken.status, 303, "{}", taken.body);
    assert!(console.get("/").body.contains(&format!("\"{path}\"")), "it is back");
}

#[test]
fn a_wide_verdict_is_withdrawn_from_any_finding_that_it_covers() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    // Two findings of one detector.
    let sql = "SELECT min(finding_id) AS a, max(finding_id) AS b, count(*) AS n FROM findings_current \
        GROUP BY tenant_id, detector HAVING count(*) > 1 ORDER BY detector LIMIT 1";
    let found = place.query("store", sql);
    let found: Vec<&str> = found.lines().nth(1).unwrap().split(',').collect();
    let (one, other) = (format!("/findings/{}", found[0]), format!("/findings/{}", found[1]));
    let page = console.get(&one);
    let mark = between(&page.body, "name=\"csrf\" value=\"", "\"");
    assert!(!page.body.contains("verdict-reach"), "nobody said anything");
    let give = |path: &str, body: &str| {
        console.ask(&format!("POST {path}/verdict"), &[], &format!("csrf={mark}&{body}"))
    };
    assert_eq!(give(&one, "verdict=benign&reason=all&scope=detector").status, 303);
    let page = console.get(&other);
    let said = between(&page.body, "data-testid=\"verdict-reach\"", "</p>");
    assert!(said.contains(&format!("covers {} findings", found[2])), "{said}");
    assert!(said.contains(&format!("href=\"{one}\"")), "{said}");
    let taken = give(&other, "verdict=withdraw&reason=over");
    assert_eq!(taken.status, 303, "{}", taken.body);
    for path in [&one, &other] {
        assert!(!console.get(path).body.contains("verdict-reach"), "{path}");
    }
}

#[test]
fn a_filter_that_is_none_is_said_above_what_was_typed() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    for (query, words) in [
        ("since=soon", "From is no time"),
        ("since=2026-03-03&until=2026-03-02", "From is not earlier than Before"),
    ] {
        let page = console.get(&format!("/?{query}&identity=ann"));
        assert_eq!(page.status, 400, "{query}");
        assert!(page.body.contains(words), "{query}: {}", page.body);
        let form = between(&page.body, "data-testid=\"filter-form\"", "</form>");
        let since = query.split(['=', '&']).nth(1).unwrap();
        for typed in [since, "ann"] {
            assert!(form.contains(&format!("value=\"{typed}\"")), "{query}: {form}");
        }
    }
}

#[test]
fn lists_name_the_identities_that_have_names() {
    let place = with_findings();
    let named = "SELECT found.finding_id, known.principal_name FROM findings_current AS found \
        JOIN identities AS known ON known.tenant_id = found.tenant_id \
        AND known.principal_id = found.principal_id \
        WHERE known.principal_name <> '' AND known.principal_name <> found.principal_id LIMIT 1";
    let named = place.query("store", named);
    let (id, name) = named.lines().nth(1).unwrap().split_once(',').unwrap();
    let console = Console::start(&place, "store", &[]);
    for path in ["/".to_owned(), format!("/findings/{id}")] {
        assert!(console.get(&path).body.contains(&format!(">{name}</a>")), "{path}: {name}");
    }
}

#[test]
fn sql_is_read_only_and_what_is_wrong_is_said() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let good = console.get("/sql?q=SELECT+count(*)+AS+n+FROM+findings_current");
    assert!(good.body.contains("data-testid=\"sql-table\""), "{}", good.body);
    for (sql, words) in [
        ("DROP+TABLE+findings", "not allowed"),
        ("SELECT+nothing+FROM+findings", "no column nothing"),
        ("CREATE+TABLE+x+(a+INT)", "not allowed"),
    ] {
        let page = console.get(&format!("/sql?q={sql}"));
        assert_eq!(page.status, 200, "{}", page.body);
        let said = between(&page.body, "data-testid=\"sql-error\"", "</p>");
        assert!(said.contains(words), "{sql}: {said}");
    }
    let long = console.get("/sql?q=SELECT+*+FROM+windows");
    assert!(long.body.contains("left out"), "{}", long.body.len());
    assert!(long.body.len() < 300_000, "{}", long.body.len());
}

#[test]
fn a_token_is_wanted_where_it_is_given() {
    let place = with_findings();
    let file = place.write("token", format!("{TOKEN}\n"));
    let console = Console::start(&place, "store", &["--token-file", &file]);
    for path in PAGES {
        let page = console.get(path);
        assert_eq!(page.status, 303, "{path}");
        assert!(page.head.contains("location: /login"), "{}", page.head);
    }
    let form = console.get("/login");
    let mark = between(&form.body, "name=\"csrf\" value=\"", "\"");
    let enter =
        |token: &str| console.ask("POST /login", &[], &format!("csrf={mark}&token={token}"));
    assert_eq!(enter("not-the-token-at-all").status, 401);
    let entered = enter(TOKEN);
    assert_eq!(entered.status, 303, "{}", entered.body);
    assert!(!entered.head.contains(TOKEN), "{}", entered.head);
    let head = entered.head.to_lowercase();
    assert!(head.contains("httponly; samesite=strict"), "{head}");
    let cookie = between(&entered.head, "set-cookie: ", ";");
    for path in PAGES {
        let page = console.ask(&format!("GET {path}"), &[("Cookie", cookie)], "");
        assert_eq!(page.status, 200, "{path}: {}", page.body);
    }
    let other = format!("{cookie}x");
    assert_eq!(console.ask("GET /", &[("Cookie", &other)], "").status, 303);
    assert!(!console.said().contains(TOKEN), "{}", console.said());
    console.stop("-TERM");
}

#[test]
fn others_see_nothing_without_the_token_whatever_they_call_the_console() {
    let place = with_findings();
    let file = place.write("token", format!("{TOKEN}\n"));
    let console = Console::start_at("0.0.0.0:0", &place, "store", &["--token-file", &file]);
    assert!(console.said().contains("a proxy that speaks TLS"), "{}", console.said());
    let host = ("Host", "habitus.example");
    let ask = |path: &str, cookie: &str| {
        console.ask(&format!("GET {path}"), &[host, ("Cookie", cookie)], "")
    };
    let mut paths = PAGES.map(str::to_owned).to_vec();
    paths.extend(["/sql?q=SELECT+4711", "/findings/00", "/incidents/00"].map(str::to_owned));
    for path in &paths {
        let page = ask(path, "");
        assert_eq!((page.status, page.body.contains("4711")), (303, false), "{path}");
    }
    let form = ask("/login", "");
    let mark = between(&form.body, "name=\"csrf\" value=\"", "\"");
    let typed = format!("csrf={mark}&token={TOKEN}");
    let entered = console.ask("POST /login", &[host], &typed);
    assert_eq!(entered.status, 303, "{}", entered.body);
    let cookie = between(&entered.head, "set-cookie: ", ";");
    assert_eq!(ask("/", cookie).status, 200);
    assert_eq!(ask("/findings/00", cookie).status, 404);
}

#[test]
fn what_is_stored_meanwhile_is_shown() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let rows = || console.get("/").body.matches("data-testid=\"finding-row\"").count();
    let before = rows();
    assert!(before > 5 && before == rows(), "{before}");
    let file = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let (found, _) = place.replay(&[file.to_str().unwrap()], &[]);
    assert!(!found.is_empty());
    assert_eq!(rows(), before + found.len(), "the list is of the store as it was");
}

#[test]
fn identities_are_searched_by_a_part_of_their_name() {
    let place = with_findings();
    let console = Console::start(&place, "store", &[]);
    let rows = |path: &str| {
        let page = console.get(path).body;
        let rows: Vec<_> = page.split("data-testid=\"identity-row\"").skip(1).collect();
        let is_meant = |it: &&&str| it.split("</tr>").next().is_some_and(|it| it.contains("care-"));
        (rows.len(), rows.iter().filter(is_meant).count())
    };
    let (all, some) = (rows("/identities"), rows("/identities?text=CARE-01"));
    assert!(some.0 > 0 && some.0 < all.0, "{some:?} of {all:?}");
    assert_eq!(some.0, some.1, "others are shown too");
    assert_eq!(rows("/identities?text=%25"), (0, 0), "a sign is a sign");
    assert_eq!(rows("/identities?text=nobody%27+OR+1=1+--"), (0, 0));
}

/// What a page says, without what is another in each console.
#[track_caller]
fn said_by(console: &Console, path: &str) -> String {
    let page = console.get(path);
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    let mut parts = page.body.split("name=\"csrf\" value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|it| it.split_once('"').map_or("", |(_, rest)| rest));
    first + &rest.collect::<String>()
}

#[test]
fn pages_are_the_same_from_a_directory_and_from_a_server() {
    const TEST: &str = "pages_are_the_same_from_a_directory_and_from_a_server";
    let Some(server) = crate::services::clickhouse(TEST) else { return };
    let both = crate::reads::both(server, "pages");
    let here = Console::start(&both.place, "store", &[]);
    let there = Console::start(&both.place, &both.url, &[]);
    let finding = first_finding(&here);
    let page = here.get(&finding).body;
    let identity = between(&page, "href=\"/identity?", "\"").replace("&amp;", "&");
    let incidents = here.get("/incidents").body;
    let incident = between(&incidents, "href=\"/incidents/", "\"");
    for path in [
        "/",
        "/?severity=high",
        "/?identity=sales",
        "/?verdict=none&detector=machine_speed",
        "/incidents",
        "/identities",
        "/identities?text=care",
        "/coverage",
        &finding,
        &format!("/identity?{identity}"),
        &format!("/incidents/{incident}"),
    ] {
        let (here, there) = (said_by(&here, path), said_by(&there, path));
        assert!(here == there, "{path}\n{here}\n---\n{there}");
    }
}

/// One line that says it, and exit code 1.
#[track_caller]
fn check_refused(said: &Said, words: &str) {
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert!(said.err.contains(words), "{}", said.err);
}

#[test]
fn what_is_wrong_at_the_start_is_one_line() {
    let place = Place::new();
    check_refused(&place.run(&["serve", "--listen", "127.0.0.1:0"]), "no store in");
    place.write("file", "");
    let on_file = place.run_in("file", &["serve", "--listen", "127.0.0.1:0"]);
    check_refused(&on_file, "is not a directory");

    let place = with_findings();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_refused(&place.run(&["serve", "--listen", &address]), "name another address");
    check_refused(&place.run(&["serve", "--listen", "8484"]), "cannot listen on 8484");
    check_refused(&place.run(&["serve", "--listen", "0.0.0.0:0"]), "give --token-file");
    let short = place.write("short", "secret\n");
    let short = place.run(&["serve", "--listen", "127.0.0.1:0", "--token-file", &short]);
    check_refused(&short, "the token has 6 characters");
    let missing = place.run(&["serve", "--token-file", "no-such-file"]);
    check_refused(&missing, "no-such-file");

    let manifest = place.path("store").join("habitus-store.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replacen("\"version\": 1", "\"version\": 99", 1)).unwrap();
    let newer = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    check_refused(&newer, "update habitus");
}

#[test]
fn a_store_without_findings_has_pages_that_say_so() {
    let place = Place::new();
    let log = "{\"time\":\"2026-04-14T09:00:00Z\",\"consumer\":\"acme\",\"method\":\"GET\",\
        \"path\":\"/orders\",\"status\":200,\"ip\":\"192.0.2.7\"}\n";
    let file = place.write("one.ndjson", log.repeat(50));
    place.replay(&[&file], &[]);
    let console = Console::start(&place, "store", &[]);
    for path in PAGES {
        let page = console.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
    }
    assert!(console.get("/").body.contains("data-testid=\"empty\""));
    assert!(console.get("/incidents").body.contains("data-testid=\"empty\""));
    assert_eq!(console.get("/findings/abcd1234").status, 404);
    assert_eq!(console.get("/identity?tenant=default&id=nobody").status, 404);
}
