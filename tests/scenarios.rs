//! Scenarios A to K: what must be found is found, and what must stay quiet stays quiet.
//!
//! B2 and I last for weeks, so they belong to the full tier.

use crate::habitus::{Place, count, is_full, text};
use serde_json::Value;

/// A company that is small, so that its traffic is made and judged within seconds.
const SMALL: [&str; 6] = ["--people", "60", "--services", "10", "--agents", "25"];
/// Findings that a scenario may add to ordinary traffic in all, where nothing went wrong: one is
/// wanted of each; of a release `joint_outlier` tells two services beside.
const MORE_MAX: [(&str, u64); 2] = [("e", 3), ("j", 1)];
/// When the fourth skill run of the day begins, in seconds after the traffic does.
const FOURTH_RUN_S: f64 = 5_400.0 + 3.0 * 9_000.0;
/// 2026-03-02T00:00:00Z.
const START_S: f64 = 1_772_409_600.0;

/// The report of one scenario, or of traffic without any, from the store `place`.
#[track_caller]
fn report(place: &Place, scenario: &str, days: &str) -> Value {
    let args = [
        &["evaluate", "--seed", "5", "--scenario", scenario, "--days", days, "--output", "json"],
        &SMALL[..],
    ];
    let said = place.run_in(scenario, &args.concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(count(&report, "rejected"), 0);
    report
}

/// The scenario's one attack is found, by the detector that is made for it.
#[track_caller]
fn check(scenario: &str, detector: &str) {
    let report = report(&Place::new(), scenario, "2");
    let attacks = report["attacks"].as_array().unwrap();
    assert_eq!(attacks.len(), 1, "{attacks:#?}");
    let by = attacks[0]["by"].as_array().unwrap();
    assert!(by.iter().any(|it| it == detector), "{scenario}: {:#}", attacks[0]);
}

#[test]
fn a_one_address_makes_nearly_all_refused_logins() {
    check("a", "auth_failures");
}

#[test]
fn b_customers_are_walked_through() {
    check("b", "object_enumeration");
}

#[test]
fn c_an_export_of_gigabytes() {
    check("c", "egress_spike");
}

#[test]
fn f_a_new_agent_is_judged_by_its_peers() {
    check("f", "object_enumeration");
}

#[test]
fn g_a_key_is_copied_to_a_second_network() {
    check("g", "new_network");
}

#[test]
fn h_a_tool_is_renamed_and_another_asks_for_more() {
    check("h", "tool_drift");
}

/// The findings about a principal that belong to no attack.
fn about<'a>(report: &'a Value, principal: &str) -> Vec<&'a Value> {
    let others = report["other_findings"].as_array().unwrap();
    others.iter().filter(|it| text(it, "principal") == principal).collect()
}

/// The principal of a twin.
fn twin<'a>(report: &'a Value, name: &str) -> &'a str {
    let mut twins = report["twins"].as_array().unwrap().iter();
    text(twins.find(|it| text(it, "twin") == name).unwrap(), "principal")
}

#[test]
fn d_e_j_and_the_victim_of_k_stay_quiet() {
    let place = Place::new();
    // Nothing goes wrong in D: its skill runs are among the twins of any day.
    let ordinary = report(&place, "d", "2");
    let runs = about(&ordinary, twin(&ordinary, "skill_run"));
    let late: Vec<_> = runs
        .iter()
        .filter(|it| it["detected_at_s"].as_f64().unwrap() >= START_S + FOURTH_RUN_S)
        .filter(|it| text(it, "detector") == "machine_speed")
        .collect();
    assert!(late.is_empty(), "{late:#?}");
    for (scenario, more_max) in MORE_MAX {
        let said = report(&place, scenario, "2");
        let (here, usual) = (count(&said, "others"), count(&ordinary, "others"));
        let told = &said["other_findings"];
        assert!(here <= usual + more_max, "{scenario}: {here}, usually {usual}: {told:#}");
    }
    let said = report(&place, "k", "2");
    let victim = twin(&said, "claimed_victim");
    assert_eq!(about(&said, victim).len(), about(&ordinary, victim).len());
    assert_eq!(text(&said["attacks"][0], "detector"), "auth_failures");
    assert_eq!(said["attacks"][0]["found"], true, "{:#}", said["attacks"]);
    // The victim's hours are those of a day on which nobody tried its name.
    let habits = |store: &str| {
        let sql = format!(
            "SELECT window_start, requests, bytes_out FROM windows WHERE principal_id = '{victim}' ORDER BY 1"
        );
        place.query(&format!("{store}/evaluate/seed-5"), &sql)
    };
    assert!(habits("k").lines().count() > 4);
    assert_eq!(habits("k"), habits("d"));
}

#[test]
fn b2_and_i_a_little_each_day_is_found_in_weeks() {
    if !is_full() {
        println!("skipped: b2 and i: they last for weeks; HABITUS_TESTS_FULL=1");
        return;
    }
    for (scenario, days) in [("b2", "37"), ("i", "67")] {
        let report = report(&Place::new(), scenario, days);
        let attack = &report["attacks"][0];
        println!("{scenario}: found by {}", attack["by"]);
        assert_eq!(attack["found"], true, "{attack:#}");
    }
}
