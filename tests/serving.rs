//! `habitus serve` as a client without a browser sees it: what others see without the token, what pages
//! show of a directory, of a server and of what is stored meanwhile, and wide verdicts. What a browser
//! can see, and who is let in, is in `tests/console/`.

use crate::console::shared;
use crate::habitus::{Place, root};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
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
    copy.arg("-r").arg(shared().store()).arg(place.path("store"));
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
    let console = shared();
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
    let console = shared();
    let named = "SELECT found.finding_id, found.principal_id, known.principal_name FROM findings_current AS found \
        JOIN identities AS known ON known.tenant_id = found.tenant_id \
        AND known.principal_id = found.principal_id \
        WHERE known.principal_name <> '' AND known.principal_name <> found.principal_id LIMIT 1";
    let store = console.store();
    let named = Place::new().run_at(store.to_str().unwrap(), &["query", named, "--output", "csv"]);
    let mut cells = named.out.lines().nth(1).unwrap().split(',');
    let [id, who, name] = [(); 3].map(|()| cells.next().unwrap());
    let identity = format!("/identity?tenant=default&id={who}");
    for path in ["/".to_owned(), format!("/findings/{id}"), identity] {
        assert!(console.get(&path).body.contains(&format!(">{name}</a>")), "{path}: {name}");
    }
    let report = Place::new().run_at(store.to_str().unwrap(), &["report", "--out", "-"]);
    assert!(report.out.contains(&format!("<dd>{name} <span class=\"muted\">{who}")), "{name}");
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
    let said = console.said();
    assert!(said.contains("0.0.0.0 stands for every address of this machine"), "{said}");
    console.stop("-TERM");
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
    console.stop("-INT");
}

#[test]
fn identities_are_searched_by_a_part_of_their_name() {
    let console = shared();
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
