//! Learning under control: announced changes, frozen baselines, and detectors that are told what they
//! may speak about; none of it changes what is learned of others.

use crate::habitus::{Place, count, root, text};
use crate::service::Service;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Hours of ordinary calls of ten consumers, two endpoints each minute or so.
fn hours(from: u32, until: u32) -> String {
    let mut out = String::new();
    for hour in from..until {
        for (turn, who) in (0..12).flat_map(|turn| (0..10).map(move |who| (turn, who))) {
            let (day, second) = (hour / 24 + 1, turn * 300 + who * 7);
            let path = if (turn + who) % 3 == 0 { "/orders" } else { "/stock" };
            writeln!(
                out,
                "{{\"time\":\"2026-04-{day:02}T{:02}:{:02}:{:02}Z\",\"consumer\":\"shop-{who}\",\
                 \"method\":\"GET\",\"path\":\"{path}\",\"status\":200,\"bytes_out\":900,\
                 \"ip\":\"192.0.2.7\"}}",
                hour % 24,
                second / 60,
                second % 60,
            )
            .unwrap();
        }
    }
    out
}

fn identities(place: &Place) -> Vec<Value> {
    let sql = "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY principal_id ORDER BY \
               last_seen DESC, stated_at DESC, requests DESC) AS place \
               FROM identities) WHERE place = 1 ORDER BY principal_id";
    let said = place.run(&["query", sql, "--output", "ndjson"]);
    if said.code == 0 { said.rows() } else { Vec::new() }
}

fn of<'a>(rows: &'a [Value], who: &str) -> &'a Value {
    rows.iter().find(|it| text(it, "principal_id") == who).unwrap()
}

#[test]
fn nothing_is_learned_in_an_announced_change_and_of_others_as_ever() {
    let place = Place::new();
    let log = place.write("log.ndjson", hours(0, 48));
    place.write(
        "habitus.toml",
        "[[detect.change_windows]]\nfrom = '2026-04-02T10:30:00Z'\nuntil = '2026-04-02T14:00:00Z'\n\
         reason = 'a migration'\nidentities = ['shop-3', 'nobody*']\nendpoints = ['GET /orders*']\n",
    );
    place.replay(&[&log], &[]);
    let with = identities(&place);
    let withheld = |who: &str| count(of(&with, who), "windows_withheld");
    assert_eq!(withheld("shop-3"), 4, "the hours from 10 to 14, which all had calls to /orders");
    assert_eq!(withheld("shop-4"), 0);
}

#[test]
fn a_detector_keeps_to_its_scope_and_baselines_stay() {
    let file = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let run = |config: &str| {
        let place = Place::new();
        place.write("habitus.toml", config);
        let (findings, _) = place.replay(&[file.to_str().unwrap()], &[]);
        let sweep = |it: &&Value| text(it, "detector") == "object_enumeration";
        (findings.iter().filter(sweep).count(), identities(&place))
    };
    let (found, before) = run("");
    assert!(found > 0);
    let table = "[detect.detectors.object_enumeration]\n";
    let silent = [
        "enabled = false",
        "except_identities = ['fin-*']",
        "identities = ['nobody']",
        "endpoints = ['POST *']",
        "except_endpoints = ['GET /invoices/*']",
    ];
    for told in silent {
        let (found, after) = run(&format!("{table}{told}\n"));
        assert_eq!(found, 0, "{told}");
        // Whose hours raised nothing else, learned as before: the others learn no less.
        let known = |rows: &[Value]| -> Vec<String> {
            let others = rows.iter().filter(|it| text(it, "principal_id") != "fin-07");
            others.map(|it| format!("{}{}", it["endpoints_usual"], it["windows_learned"])).collect()
        };
        assert_eq!(known(&after), known(&before), "{told}");
    }
    let (found, _) = run(&format!("{table}identities = ['fin-*']\nendpoints = ['GET *']\n"));
    assert!(found > 0);
}

/// Looks until it is so.
#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("not so after two minutes: {what}");
}

