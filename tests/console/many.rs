//! A hundred thousand findings: the first page is as quick and as small as with a hundred.

use super::made;
use super::served::Served;
use crate::habitus::{Place, is_full};
use std::time::{Duration, Instant};

/// Findings of a busy year, and of the ordinary tier.
const FINDINGS: u32 = 100_000;
const FINDINGS_ORDINARY: u32 = 5_000;
/// How long the first page may take, and how large it may be.
const FIRST_PAGE_MAX: Duration = Duration::from_millis(300);
const FIRST_PAGE_BYTES_MAX: usize = 300_000;
/// How long a list may take whose answer is not kept yet: with a filter that nobody chose since the
/// last commit. All findings are read for it, which takes longer than the first page may.
const NOT_KEPT_MAX: Duration = Duration::from_secs(2);
/// How often it is asked for; the middle time counts.
const TIMES: usize = 9;

#[test]
fn the_first_page_of_many_findings_is_quick_and_small() {
    let place = Place::new();
    let count = if is_full() { FINDINGS } else { FINDINGS_ORDINARY };
    made::write(&place.path("store"), "many", count, made::finding);
    let served = Served::copy_of(&place.path("store"), &[]);
    // The page that everybody opens, which the console reads at its start and keeps; and one that
    // nobody has opened before.
    let first = times(&served, "/", count);
    assert!(!is_full() || first.middle <= FIRST_PAGE_MAX, "{first:?}");
    let other = times(&served, "/?severity=high", count);
    assert!(!is_full() || other.first <= NOT_KEPT_MAX, "{other:?}");
}

/// How long a page takes.
#[derive(Debug)]
struct Times {
    /// Of the first time that it was asked for.
    first: Duration,
    middle: Duration,
}

/// The times that a page takes, which are printed; each time it is small and full.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "how long a page takes is what is promised")]
fn times(served: &Served, path: &str, count: u32) -> Times {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let page = served.get(path);
        times.push(started.elapsed());
        assert_eq!(page.status, 200);
        assert!(page.body.len() <= FIRST_PAGE_BYTES_MAX, "{} bytes", page.body.len());
        let rows = page.body.matches("data-testid=\"finding-row\"").count();
        assert!(rows >= 20, "{rows} findings on a page");
        assert!(page.body.contains("data-testid=\"next-page\""), "there are more");
    }
    let first = times[0];
    times.sort_unstable();
    let times = Times { first, middle: times[TIMES / 2] };
    println!("{path} of {count} findings takes {times:?}");
    times
}

#[test]
fn every_finding_is_on_one_page_and_on_one_only() {
    let place = Place::new();
    let count = 333;
    made::write(&place.path("store"), "many", count, made::finding);
    let served = Served::copy_of(&place.path("store"), &[]);
    let mut seen = std::collections::BTreeSet::new();
    let mut path = Some("/".to_owned());
    let mut shown = 0;
    while let Some(next) = path {
        let page = served.get(&next);
        assert_eq!(page.status, 200, "{next}");
        for row in page.body.split("data-testid=\"finding-row\"").skip(1) {
            let id = row.split_once("/findings/").unwrap().1.split(['"', '?']).next().unwrap();
            shown += 1;
            seen.insert(id.to_owned());
        }
        path = page.link("next-page");
        assert!(shown <= count as usize, "{next}");
    }
    assert_eq!((seen.len(), shown), (count as usize, count as usize));
}
