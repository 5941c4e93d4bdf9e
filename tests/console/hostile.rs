//! Names that are scripts: nothing of them runs, everything of them is shown as text.

use super::payloads::{PAYLOADS, seen};
use super::served::{Served, encoded};
use super::{checks, made, mark, ok, open, was_quiet};
use crate::habitus::{Place, is_full, root};
use crate::samples::unpacked;
use crate::services::{Chromium, Policy, Tab, chromium};
use serde_json::Value;
use std::collections::BTreeMap;

/// Logs of ordinary attacks by agents, whose names are replaced.
const LOGS: [&str; 2] = [
    "delegation/attack/a_desk_through_a_longer_chain.ndjson.gz",
    "secret_harvesting/attack/an_agent_reads_key_files.ndjson.gz",
];
/// Which fields hold what a caller may write, by what shares its names.
const FIELDS: [(&str, &str); 6] = [
    ("principal_id", "who"),
    ("agent_id", "who"),
    ("principal_name", "who"),
    ("user_agent_original", "program"),
    ("tool_name", "tool"),
    ("mcp_server", "server"),
];
/// Stands for a byte that is no UTF-8, until the log is written.
const BROKEN: char = '\u{a4}';
/// Every so many-th page of a kind is looked at in the ordinary tier.
const STEP: usize = 6;

/// Every so many-th page of a kind is looked at: all of them in the full tier.
fn step() -> usize {
    if is_full() { 1 } else { STEP }
}

/// A log with every name in it replaced by a payload, each name by another.
fn poisoned(log: &str) -> Vec<u8> {
    let mut names: BTreeMap<(&str, String), String> = BTreeMap::new();
    let mut payload = |kind: &'static str, name: &str| {
        let next = names.len();
        let made = || match next / PAYLOADS.len() {
            0 => PAYLOADS[next].to_owned(),
            more => format!("{}{BROKEN}{more}", PAYLOADS[next % PAYLOADS.len()]),
        };
        names.entry((kind, name.to_owned())).or_insert_with(made).clone()
    };
    let mut out = String::new();
    for line in log.lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        let record_fields = record.as_object_mut().unwrap();
        if let Some(who) = record_fields.get("principal_id").cloned() {
            record_fields.insert("principal_name".to_owned(), who);
        }
        for (field, kind) in FIELDS {
            if let Some(name) = record_fields.get(field).and_then(Value::as_str) {
                let name = payload(kind, name);
                record_fields.insert(field.to_owned(), name.into());
            }
        }
        if let Some(path) = record_fields.get("url_path").and_then(Value::as_str) {
            let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
            let path = format!("/{}/{rest}", payload("path", first));
            record_fields.insert("url_path".to_owned(), path.into());
        }
        out.push_str(&record.to_string());
        out.push('\n');
    }
    // Bytes that are no UTF-8 come in logs too.
    out.split(BROKEN).map(str::as_bytes).collect::<Vec<_>>().join(&0xff)
}

/// A store with what a replay of hostile logs leaves, and a finding for each payload besides.
fn store() -> Place {
    let place = Place::new();
    let logs = LOGS.map(|name| {
        let log = String::from_utf8(unpacked(&root().join("tests/corpus").join(name))).unwrap();
        // The name of a file is one that others may choose.
        let name = name.rsplit('/').next().unwrap();
        place.write(&format!("<img src=x onerror=window.__xss=50>{name}.log"), poisoned(&log))
    });
    let (found, _) = place.replay(&[&logs[0], &logs[1]], &[]);
    assert!(!found.is_empty(), "the replay finds nothing");
    made::write(&place.path("store"), "hostile", PAYLOADS.len() as u32, made::hostile);
    place
}

/// Opens a page: nothing on it is of anybody else's making.
#[track_caller]
fn visit(tab: &mut Tab, served: &Served, path: &str) {
    open(tab, served, path);
    assert_eq!(checks::foreign(tab), Vec::<String>::new(), "{path}");
}

/// Fails where the text that people see lacks what a name says.
#[track_caller]
fn shows(text: &str, payload: &str, page: &str) {
    let (text, payload) = (seen(text), seen(payload));
    assert!(text.contains(&payload), "{page} does not show {payload}, but\n{text}");
}

/// The pages that list, and what is typed into them.
fn lists(tab: &mut Tab, served: &Served) {
    visit(tab, served, "/");
    let mut text = tab.text("main");
    let mut pages = 1;
    while tab.count(&mark("next-page")) > 0 && pages < 10 {
        tab.follow(&mark("next-page"));
        assert_eq!(checks::foreign(tab), Vec::<String>::new(), "page {pages}");
        text.push_str(&tab.text("main"));
        pages += 1;
    }
    for payload in PAYLOADS {
        shows(&text, payload, "the list of findings");
    }
    for path in ["/incidents", "/identities", "/coverage"] {
        visit(tab, served, path);
    }
    for table in ["findings_current", "incidents_current", "identities", "endpoints", "windows"] {
        let sql = encoded(&format!("SELECT * FROM {table}"));
        visit(tab, served, &format!("/sql?q={sql}"));
        assert!(tab.count(&mark("sql-table")) > 0, "{table}: {}", tab.text("main"));
    }
    visit(tab, served, "/incidents");
    let incident = "main a[href^='/incidents/']";
    if tab.count(incident) > 0 {
        let path = tab.attribute(incident, "href").unwrap();
        visit(tab, served, &path);
    }
    for payload in PAYLOADS.iter().step_by(step()) {
        visit(tab, served, &format!("/?identity={}", encoded(payload)));
        let field = format!("{} [name=identity], [name=identity]", mark("filter-form"));
        let script = format!("() => document.querySelector(`{field}`).value");
        shows(&tab.evaluate::<String>(&script), payload, "the filter");
    }
}

