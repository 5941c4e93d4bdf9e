//! Every page opens, for everybody; from a finding one gets to whoever it is about, also without a mouse.

use super::served::{Served, encoded};
use super::{findings, look_at, made, mark, open, shared, tab, was_quiet};
use crate::habitus::{Place, text};
use crate::services::Tab;
use model::Finding;
use serde_json::Value;

/// Opens whatever is folded.
const UNFOLD: &str = "() => document.querySelectorAll('details').forEach(it => it.open = true)";

/// The address that the first element found leads to.
#[track_caller]
fn leads_to(tab: &mut Tab, selector: &str) -> String {
    assert!(tab.count(selector) > 0, "{} has no {selector}", tab.url());
    tab.attribute(selector, "href").unwrap()
}

#[test]
fn every_page_opens_and_can_be_read_and_reached_by_everybody() {
    const TEST: &str = "every_page_opens_and_can_be_read_and_reached_by_everybody";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    let visit = |tab: &mut Tab, path: &str| {
        open(tab, served, path);
        assert_eq!(tab.count("h1"), 1, "{path}");
        look_at(tab, path);
    };
    visit(&mut tab, "/");
    let finding = leads_to(&mut tab, &mark("finding-link"));
    visit(&mut tab, &finding);
    let identity = leads_to(&mut tab, &mark("identity-link"));
    visit(&mut tab, &identity);
    visit(&mut tab, "/incidents");
    let incident = leads_to(&mut tab, "main a[href^='/incidents/']");
    visit(&mut tab, &incident);
    let sql = encoded("SELECT severity, count(*) AS n FROM findings_current GROUP BY 1");
    for path in ["/identities", "/coverage", "/sql", &format!("/sql?q={sql}")] {
        visit(&mut tab, path);
    }
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn an_incident_is_meant_by_a_beginning_of_its_id() {
    let served = shared();
    let list = served.get("/incidents").body;
    let id = list.split("href=\"/incidents/").nth(1).and_then(|it| it.split('"').next());
    let id = id.unwrap_or_else(|| panic!("no incident in {list}"));
    let whole = served.get(&format!("/incidents/{id}"));
    assert_eq!(whole.status, 200);
    let beginning: String = id.chars().take(8).collect();
    for typed in [beginning.clone(), beginning.to_uppercase(), id.to_uppercase()] {
        let answer = served.get(&format!("/incidents/{typed}"));
        assert!(answer.status == 200 && answer.body == whole.body, "{typed}: {}", answer.body);
    }
    for wrong in ["", "0", "abc", "nothing", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(served.get(&format!("/incidents/{wrong}")).status, 404, "{wrong}");
    }
    for page in ["/incidents/0", "/findings/1"] {
        let answer = served.get(page).body;
        assert!(answer.contains("give its first 4 or more characters"), "{page}: {answer}");
    }
}

#[test]
fn one_gets_from_a_finding_to_its_identity() {
    const TEST: &str = "one_gets_from_a_finding_to_its_identity";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    let all = findings(served, &[]);
    open(&mut tab, served, "/");
    tab.wait(&mark("findings-table"));
    assert_eq!(tab.count(&mark("finding-row")), all.len());
    // Not every finding can say what most of it came from.
    let first = all.iter().find(|it| text(it, "contributors") != "[]").unwrap();
    let link = format!("{}[href='/findings/{}']", mark("finding-link"), text(first, "finding_id"));
    tab.follow(&link);
    assert!(tab.url().ends_with(&format!("/findings/{}", text(first, "finding_id"))));
    assert_eq!(tab.text(&mark("finding-sentence")).trim(), text(first, "sentence"));
    let counterfactual = tab.text(&mark("counterfactual"));
    assert!(counterfactual.contains(text(first, "counterfactual")), "{counterfactual}");
    let evidence: Vec<Value> = serde_json::from_str(text(first, "evidence")).unwrap();
    let shown = tab.text(&mark("evidence"));
    for event in &evidence {
        assert!(shown.contains(text(event, "request")), "{event} is not in {shown}");
    }
    for chart in ["band-chart", "contributors"] {
        assert!(tab.count(&mark(chart)) > 0, "there is no {chart}");
    }
    let svg = format!("{0} svg[role=img], svg[role=img]{0}", mark("band-chart"));
    let label = tab.attribute(&svg, "aria-label").unwrap_or_default();
    assert!(!label.is_empty(), "the chart says nothing to whoever cannot see it");
    tab.follow(&mark("identity-link"));
    let who = text(first, "principal_id");
    assert!(tab.url().contains(&format!("id={}", encoded(who))), "{}", tab.url());
    assert!(tab.text("main").contains(who));
    for part in ["identity-timeline", "identity-habits", "identity-privileges", "timeline-chart"] {
        assert!(tab.count(&mark(part)) > 0, "there is no {part}");
    }
    // And back from there, wherever in a long list the finding stands.
    tab.evaluate::<()>(UNFOLD);
    tab.follow(&link);
    assert_eq!(tab.text(&mark("finding-sentence")).trim(), text(first, "sentence"));
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn of_an_identity_the_latest_stands_open_and_the_rest_is_folded() {
    const TEST: &str = "of_an_identity_the_latest_stands_open_and_the_rest_is_folded";
    let Some(mut tab) = tab(TEST) else { return };
    let place = Place::new();
    let of_one = |number| Finding { principal_id: Some("svc-0".into()), ..made::finding(number) };
    made::write(&place.path("store"), "many", 30, of_one);
    let served = Served::copy_of(&place.path("store"), &[]);
    open(&mut tab, &served, "/identity?tenant=default&id=svc-0");
    let folded = tab.texts("details:not([open]) > summary");
    assert_eq!(folded, ["20 earlier lines", "20 earlier findings"]);
    // Keys pass over what nobody sees.
    tab.press("k");
    let seen: bool = tab.evaluate(
        "() => document.activeElement.tagName === 'A' && document.activeElement.checkVisibility()",
    );
    assert!(seen, "{}", focused(&mut tab));
    tab.evaluate::<()>("() => document.querySelector('summary').focus()");
    tab.press("Enter");
    assert_eq!(tab.count("details[open]"), 1, "the keyboard opens it");
    look_at(&mut tab, "an identity with many findings");
    was_quiet(&mut tab, &served.origin);
}

/// What has the focus.
#[track_caller]
fn focused(tab: &mut Tab) -> String {
    tab.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")
}

#[test]
fn the_keyboard_is_enough() {
    const TEST: &str = "the_keyboard_is_enough";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    open(&mut tab, served, "/");
    // The first stop leads past what every page begins with.
    tab.press("Tab");
    let skip = focused(&mut tab);
    assert!(skip.contains("href=\"#"), "{skip}");
    let outlined: bool = tab.evaluate(
        "() => { const it = getComputedStyle(document.activeElement);
            return it.outlineStyle !== 'none' || it.boxShadow !== 'none'; }",
    );
    assert!(outlined, "nobody sees where the focus is");
    tab.press("Enter");
    let mut stops = Vec::new();
    while !stops.iter().any(|it: &String| it.contains("finding-link")) {
        assert!(stops.len() < 40, "the first finding is not reached: {stops:#?}");
        tab.press("Tab");
        stops.push(focused(&mut tab));
    }
    assert!(
        !stops.iter().any(|it| it.contains("href=\"/coverage\"")),
        "it was not led past: {stops:?}"
    );
    tab.press_and_follow("Enter");
    tab.wait(&mark("finding-sentence"));
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn keys_move_from_row_to_row_and_into_the_filter() {
    const TEST: &str = "keys_move_from_row_to_row_and_into_the_filter";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    open(&mut tab, served, "/");
    let row = "() => [...document.querySelectorAll('[data-testid=finding-row]')]
        .indexOf(document.activeElement.closest('[data-testid=finding-row]'))";
    for (key, wanted) in [("j", 0), ("j", 1), ("j", 2), ("k", 1)] {
        tab.press(key);
        assert_eq!(tab.evaluate::<i64>(row), wanted, "after {key}: {}", focused(&mut tab));
    }
    tab.press("/");
    assert!(focused(&mut tab).contains("filter-identity"), "{}", focused(&mut tab));
    // There a letter is a letter.
    tab.press("j");
    let typed: String = tab.evaluate("() => document.activeElement.value");
    assert_eq!(typed, "j");
    tab.press("Escape");
    tab.press("?");
    let help = "dialog[open]";
    assert!(tab.text(help).contains("next row"), "{}", tab.text(help));
    assert_eq!(tab.accessibility().severe(), Vec::<String>::new());
    tab.press("Escape");
    assert_eq!(tab.count(help), 0);
    tab.press("j");
    tab.press_and_follow("Enter");
    tab.wait(&mark("finding-sentence"));
    was_quiet(&mut tab, &served.origin);
}

#[test]
fn an_empty_store_says_so_on_every_page() {
    const TEST: &str = "an_empty_store_says_so_on_every_page";
    let Some(mut tab) = tab(TEST) else { return };
    let place = Place::new();
    made::write(&place.path("store"), "none", 0, made::finding);
    let served = Served::copy_of(&place.path("store"), &[]);
    for path in ["/", "/incidents", "/identities", "/coverage"] {
        open(&mut tab, &served, path);
        assert!(tab.count(&mark("empty")) > 0, "{path} says nothing: {}", tab.text("main"));
        look_at(&mut tab, path);
    }
    was_quiet(&mut tab, &served.origin);
}
