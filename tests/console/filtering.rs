//! Filters show what the command shows with the same filters, and keep what was chosen.

use super::served::Served;
use super::{mark, ok, open, shared, tab, was_quiet};
use crate::habitus::{Place, text};
use crate::services::Tab;

/// The ids of the command's list.
#[track_caller]
fn listed(served: &Served, more: &[&str]) -> Vec<String> {
    let args = [&["findings", "--output", "ndjson", "--limit", "1000"], more].concat();
    let rows = ok(Place::new().run_at(served.store().to_str().unwrap(), &args)).rows();
    rows.iter().map(|row| text(row, "finding_id").to_owned()).collect()
}

/// The ids of the page's list.
#[track_caller]
fn shown(tab: &mut Tab) -> Vec<String> {
    let script = format!(
        "() => [...document.querySelectorAll(`{}`)]
            .map(it => it.getAttribute('href').split('/').pop().split('?')[0])",
        mark("finding-row") + " " + &mark("finding-link")
    );
    tab.evaluate(&script)
}

#[test]
fn filters_show_what_the_command_shows() {
    const TEST: &str = "filters_show_what_the_command_shows";
    let Some(mut tab) = tab(TEST) else { return };
    let served = shared();
    open(&mut tab, served, "/");
    let all = shown(&mut tab);
    assert_eq!(all, listed(served, &[]));
    assert!(all.len() > 10, "{}", all.len());

    tab.choose(&mark("filter-severity"), "high");
    tab.follow(&mark("filter-apply"));
    let severe = shown(&mut tab);
    assert!(!severe.is_empty() && severe.len() < all.len(), "{}", severe.len());
    assert_eq!(severe, listed(served, &["--severity", "high"]));
    let kept: String =
        tab.evaluate(&format!("() => document.querySelector(`{}`).value", mark("filter-severity")));
    assert_eq!(kept, "high", "what was chosen is still chosen");

    open(&mut tab, served, "/");
    tab.choose(&mark("filter-detector"), "machine_speed");
    tab.follow(&mark("filter-apply"));
    let fast = shown(&mut tab);
    assert!(!fast.is_empty() && fast.len() < all.len(), "{}", fast.len());
    assert_eq!(fast, listed(served, &["--detector", "machine_speed"]));

    let rows = ok(Place::new().run_at(
        served.store().to_str().unwrap(),
        &["findings", "--output", "ndjson", "--limit", "1"],
    ));
    let who = text(&rows.rows()[0], "principal_id").to_owned();
    open(&mut tab, served, "/");
    tab.fill(&mark("filter-identity"), &who);
    tab.follow(&mark("filter-apply"));
    let own = shown(&mut tab);
    assert!(!own.is_empty() && own.len() < all.len(), "{}", own.len());
    assert_eq!(own, listed(served, &["--identity", &who]));
    assert!(tab.url().contains("identity="), "the address can be sent to others: {}", tab.url());

    tab.fill(&mark("filter-identity"), "nobody-of-that-name");
    tab.follow(&mark("filter-apply"));
    assert_eq!(shown(&mut tab), Vec::<String>::new());
    tab.wait(&mark("empty"));
    was_quiet(&mut tab, &served.origin);
}
