//! What a finding says stays true: first times are said once, revisions grow, and hostile clocks,
//! failed runs and unnamed inputs change nothing that is not theirs.

use crate::habitus::{Place, count, text};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Active hours of a day.
const HOURS: u32 = 8;

/// One call as a line of the canonical form's synonyms.
fn call(day: u32, hour: u32, second: u32, who: &str, path: &str, status: u32) -> String {
    format!(
        "{{\"time\":\"2026-04-{:02}T{:02}:{:02}:{:02}Z\",\"consumer\":\"{who}\",\"method\":\"GET\",\
         \"path\":\"{path}\",\"status\":{status},\"bytes_out\":900,\"ip\":\"192.0.2.7\"}}\n",
        day + 1,
        9 + hour,
        second / 60,
        second % 60,
    )
}

/// The day, the hour and what else happens in that hour after the usual calls.
type Extra<'a> = (u32, u32, &'a str);

/// Days of 30 consumers that call the same three endpoints eight times in each of eight hours.
fn days(days: u32, extra: &[Extra<'_>]) -> String {
    const PATHS: [&str; 3] = ["/orders", "/invoices", "/stock"];
    let mut out = String::new();
    for (day, hour) in (0..days).flat_map(|day| (0..HOURS).map(move |hour| (day, hour))) {
        for (turn, who) in (0..8).flat_map(|turn| (0..30).map(move |who| (turn, who))) {
            let path = PATHS[((turn + who + day * hour) % 3) as usize];
            out += &call(day, hour, turn * 240 + who, &format!("shop-{who}"), path, 200);
        }
        for (_, _, lines) in extra.iter().filter(|it| (it.0, it.1) == (day, hour)) {
            out += lines;
        }
    }
    out
}

fn of_detector<'a>(findings: &'a [Value], detector: &str) -> Vec<&'a Value> {
    findings.iter().filter(|it| text(it, "detector") == detector).collect()
}

#[test]
fn a_first_time_is_said_once_with_the_call_that_was_it() {
    let new = |hour| {
        let early = call(12, hour, 3_000, "shop-7", "/admin/export", 200);
        early + &call(12, hour, 3_001, "shop-7", "/admin/export", 200)
    };
    let hours: Vec<_> = (2..6).map(|hour| (12, hour, new(hour))).collect();
    let extra: Vec<Extra<'_>> = hours.iter().map(|(day, hour, it)| (*day, *hour, &**it)).collect();
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &extra));
    let (findings, _) = place.replay(&[&file], &[]);
    let firsts = of_detector(&findings, "first_seen_endpoint");
    assert_eq!(firsts.len(), 1, "{firsts:#?}");
    let evidence: Value = serde_json::from_str(text(firsts[0], "evidence")).unwrap();
    assert_eq!(evidence[0]["request"], "GET /admin/export");
    assert_eq!(evidence[0]["input"], file.as_str());
    let line = std::fs::read_to_string(&file).unwrap();
    let at = usize::try_from(evidence[0]["line"].as_u64().unwrap()).unwrap();
    assert!(line.lines().nth(at - 1).unwrap().contains("/admin/export"), "line {at}");
}

#[test]
fn an_odder_first_call_takes_the_finding_over_with_its_own_evidence() {
    let both = call(12, 3, 3_000, "shop-7", "/admin/export", 200)
        + &call(12, 3, 3_100, "shop-7", "/admin/roles", 200);
    let place = Place::new();
    // Half of the others use the export, nobody the roles.
    let known: String = (0..15)
        .map(|who| call(2, 1, 3_000, &format!("shop-{}", who + 10), "/admin/export", 200))
        .collect();
    let file = place.write("log.ndjson", days(13, &[(2, 1, &known), (12, 3, &both)]));
    let (findings, _) = place.replay(&[&file], &[]);
    let firsts: Vec<_> = of_detector(&findings, "first_seen_endpoint")
        .into_iter()
        .filter(|it| text(it, "principal_id") == "shop-7")
        .collect();
    assert_eq!(firsts.len(), 1, "{firsts:#?}");
    assert_eq!(text(firsts[0], "entity"), "GET /admin/roles");
    assert!(
        text(firsts[0], "sentence")
            .contains("GET /admin/roles for the first time at 2026-04-13T12:51:40Z")
    );
    assert!(text(firsts[0], "evidence").contains("/admin/roles"), "{firsts:#?}");
}

