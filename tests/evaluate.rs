//! `habitus evaluate`: how well attacks are found in the traffic of a whole company.

use crate::habitus::{Place, is_full, text};
use serde_json::Value;

#[track_caller]
fn report(said: &crate::habitus::Said) -> Value {
    assert!(matches!(said.code, 0 | 3), "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

fn recall(report: &Value, strength: &str) -> f64 {
    report["strengths"][strength]["recall"].as_f64().unwrap()
}

/// Prints what was missed, which no number says.
fn tell(report: &Value) {
    for attack in report["attacks"].as_array().unwrap() {
        if attack["found"] != true {
            println!("missed: {}: {}", text(attack, "attack"), text(attack, "story"));
        }
    }
    for other in report["other_findings"].as_array().unwrap() {
        println!("belongs to no attack: {}", text(other, "sentence"));
    }
    println!("evaluate: {:#} {:#}", report["strengths"], report["bars"]);
}

/// Two days and 200 identities: every kind of attack that needs no longer history.
#[test]
fn a_small_company_has_its_attacks_found() {
    let place = Place::new();
    let args = ["evaluate", "--days", "2", "--identities", "200", "--output", "json"];
    let said = place.run(&[&args[..], &["--seed", "7"]].concat());
    let report = report(&said);
    tell(&report);
    assert_eq!(report["rejected"], 0);
    assert!(report["attacks"].as_array().unwrap().len() >= 25);
    // Measured: one loud one is missed, a first call of the administration.
    assert!(recall(&report, "loud") >= 0.9);
    assert!(recall(&report, "moderate") >= 0.8);
    assert!(recall(&report, "weak") >= 0.3);
    assert!(report["strengths"]["loud"]["seconds_median"].as_f64().unwrap() <= 10.0);
    assert!(report["others_per_day"].as_f64().unwrap() <= 10.0);
}

/// What the issue wants: 14 days, 2 000 identities, three seeds that nobody chose.
#[test]
fn a_whole_company_has_its_attacks_found() {
    if !is_full() {
        println!("skipped: evaluate at full size: HABITUS_TESTS_FULL=1");
        return;
    }
    let said = Place::new().run(&["evaluate", "--seeds", "3", "--require", "--output", "json"]);
    let report = report(&said);
    println!("seeds {}", report["seeds"]);
    tell(&report);
    assert_eq!(said.code, 0, "a bar does not hold");
}

/// Findings a day that ordinary traffic may raise, and by how much that may be missed.
const BUDGET: f64 = 10.0 * 1.3;

/// Few or many call, for days or weeks, and nothing happens: the budget holds once the first day is over.
#[test]
fn ordinary_traffic_stays_within_the_budget_however_many_call() {
    let sizes: &[(&str, &str)] =
        if is_full() { &[("50", "30"), ("2000", "7"), ("50000", "2")] } else { &[("50", "4")] };
    for (identities, days) in sizes {
        let sizes = ["--identities", identities, "--days", days];
        let args = ["--attacks", "none", "--seed", "5", "--output", "json"];
        let said = Place::new().run(&[&["evaluate"], &sizes[..], &args].concat());
        let report = report(&said);
        let findings = report["other_findings"].as_array().unwrap();
        // The traffic begins on 2026-03-02; its first day is the warm-up.
        let later =
            |it: &&Value| it["detected_at_s"].as_f64().unwrap() >= 1_772_409_600.0 + 86_400.0;
        let told = findings.iter().filter(later).count() as f64;
        let a_day = told / (days.parse::<f64>().unwrap() - 1.0);
        println!(
            "ordinary traffic: {identities} identities, {days} days: {a_day:.1} findings a day"
        );
        assert!(report["events"].as_u64().unwrap() > 10_000);
        assert!(a_day <= BUDGET, "{a_day} a day of {identities} identities");
    }
}

#[test]
fn one_seed_gives_one_report() {
    let args = ["evaluate", "--days", "1", "--people", "20", "--services", "6", "--agents", "5"];
    let run = || {
        let said = Place::new().run(&[&args[..], &["--seed", "3", "--output", "json"]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        said.out
    };
    assert_eq!(run(), run());
}

#[test]
fn somebodys_own_log_is_judged_by_their_truth() {
    let place = Place::new();
    let (log, truth) = (place.path("log.ndjson"), place.path("truth.json"));
    let (log, truth) = (log.to_str().unwrap(), truth.to_str().unwrap());
    let sizes = ["--people", "60", "--services", "12", "--agents", "12"];
    let more = ["--out", log, "--truth", truth, "--format", "canonical"];
    let said = place.run(&[&["simulate"], &sizes[..], &more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let said = place.run(&["evaluate", "--log", log, "--truth", truth, "--output", "json"]);
    let report = report(&said);
    assert!(report["strengths"]["loud"]["found"].as_u64().unwrap() >= 3, "{:#}", report["attacks"]);
    // The same as a table, with the bars.
    let table =
        place.run(&["evaluate", "--log", log, "--truth", truth, "--require", "--output", "table"]);
    assert!(matches!(table.code, 0 | 3), "{}", table.err);
    assert!(table.out.contains("findings a day that belong to no attack"), "{}", table.out);
    assert!(table.out.starts_with("seed 1\n"), "{}", table.out);
    for (text, why) in [
        ("{", "is no truth of a log"),
        (
            r#"{"attacks":[{"name":"x","detector":"y","principal":"z","start":"never","end":"2026-03-02","strength":"loud"}]}"#,
            "no time",
        ),
        (
            r#"{"attacks":[{"name":"x","detector":"y","principal":"z","start":"2026-03-03","end":"2026-03-02","strength":"loud"}]}"#,
            "ends before",
        ),
        (
            r#"{"attacks":[{"name":"x","detector":"y","principal":"z","start":"2026-03-01","end":"2026-03-02","strength":"odd"}]}"#,
            "write loud",
        ),
    ] {
        let wrong = place.write("wrong.json", text);
        let said = place.run(&["evaluate", "--log", log, "--truth", &wrong]);
        assert_eq!((said.code, said.err.lines().count()), (1, 1), "{}", said.err);
        assert!(said.err.contains(why), "{}", said.err);
    }
}

#[test]
fn what_is_required_and_does_not_hold_has_an_exit_code_of_its_own() {
    let place = Place::new();
    let log = place.write("log.ndjson", concat!(
        r#"{"time":"2026-03-02T10:00:00Z","principal_id":"a","http_request_method":"GET","url_path":"/x","http_response_status_code":200}"#,
        "\n",
    ));
    let truth = place.write(
        "truth.json",
        r#"{"attacks":[{"name":"x","detector":"egress_spike","principal":"a","start":"2026-03-02T10:00","end":"2026-03-02T10:01","strength":"loud"}]}"#,
    );
    let args = ["evaluate", "--log", &log, "--truth", &truth, "--output", "json"];
    assert_eq!(place.run(&args).code, 0);
    assert_eq!(place.run(&[&args[..], &["--require"]].concat()).code, 3);
}
