//! The console over a ClickHouse server: the same pages, the same verdicts.

use super::served::{Served, encoded};
use super::{look_at, mark, ok, open, tab, was_quiet};
use crate::habitus::{Place, root, text};
use crate::reads::database;
use crate::services;

/// A log with an attack by an agent.
const LOG: &str = "tests/corpus/delegation/attack/a_scheduler_acts_for_everybody.ndjson.gz";

#[test]
fn the_console_shows_what_a_server_holds() {
    const TEST: &str = "the_console_shows_what_a_server_holds";
    let Some(server) = services::clickhouse(TEST) else { return };
    let Some(mut tab) = tab(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "console"));
    ok(place.run_at(&url, &["migrate"]));
    let log = root().join(LOG);
    ok(place.run_at(&url, &["replay", log.to_str().unwrap(), "--output", "ndjson"]));
    let served = Served::on(&url, &[]);
    let all = ok(place.run_at(&url, &["findings", "--output", "ndjson", "--limit", "1000"])).rows();

    open(&mut tab, &served, "/");
    let rows = tab.count(&mark("finding-row"));
    assert!(rows > 0 && (rows == all.len() || tab.count(&mark("next-page")) > 0), "{rows}");
    tab.follow(&mark("finding-link"));
    let (first, id) = (&all[0], text(&all[0], "finding_id"));
    assert!(tab.url().ends_with(id), "{} is not {id}", tab.url());
    assert_eq!(tab.text(&mark("finding-sentence")).trim(), text(first, "sentence"));
    tab.fill(&format!("{} [name=reason]", mark("verdict-form")), "a planned job");
    tab.follow(&mark("verdict-benign"));
    assert!(tab.text(&mark("verdict-current")).contains("a planned job"));
    let said = ok(place.run_at(&url, &["feedback", "--output", "ndjson"])).rows();
    assert_eq!((said.len(), text(&said[0], "finding_id")), (1, id));
    tab.follow(&mark("identity-link"));
    assert!(tab.text("main").contains(text(first, "principal_id")));
    look_at(&mut tab, "an identity");
    for path in ["/incidents", "/identities", "/coverage"] {
        open(&mut tab, &served, path);
    }
    let sql = encoded("SELECT count(DISTINCT principal_id) AS who FROM identities FINAL");
    open(&mut tab, &served, &format!("/sql?q={sql}"));
    let who: u64 = tab.text(&format!("{} td", mark("sql-table"))).trim().parse().unwrap();
    assert!(who > 10, "{who}");
    was_quiet(&mut tab, &served.origin);

    let mut wrong = services::chromium(TEST).unwrap().open(services::Policy::Kept);
    for sql in ["SELEKT 1", "DROP TABLE findings", "INSERT INTO feedback SELECT * FROM feedback"] {
        wrong.goto(&served.at(&format!("/sql?q={}", encoded(sql))));
        assert!(!wrong.text(&mark("sql-error")).trim().is_empty(), "{sql}");
    }
    let after = ok(place.run_at(&url, &["findings", "--all", "--output", "ndjson"])).rows();
    assert!(!after.is_empty());
}