#[test]
fn a_first_time_says_how_many_there_were_by_the_end_of_its_hour() {
    // So many calls lie between the two that at the second nothing is odd any longer.
    let mut calls = call(12, 3, 2_000, "shop-7", "/admin/export", 200);
    for second in 2_001..3_400 {
        calls += &call(12, 3, second, "shop-7", "/orders", 200);
    }
    calls += &call(12, 3, 3_550, "shop-7", "/help", 200);
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &[(12, 3, &calls)]));
    let (findings, _) = place.replay(&[&file], &[]);
    let firsts = of_detector(&findings, "first_seen_endpoint");
    assert_eq!(firsts.len(), 1, "{firsts:#?}");
    assert_eq!(text(firsts[0], "entity"), "GET /admin/export");
    assert!(text(firsts[0], "sentence").contains(" and 2 were seen"), "{firsts:#?}");
    let rows = place.query("store", text(firsts[0], "evidence_sql"));
    assert!(rows.lines().nth(1).unwrap().contains(",2.0,"), "{rows}");
}

#[test]
fn a_replay_shows_what_it_found_and_nothing_else_of_its_store() {
    let new = call(12, 3, 3_000, "shop-7", "/admin/export", 200);
    let place = Place::new();
    let odd = place.write("odd.ndjson", days(13, &[(12, 3, &new)]));
    let (findings, _) = place.replay(&[&odd], &[]);
    let by: Vec<_> = findings.iter().map(|it| text(it, "detector")).collect();
    assert_eq!(by, ["first_seen_endpoint", "inventory"], "{findings:#?}");
    // Another log of the same time, and one that cannot be read at all.
    let quiet = place.write("quiet.ndjson", days(13, &[]));
    let (findings, summary) = place.replay(&[&quiet], &[]);
    assert_eq!((findings.as_slice(), count(&summary, "findings")), (&[][..], 0));
    let noise = place.write("noise.txt", "what is this\n");
    let said = place.run(&["replay", &noise, "--output", "ndjson"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
}

#[test]
fn whole_seconds_say_nothing_of_shorter_gaps() {
    let calls: String =
        (0..600).map(|it| call(12, 3, 2_000 + it / 10, "shop-7", "/orders", 200)).collect();
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &[(12, 3, &calls)]));
    let (findings, _) = place.replay(&[&file], &[]);
    let fast = of_detector(&findings, "machine_speed");
    assert!(!fast.is_empty(), "{findings:#?}");
    let sentence = text(fast[0], "sentence");
    assert!(sentence.contains("the middle gap between its calls is under 1 s"), "{sentence}");
}

#[test]
fn refused_first_and_accepted_later_is_a_first_time_and_said_to_be() {
    // The staff calls it every day; shop-7 is refused on many things, and then on this one no more.
    let staff: String =
        (0..3).map(|who| call(2, 1, 3_000, &format!("shop-{}", who + 10), "/roles", 200)).collect();
    let mut probe: String =
        (0..40).map(|it| call(12, 3, 3_000 + it, "shop-7", &format!("/op{it}/x"), 403)).collect();
    probe += &call(12, 3, 3_050, "shop-7", "/roles", 403);
    probe += &call(12, 3, 3_060, "shop-7", "/roles", 200);
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &[(2, 1, &staff), (12, 3, &probe)]));
    let (findings, _) = place.replay(&[&file], &[]);
    let denied = of_detector(&findings, "denied_probing");
    assert_eq!(denied.len(), 1, "{findings:#?}");
    let sentence = text(denied[0], "sentence");
    assert!(sentence.contains("then accepted for the first time on GET /roles"), "{sentence}");
}

