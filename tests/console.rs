//! The console in a real browser: what people see of it, what they can do, and what nobody can.

mod access;
mod bad_input;
mod checks;
mod filtering;
mod hostile;
mod made;
mod many;
mod opening;
mod payloads;
mod screenshots;
mod served;
mod server;
mod sql;
mod verdict;

use crate::habitus::{Place, Said};
use crate::services::{Policy, Scheme, Tab, chromium};
use serde_json::Value;
use served::Served;
use std::sync::OnceLock;

/// The widths, in CSS pixels, at which every page is looked at: a desk and a phone.
const WIDTHS: [u32; 2] = [1280, 390];
const HEIGHT: u32 = 900;
/// Says by how many pixels a page is wider than what is seen of it.
const OVERFLOW: &str = "() => document.scrollingElement.scrollWidth - window.innerWidth";
/// Names what sticks out on the right, to say why a page is too wide.
const STICKS_OUT: &str = "() => [...document.querySelectorAll('body *')]
    .filter(it => it.getBoundingClientRect().right > window.innerWidth + 1)
    .slice(0, 5).map(it => it.outerHTML.slice(0, 160))";

/// The console over a day with attacks, for tests that change nothing; the first one makes the day.
pub(crate) fn shared() -> &'static Served {
    static SHARED: OnceLock<Served> = OnceLock::new();
    SHARED.get_or_init(|| {
        let place = Place::new();
        // Fingerprints are the same in each run, as all else is.
        let key = place.write("key.txt", "ab".repeat(32));
        ok(place.run(&["demo", "--key-file", &key, "--output", "json"]));
        Served::copy_of(&place.path("store"), &[])
    })
}

/// A tab of the run's browser; nothing where `test` is to be skipped.
fn tab(test: &str) -> Option<Tab> {
    Some(chromium(test)?.open(Policy::Kept))
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

/// The findings as the command lists them, the most severe first.
#[track_caller]
fn findings(served: &Served, more: &[&str]) -> Vec<Value> {
    let args = [&["findings", "--output", "ndjson", "--limit", "1000"], more].concat();
    ok(Place::new().run_at(served.store().to_str().unwrap(), &args)).rows()
}

/// The element with this mark.
fn mark(name: &str) -> String {
    format!("[data-testid={name}]")
}

/// Opens a page of the console, which is well.
#[track_caller]
fn open(tab: &mut Tab, served: &Served, path: &str) {
    let answer = tab.goto(&served.at(path));
    assert_eq!(answer.status, 200, "{path}");
    checks::policy(&answer.headers);
}

/// Looks at the page that a tab shows, light and dark, wide and narrow: what is there can be read
/// and reached by everybody, and nothing sticks out.
#[track_caller]
fn look_at(tab: &mut Tab, page: &str) {
    for scheme in [Scheme::Light, Scheme::Dark] {
        tab.colour_scheme(scheme);
        for width in WIDTHS {
            tab.viewport(width, HEIGHT);
            let found = tab.accessibility();
            assert!(found.passes > 5, "{page}: only {} rules were looked at", found.passes);
            let severe = found.severe();
            assert!(severe.is_empty(), "{page} at {width}, {scheme:?}: {severe:#?}");
            let over: i64 = tab.evaluate(OVERFLOW);
            if over > 0 {
                let out: Vec<String> = tab.evaluate(STICKS_OUT);
                panic!("{page} at {width} is {over} pixels too wide: {out:#?}");
            }
        }
    }
    tab.colour_scheme(Scheme::Light);
    tab.viewport(WIDTHS[0], HEIGHT);
}

/// Fails where a tab has done anything that a page which is well does not do.
#[track_caller]
fn was_quiet(tab: &mut Tab, origin: &str) {
    let log = tab.log();
    assert_eq!(log.problems(), Vec::<String>::new());
    assert!(!log.requests.is_empty(), "nothing was asked for");
    assert_eq!(log.elsewhere(origin), Vec::<&str>::new());
}