#[test]
fn a_service_freezes_thaws_resets_and_takes_back_baselines() {
    let place = Place::new();
    place.write("habitus.toml", "[run]\nepoch_seconds = 1\nlisten = ''\n");
    let log = place.write("log.ndjson", hours(0, 30));
    let append = |from, until| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(hours(from, until).as_bytes()).unwrap();
    };
    let service = Service::start_with(&place, "store", None, &["--source", &log]);
    let seen = |hour: u32| {
        let last = format!("2026-04-{:02}T{:02}", hour / 24 + 1, hour % 24);
        wait(&format!("hour {hour} was judged"), || {
            let rows = identities(&place);
            rows.len() == 10 && rows.iter().all(|it| text(it, "last_seen") >= last.as_str())
        });
    };
    // A state is written at the end of an hour, so that the hour after it must have begun.
    seen(28);
    let order = |args: &[&str]| {
        let said = place.run(&[&["baseline"], args, &["--wait", "60"]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.err.contains("the service has done it"), "{}", said.err);
    };
    let learned = |who: &str| count(of(&identities(&place), who), "windows_learned");
    let before = learned("shop-1");
    assert!(before >= 25, "{before}");
    order(&["freeze", "shop-1"]);
    order(&["reset", "shop-2"]);
    let said = place.run(&[
        "change-window",
        "add",
        "--from",
        "2026-04-02T06:00",
        "--until",
        "2026-04-02T09:00",
        "--reason",
        "a test",
        "--identity",
        "shop-5",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let id = said.out.trim().to_owned();
    let said = place.run(&["change-window", "list", "--output", "json"]).out;
    let [listed]: [Value; 1] = serde_json::from_str(&said).unwrap();
    assert_eq!((text(&listed, "id"), text(&listed, "reason")), (id.as_str(), "a test"));
    // Taken up with the next epoch, before the hours that it is about are judged.
    order(&["thaw", "shop-9"]);
    append(30, 40);
    seen(38);
    let rows = identities(&place);
    assert_eq!(text(of(&rows, "shop-1"), "baseline_state"), "frozen");
    let frozen = count(of(&rows, "shop-1"), "windows_learned");
    assert!(frozen <= before + 2, "{frozen}, not about {before}");
    let (anew, usual) = (of(&rows, "shop-2"), of(&rows, "shop-3"));
    assert!(count(anew, "windows_learned") <= 11, "{anew}");
    assert!(count(usual, "windows_learned") >= 36, "{usual}");
    assert!(count(of(&rows, "shop-5"), "windows_withheld") >= 3);
    assert_eq!(count(usual, "windows_withheld"), 0);
    order(&["thaw", "shop-1"]);
    assert_eq!(place.run(&["change-window", "remove", &id]).code, 0);
    assert_ne!(place.run(&["change-window", "remove", &id]).code, 0, "it is gone");
    // Back to the first state of the day, which is from before the thirtieth hour.
    order(&["rollback", "shop-3", "--to", "2026-04-02T08:00"]);
    append(40, 44);
    seen(42);
    let rows = identities(&place);
    assert_eq!(text(of(&rows, "shop-1"), "baseline_state"), "active");
    assert!(count(of(&rows, "shop-1"), "windows_learned") > frozen);
    let back = count(of(&rows, "shop-3"), "windows_learned");
    let usual = count(of(&rows, "shop-4"), "windows_learned");
    assert!(back + 5 <= usual, "{back} of {usual}");
    service.stop();
    let missing = place.run(&["baseline", "freeze", "nobody-at-all"]);
    assert!(missing.code != 0 && missing.err.contains("no identity is called"), "{}", missing.err);
}

#[test]
fn no_more_changes_are_announced_than_a_service_reads() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("store/checkpoints")).unwrap();
    let add = |reason: &str| {
        let span = ["--from", "2026-04-02T06:00", "--until", "2026-04-02T09:00"];
        place.run(&[&["change-window", "add", "--reason", reason][..], &span].concat())
    };
    let said = add("one");
    assert_eq!(said.code, 0, "{}", said.err);
    let folder = place.path("store/checkpoints/control/habitus/changes");
    for number in 1..256 {
        std::fs::copy(folder.join(said.out.trim()), folder.join(format!("copy-{number}"))).unwrap();
    }
    let refused = add("another");
    assert_eq!(refused.code, 1, "{}", refused.out);
    assert!(refused.err.contains("habitus change-window remove"), "{}", refused.err);
    assert_eq!(add("one").code, 0, "it is announced already");
}