#[test]
fn a_log_that_is_shuffled_by_half_a_minute_gives_the_same_findings() {
    let sweep: String = (0..400)
        .map(|it| call(12, 3, 2_000 + it, "shop-7", &format!("/orders/{}", 50_000 + it), 200))
        .collect();
    let sorted = days(13, &[(12, 3, &sweep)]);
    let mut lines: Vec<&str> = sorted.split_inclusive('\n').collect();
    lines.sort_by_key(|line| line.get(9..28));
    let seconds = |line: &str| -> u32 {
        let part = |from: usize| line.get(from..from + 2).unwrap().parse::<u32>().unwrap();
        ((part(17) * 24 + part(20)) * 60 + part(23)) * 60 + part(26)
    };
    let mut shuffled: Vec<(u32, &str)> = (1_u32..)
        .zip(&lines)
        .map(|(at, line)| (seconds(line) + at.wrapping_mul(2_654_435_761) % 30, *line))
        .collect();
    shuffled.sort_by_key(|(at, _)| *at);
    let shuffled: String = shuffled.into_iter().map(|(_, line)| line).collect();
    assert_ne!(shuffled, lines.concat());
    let place = Place::new();
    let rows: Vec<Vec<String>> = [("a", lines.concat()), ("b", shuffled)]
        .iter()
        .map(|(store, log)| {
            let file = place.write("log.ndjson", log);
            let said = place.run_in(store, &["replay", &file, "--output", "ndjson"]);
            assert_eq!(said.code, 0, "{}", said.err);
            assert!(!said.err.contains("after their hour"), "{}", said.err);
            ["findings", "signals", "windows", "identities"]
                .iter()
                .map(|table| {
                    // Where in the file the evidence stood is the one thing that differs.
                    let columns = match *table {
                        "findings" => "finding_id, revision, sentence, surprise, detected_at",
                        _ => "*",
                    };
                    place.query(store, &format!("SELECT {columns} FROM {table}"))
                })
                .collect()
        })
        .collect();
    assert!(rows[0][0].contains("made 300 calls"), "{}", rows[0][0]);
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn the_history_of_a_sentence_ends_before_its_hour() {
    let sweep: String = (0..400)
        .map(|it| call(12, 3, 2_000 + it, "shop-7", &format!("/orders/{}", 50_000 + it), 200))
        .collect();
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &[(12, 3, &sweep)]));
    let (findings, _) = place.replay(&[&file], &[]);
    let one = findings.iter().find(|it| text(it, "principal_id") == "shop-7").unwrap();
    // 12 days of 8 hours and 3 hours, 8 calls each.
    let calls = (12 * HOURS + 3) * 8;
    assert!(text(one, "sentence").contains(&format!("({calls} calls over 12 d")), "{one:#}");
}

#[test]
fn a_success_after_failures_is_a_later_revision_of_the_same_finding() {
    let mut tries = String::new();
    for second in 0..120 {
        let _written = writeln!(
            tries,
            "{{\"time\":\"2026-04-13T12:4{}:{:02}Z\",\"method\":\"POST\",\"path\":\"/login\",\
             \"status\":401,\"ip\":\"198.51.100.9\"}}",
            second / 60,
            second % 60,
        );
    }
    let success = call(12, 3, 2_600, "shop-7", "/orders", 200)
        + &call(12, 3, 2_601, "shop-8", "/orders", 200);
    let success = success.replace("192.0.2.7", "198.51.100.9");
    let place = Place::new();
    let file = place.write("log.ndjson", days(13, &[(12, 3, &(tries + &success))]));
    place.replay(&[&file], &[]);
    let rows = place.query(
        "store",
        "SELECT revision, sentence FROM findings WHERE detector = 'auth_failures' ORDER BY revision",
    );
    let (first, last) = (rows.lines().nth(1).unwrap(), rows.lines().last().unwrap());
    assert!(first.contains("no success followed by 2026-04-13T12:4"), "{rows}");
    assert!(
        last.contains("2 successes followed, as shop-7, shop-8, to whom they are charged"),
        "{rows}"
    );
    let unique = place
        .query("store", "SELECT count(*) - count(DISTINCT (finding_id || revision)) FROM findings");
    assert_eq!(unique.lines().last(), Some("0"), "no revision is written twice");
}

#[test]
fn one_clock_that_runs_ahead_does_not_make_the_other_inputs_late() {
    let place = Place::new();
    let lines: Vec<String> = (0..4_000)
        .map(|it| call(it / 400, it % 400 / 50, it % 50 * 60, "acme", "/orders", 200))
        .collect();
    let half =
        |odd: usize| lines.iter().skip(odd).step_by(2).map(String::as_str).collect::<String>();
    let ahead = lines[10].replace("2026-", "2099-");
    let (a, b) = (place.write("a.ndjson", ahead + &half(0)), place.write("b.ndjson", half(1)));
    let (_, summary) = place.replay(&[&a, &b], &[]);
    assert_eq!(count(&summary, "events"), 4_001);
    assert_eq!(count(&summary, "late_not_scored"), 0, "{summary}");
    let hours = place.query("store", "SELECT count(*), sum(requests) FROM windows");
    assert_eq!(hours.lines().last(), Some("81,4001"), "80 hours, and one in 2099");
}

#[test]
fn two_streams_on_standard_input_are_two_runs() {
    let place = Place::new();
    for day in [1, 2] {
        let lines: String =
            (0..50).map(|it| call(day, 1, it * 60, "acme", "/orders", 200)).collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_habitus"))
            .args(["replay", "-", "--store", place.path("store").to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let sum = place.query("store", "SELECT sum(requests) FROM windows");
    assert_eq!(sum.lines().last(), Some("100"));
}
