//! Filters show what the command shows with the same filters, and keep what was chosen.

use super::served::Served;
use super::{findings, mark, open, shared, tab, was_quiet};
use crate::habitus::text;
use crate::services::Tab;

/// The ids of the command's list.
#[track_caller]
fn listed(served: &Served, more: &[&str]) -> Vec<String> {
    let rows = findings(served, more);
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

    let who = text(&findings(served, &[])[0], "principal_id").to_owned();
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
