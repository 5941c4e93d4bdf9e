//! A verdict that is given on a finding's page is one like any other.

use super::served::Served;
use super::{mark, ok, open, shared, tab, was_quiet};
use crate::habitus::{Place, Said, text};
use crate::services::Tab;

/// Runs a command on the console's store.
#[track_caller]
fn run(served: &Served, args: &[&str]) -> Said {
    ok(Place::new().run_at(served.store().to_str().unwrap(), args))
}

/// Says why, and what.
#[track_caller]
fn judge(tab: &mut Tab, reason: &str, button: &str) {
    tab.fill(&format!("{} [name=reason]", mark("verdict-form")), reason);
    tab.follow(&mark(button));
    let current = tab.text(&mark("verdict-current"));
    assert!(current.contains(reason), "{current}");
}

#[test]
fn a_verdict_given_in_the_console_is_kept_and_seen_everywhere() {
    const TEST: &str = "a_verdict_given_in_the_console_is_kept_and_seen_everywhere";
    let Some(mut tab) = tab(TEST) else { return };
    // A console of its own: others count findings that are not judged.
    let served = Served::copy_of(&shared().store(), &[]);
    open(&mut tab, &served, "/");
    let count = tab.count(&mark("finding-row"));
    tab.follow(&mark("finding-link"));
    let id = tab.url().rsplit('/').next().unwrap().to_owned();
    assert_eq!(run(&served, &["feedback", "--output", "ndjson"]).rows().len(), 0);

    let reason = "the nightly export; see <b>change 4711</b> & its \"owner\"";
    tab.fill(&format!("{} [name=until]", mark("verdict-form")), "30d");
    judge(&mut tab, reason, "verdict-benign");
    let current = tab.text(&mark("verdict-current"));
    assert!(current.contains("benign") && current.contains("Left out until"), "{current}");
    assert!(!current.contains("for good"), "{current}");
    assert!(current.contains("this finding"), "in the words of the form: {current}");
    let said = run(&served, &["feedback", "--output", "ndjson"]).rows();
    assert_eq!(said.len(), 1, "{said:?}");
    let what = ["finding_id", "verdict", "reason", "scope", "state"].map(|it| text(&said[0], it));
    assert_eq!(what, [id.as_str(), "benign", reason, "finding", "in force"]);
    assert!(!text(&said[0], "given_by").is_empty());
    let audit = "SELECT count(*) AS n FROM audit WHERE action = 'feedback' AND result = 'done'";
    assert_eq!(run(&served, &["query", audit, "--output", "csv"]).out, "n\n1\n");

    // What is benign is left out of the list, and is there where it is asked for.
    let here = format!("{} a[href*='{id}']", mark("finding-row"));
    open(&mut tab, &served, "/");
    assert_eq!((tab.count(&here), tab.count(&mark("finding-row"))), (0, count - 1));
    let left_out = tab.text(&mark("left-out"));
    assert!(left_out.contains("1 more was called benign"), "{left_out}");
    tab.follow(&format!("{} a", mark("left-out")));
    assert!(tab.url().ends_with("/?verdict=benign"), "{}", tab.url());
    assert_eq!(tab.count(&mark("left-out")), 0, "this list has it");
    assert_eq!((tab.count(&here), tab.count(&mark("finding-row"))), (1, 1));
    assert!(tab.text(&mark("finding-row")).contains("benign"));

    // The last word holds.
    tab.follow(&here);
    judge(&mut tab, "it was no export", "verdict-malicious");
    assert!(tab.text(&mark("verdict-current")).contains("malicious"));
    open(&mut tab, &served, "/");
    assert_eq!(tab.count(&here), 1);
    let page = run(&served, &["explain", &id, "--output", "table"]).out;
    assert!(page.contains("malicious") && page.contains("it was no export"), "{page}");

    // What was said is taken back, all of it.
    tab.follow(&here);
    tab.fill(&format!("{} [name=reason]", mark("verdict-form")), "nobody knows");
    tab.follow(&mark("verdict-withdraw"));
    let current = tab.text(&mark("verdict-current"));
    assert!(current.contains("Nobody has said"), "{current}");
    open(&mut tab, &served, "/");
    assert_eq!((tab.count(&here), tab.count(&mark("finding-row"))), (1, count));
    was_quiet(&mut tab, &served.origin);
}
