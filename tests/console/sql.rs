//! The SQL box: answers as tables, mistakes as sentences, and nothing that changes anything.

use super::served::{Served, encoded};
use super::{look_at, mark, ok, open, shared, tab, was_quiet};
use crate::habitus::Place;
use crate::services::{Policy, chromium};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Bytes of a page at most, however much was asked for.
const PAGE_BYTES_MAX: usize = 300_000;
/// Looks at the processes, and the time between two.
const LOOKS_MAX: usize = 600;
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[test]
fn sql_is_answered_with_a_table() {
    const TEST: &str = "sql_is_answered_with_a_table";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    open(&mut tab, served, "/sql");
    let sql = "SELECT severity, count(*) AS how_many\nFROM findings_current\nGROUP BY severity ORDER BY severity";
    tab.fill(&mark("sql-box"), sql);
    tab.follow(&mark("sql-run"));
    let header = tab.texts(&format!("{} th", mark("sql-table")));
    assert_eq!(header, ["severity", "how_many"]);
    let cells = tab.texts(&format!("{} td", mark("sql-table")));
    let store = served.store();
    let said = ok(Place::new().run_at(store.to_str().unwrap(), &["query", sql, "--output", "csv"]));
    let wanted: Vec<_> = said.out.lines().skip(1).flat_map(|line| line.split(',')).collect();
    assert_eq!(cells, wanted);
    let kept: String =
        tab.evaluate(&format!("() => document.querySelector(`{}`).value", mark("sql-box")));
    assert_eq!(kept, sql, "what was asked is still there");

    // The keyboard runs it too.
    tab.fill(&mark("sql-box"), "SELECT 4711 AS answer");
    tab.press_and_follow("Control+Enter");
    assert_eq!(tab.texts(&format!("{} td", mark("sql-table"))), ["4711"]);
    tab.fill(&mark("sql-box"), "SELECT 1 AS one WHERE 1 = 2");
    tab.follow(&mark("sql-run"));
    assert_eq!(tab.texts(&format!("{} th", mark("sql-table"))), ["one"]);
    assert_eq!(tab.count(&format!("{} td", mark("sql-table"))), 0);
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn a_wide_answer_scrolls_by_itself_on_a_telephone() {
    const TEST: &str = "a_wide_answer_scrolls_by_itself_on_a_telephone";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    open(
        &mut tab,
        served,
        &format!("/sql?q={}", encoded("SELECT * FROM findings_current LIMIT 3")),
    );
    look_at(&mut tab, "a wide answer");
    let region = "main [role=region]";
    let hint = "() => document.querySelector('.sideways').checkVisibility()";
    assert!(!tab.evaluate::<bool>(hint), "a desk is wide");
    tab.viewport(390, 780);
    assert!(tab.evaluate::<bool>(hint), "nobody sees that there is more");
    assert_eq!(tab.attribute(region, "aria-label").as_deref(), Some("Rows of the answer"));
    // It is reached with the keyboard, and moved with it.
    tab.evaluate::<()>(&format!("() => document.querySelector('{region}').focus()"));
    let is_in: bool = tab
        .evaluate(&format!("() => document.activeElement === document.querySelector('{region}')"));
    assert!(is_in, "it takes no focus");
    tab.press("ArrowRight");
    let moved: bool = tab.evaluate(&format!(
        "() => new Promise(done => {{
            const it = document.querySelector('{region}');
            let looks = 0;
            const look = () => it.scrollLeft > 0 ? done(true)
                : ++looks > 100 ? done(false) : setTimeout(look, 50);
            look();
        }})"
    ));
    assert!(moved, "it does not scroll");
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn wrong_sql_is_told_what_is_wrong_and_changes_nothing() {
    const TEST: &str = "wrong_sql_is_told_what_is_wrong_and_changes_nothing";
    let Some(browser) = chromium(TEST) else { return };
    let mut tab = browser.open(Policy::Kept);
    let served = shared();
    let out = Place::new().path("out.csv");
    for (sql, words) in [
        ("SELEKT 1", "SELEKT"),
        ("SELECT nothing FROM findings", "no column nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT 1; DROP TABLE findings", ""),
        ("DROP TABLE findings", "not allowed"),
        ("CREATE TABLE x (a INT)", "not allowed"),
        ("INSERT INTO feedback SELECT * FROM feedback", ""),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", ""),
        (&format!("COPY findings TO '{}'", out.display()), ""),
        ("SET datafusion.execution.batch_size = 1", ""),
    ] {
        tab.goto(&served.at("/sql"));
        tab.fill(&mark("sql-box"), sql);
        tab.follow(&mark("sql-run"));
        let error = tab.text(&mark("sql-error"));
        assert!(error.contains(words) && !error.trim().is_empty(), "{sql}: {error}");
        assert_eq!(tab.count(&mark("sql-table")), 0, "{sql}");
        assert_eq!(tab.attribute(&mark("sql-error"), "role").as_deref(), Some("alert"), "{sql}");
    }
    assert!(!out.exists());
    let log = tab.log();
    assert_eq!((log.errors.len(), log.dialogs.len()), (0, 0));
    assert_eq!(log.elsewhere(&served.origin), Vec::<&str>::new());
}