/// The pages of single findings and identities.
fn details(tab: &mut Tab, served: &Served, place: &Place) {
    for number in (0..PAYLOADS.len()).step_by(step()) {
        let finding = made::hostile(number as u32);
        let path = format!("/findings/{}", finding.id);
        visit(tab, served, &path);
        shows(&tab.text(&mark("finding-sentence")), &finding.sentence, &path);
        let (event, shown) = (&finding.evidence[0], tab.text(&mark("evidence")));
        shows(&shown, &event.request, &path);
        shows(&shown, event.client_address.as_deref().unwrap(), &path);
        shows(&shown, event.agent.as_deref().unwrap(), &path);
        shows(&shown, event.input.as_deref().unwrap(), &path);
        shows(&tab.text(&mark("contributors")), &finding.contributors[0].name, &path);
        shows(&tab.text(&mark("counterfactual")), &finding.counterfactual, &path);
        tab.follow(&mark("identity-link"));
        assert_eq!(checks::foreign(tab), Vec::<String>::new(), "the identity of {path}");
        shows(&tab.text("main"), finding.principal_id.as_deref().unwrap(), "its identity");
    }
    let sql = "SELECT tenant_id, principal_id FROM identities ORDER BY 2";
    let known = ok(place.run(&["query", sql, "--output", "ndjson"])).rows();
    assert!(known.len() > 20, "{} identities", known.len());
    for row in known.iter().step_by(2 * step()) {
        let (tenant, id) =
            (row["tenant_id"].as_str().unwrap(), row["principal_id"].as_str().unwrap());
        let path = format!("/identity?tenant={}&id={}", encoded(tenant), encoded(id));
        visit(tab, served, &path);
        shows(&tab.text("main"), id, &path);
    }
}

/// What somebody says of a finding may be as hostile as what it is about.
fn judged(tab: &mut Tab, served: &Served) {
    let path = format!("/findings/{}", made::hostile(0).id);
    let reason = PAYLOADS[..8].join(" ");
    open(tab, served, &path);
    tab.fill(&format!("{} [name=reason]", mark("verdict-form")), &reason);
    tab.follow(&mark("verdict-malicious"));
    visit(tab, served, &path);
    shows(&tab.text(&mark("verdict-current")), &reason, &path);
}

/// Pages that are not there, and questions that make no sense: their answers repeat what was asked.
fn wrong(browser: &Chromium, served: &Served) {
    let mut tab = browser.open(Policy::Ignored);
    for payload in PAYLOADS.iter().step_by(step()) {
        let text = encoded(payload);
        for path in [
            format!("/{text}"),
            format!("/findings/{text}"),
            format!("/incidents/{text}"),
            format!("/identity?tenant={text}&id={text}"),
            format!("/?severity={text}&since={text}&page={text}"),
            format!("/sql?q={text}"),
        ] {
            let answer = tab.goto(&served.at(&path));
            assert!((200..500).contains(&answer.status), "{path}: {}", answer.status);
            assert_eq!(checks::foreign(&mut tab), Vec::<String>::new(), "{path}");
        }
    }
    let log = tab.log();
    let ran = (&log.errors, &log.dialogs, &log.popups);
    assert_eq!(ran, (&Vec::new(), &Vec::new(), &Vec::new()));
    assert_eq!(log.elsewhere(&served.origin), Vec::<&str>::new());
}

#[test]
fn no_name_runs_on_a_page_and_every_name_is_shown_as_text() {
    const TEST: &str = "no_name_runs_on_a_page_and_every_name_is_shown_as_text";
    let Some(browser) = chromium(TEST) else { return };
    let place = store();
    let served = Served::copy_of(&place.path("store"), &[]);
    // Without the policy that forbids scripts, so that nothing but what the pages do protects.
    let mut tab = browser.open(Policy::Ignored);
    lists(&mut tab, &served);
    details(&mut tab, &served, &place);
    judged(&mut tab, &served);
    was_quiet(&mut tab, &served.origin);
    wrong(browser, &served);
    // With it there is nothing for it to forbid: a page that had tried would have complained.
    let mut kept = browser.open(Policy::Kept);
    for path in ["/".to_owned(), format!("/findings/{}", made::hostile(0).id)] {
        visit(&mut kept, &served, &path);
    }
    was_quiet(&mut kept, &served.origin);
}

#[test]
fn no_name_runs_in_a_report_and_every_name_is_shown_as_text() {
    const TEST: &str = "no_name_runs_in_a_report_and_every_name_is_shown_as_text";
    let Some(browser) = chromium(TEST) else { return };
    let place = Place::new();
    made::write(&place.path("store"), "hostile", PAYLOADS.len() as u32, made::hostile);
    let file = place.path("report.html");
    let path = file.to_str().unwrap();
    ok(place.run(&["report", "--out", path, "--limit", "100"]));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("<script") && text.matches("<style").count() == 1, "{}", text.len());
    let address = format!("file://{path}");
    let mut tab = browser.open(Policy::Ignored);
    tab.goto(&address);
    assert_eq!(checks::foreign(&mut tab), Vec::<String>::new());
    let body = tab.text("body");
    for payload in PAYLOADS {
        shows(&body, payload, "the report");
    }
    let log = tab.log();
    assert_eq!(log.problems(), Vec::<String>::new());
    assert_eq!(log.requests, [address], "a report asks for nothing");
}
