//! The pictures in README.md: the console and the report as they are, of a day that is the same each time.

use super::served::Served;
use super::{look_at, mark, ok, open, shared, tab};
use crate::habitus::{Place, root, text, variable};
use crate::services::{Scheme, Tab};
use std::path::Path;

/// Bytes of a picture at most: who reads README.md loads all of them.
const BYTES_MAX: u64 = 150_000;
/// How high the pictures are, by 1280 or 390 wide.
const DESK: (u32, u32) = (1280, 860);
const PHONE: (u32, u32) = (390, 780);

/// Takes a picture of what the tab shows; `HABITUS_UPDATE_SNAPSHOTS=1` puts it into `docs/images`.
#[track_caller]
fn picture(tab: &mut Tab, place: &Place, name: &str, size: (u32, u32), scheme: Scheme) {
    tab.viewport(size.0, size.1);
    tab.colour_scheme(scheme);
    let path = place.path(name);
    tab.screenshot(&path);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(dimensions(&bytes), size, "{name}");
    let length = bytes.len() as u64;
    assert!((5_000..=BYTES_MAX).contains(&length), "{name} has {length} bytes");
    if variable("HABITUS_UPDATE_SNAPSHOTS") {
        let images = root().join("docs/images");
        std::fs::create_dir_all(&images).unwrap();
        std::fs::write(images.join(name), &bytes).unwrap();
    }
}

/// Width and height of a PNG, which stand at fixed places in it.
#[track_caller]
fn dimensions(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "no PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn pictures_of_the_console_are_small_and_whole() {
    const TEST: &str = "pictures_of_the_console_are_small_and_whole";
    let Some(mut tab) = tab(TEST) else { return };
    let (served, place) = (shared(), Place::new());
    open(&mut tab, served, "/");
    picture(&mut tab, &place, "console-findings.png", DESK, Scheme::Light);
    open(&mut tab, served, &told(served));
    picture(&mut tab, &place, "console-finding.png", DESK, Scheme::Light);
    picture(&mut tab, &place, "console-finding-phone.png", PHONE, Scheme::Dark);
    tab.viewport(DESK.0, DESK.1);
    tab.follow(&mark("identity-link"));
    picture(&mut tab, &place, "console-identity.png", DESK, Scheme::Light);
}

/// The page of the first finding with a band, which says most.
#[track_caller]
fn told(served: &Served) -> String {
    let args = ["findings", "--detector", "object_enumeration", "--output", "ndjson"];
    let rows = ok(Place::new().run_at(served.store().to_str().unwrap(), &args)).rows();
    format!("/findings/{}", text(&rows[0], "finding_id"))
}

#[test]
fn a_report_is_one_file_that_everybody_can_read() {
    const TEST: &str = "a_report_is_one_file_that_everybody_can_read";
    let Some(mut tab) = tab(TEST) else { return };
    let (store, place) = (shared().store(), Place::new());
    let file = place.path("report.html");
    let path = file.to_str().unwrap();
    let report = ["report", "--out", path];
    ok(place.run_at(store.to_str().unwrap(), &report));
    let address = format!("file://{path}");
    tab.goto(&address);
    look_at(&mut tab, "the report");
    let all = ok(place.run_at(store.to_str().unwrap(), &["findings", "--output", "ndjson"])).rows();
    let body = tab.text("body");
    assert!(body.contains(text(&all[0], "sentence")), "{body}");
    assert!(tab.count("svg[role=img]") > 0, "it has no chart");
    let log = tab.log();
    assert_eq!(log.problems(), Vec::<String>::new());
    assert_eq!(log.requests, [address], "it asks for nothing");
    picture(&mut tab, &place, "report.png", DESK, Scheme::Light);
    // The same store gives the same report.
    let bytes = std::fs::read(&file).unwrap();
    ok(place.run_at(store.to_str().unwrap(), &report));
    assert!(std::fs::read(&file).unwrap() == bytes, "it has changed by itself");
}

#[test]
fn readme_shows_pictures_that_are_there_and_no_others_are_kept() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown: Vec<_> = readme
        .split("docs/images/")
        .skip(1)
        .filter_map(|it| it.split([')', '"', ' ']).next())
        .collect();
    assert!(shown.len() >= 4, "README.md shows {shown:?}");
    let images = root().join("docs/images");
    for name in &shown {
        let path = images.join(name);
        let length = path.metadata().map(|it| it.len()).unwrap_or_default();
        assert!(
            (1..=BYTES_MAX).contains(&length),
            "{name} has {length} bytes: HABITUS_UPDATE_SNAPSHOTS=1 cargo test pictures report"
        );
    }
    for entry in std::fs::read_dir(&images).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|it| it.to_str()).unwrap().to_owned();
        let is_png = Path::new(&name).extension().is_some_and(|it| it == "png");
        assert!(is_png && shown.contains(&name.as_str()), "nothing shows docs/images/{name}");
    }
}