#[test]
fn a_question_without_an_answer_is_a_page_that_says_where_and_what_helps() {
    let served = shared();
    for (sql, words) in [
        (
            "SELEC 1",
            "at line 1, column 1 (expected an SQL statement, found SELEC): begin with SELECT",
        ),
        ("SELECT 1; SELECT 2", "line 1, column 11 on: ask one statement at a time"),
    ] {
        let answer = served.get(&format!("/sql?q={}", encoded(sql)));
        assert_eq!(answer.status, 400, "{sql}");
        assert!(answer.body.contains(words), "{sql}: {}", answer.body);
        // In the frame of the page, with what was typed.
        let here = "<a href=\"/sql\" aria-current=\"page\">SQL</a>";
        assert!(answer.body.contains(here) && answer.body.contains(sql), "{sql}: {}", answer.body);
    }
    assert_eq!(served.get("/sql").status, 200);
    assert_eq!(served.get("/sql?q=SELECT+4711%3B").status, 200, "it may end with one");
}

#[test]
fn a_large_answer_is_cut_and_the_page_says_so() {
    let served = shared();
    let sql = "SELECT * FROM windows";
    let answer = served.get(&format!("/sql?q={}", encoded(sql)));
    assert!(answer.body.len() < PAGE_BYTES_MAX, "{} bytes", answer.body.len());
    assert!(answer.body.contains("data-testid=\"notice\""), "{}", answer.status);
    assert!(answer.body.contains("left out"), "{}", answer.body.len());
}

#[test]
fn a_question_that_needs_too_much_ends_alone() {
    let served = shared();
    // 80 GB at once.
    let sql = "SELECT array_length(array_resize([1], 1000000000, 0)) FROM generate_series(1, 10)";
    let answer = served.get(&format!("/sql?q={}", encoded(sql)));
    assert!(answer.body.contains("data-testid=\"sql-error\""), "{}", answer.body);
    assert!(answer.body.contains("memory"), "{}", answer.body);
    assert_eq!(served.get("/sql?q=SELECT+4711").status, 200);
}

/// Whether a process answers a question of that store.
fn is_asked(store: &Path) -> bool {
    let named = format!("--store={}\0answer\0", store.display());
    let is_it = |path: &Path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).ends_with(&named)
    };
    fs::read_dir("/proc").unwrap().flatten().any(|it| is_it(&it.path()))
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    panic!("{what}");
}

#[test]
fn whoever_goes_away_leaves_no_question_behind() {
    let served = Served::copy_of(&shared().store(), &[]);
    let (host, store) = (served.host(), served.store());
    // The engine never looks whether anybody still waits for this one.
    let sql = encoded(
        "SELECT count(*) FROM generate_series(1, 100000000) AS a, generate_series(1, 1000000) AS b",
    );
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /sql?q={sql} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    wait_until("nobody answers", || is_asked(&store));
    drop(stream);
    wait_until("the question goes on", || !is_asked(&store));
}
