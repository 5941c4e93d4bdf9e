//! Real streams with labels: how well identities are ranked, how soon a scanner is found, how few
//! findings ordinary days have.

use crate::habitus::{Place, count, text};
use crate::samples::{auc, average_precision, hit_rate, sample};
use std::collections::HashMap;

/// Findings that four ordinary days may carry at the default budget of ten a day.
const FINDINGS_MAX: usize = 40;

fn stream(test: &str, name: &str) -> Option<String> {
    let path = sample(test, &format!("labelled/{name}.ndjson.gz"))?;
    Some(path.to_str().unwrap().to_owned())
}

/// The score of each labelled window, from rows of principal, start and score.
fn labelled(test: &str, name: &str, csv: &str) -> Vec<(f64, bool)> {
    let minute = |time: &str| time.get(..16).unwrap().to_owned();
    let mut scores = HashMap::new();
    for line in csv.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let score: f64 = fields[2].parse().unwrap();
        scores.insert((fields[0].to_owned(), minute(fields[1])), score);
    }
    let path = sample(test, &format!("labelled/{name}_labels.csv")).unwrap();
    let labels = std::fs::read_to_string(path).unwrap();
    let scored = labels.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split(',').collect();
        let score = scores.get(&(fields[0].to_owned(), minute(fields[1])));
        (score.copied().unwrap_or(f64::NEG_INFINITY), fields[2].trim() == "1")
    });
    scored.collect()
}

#[test]
fn five_minutes_of_a_scan_are_ranked_above_all_others() {
    const TEST: &str = "five_minutes_of_a_scan_are_ranked_above_all_others";
    let Some(file) = stream(TEST, "weblog_plus_acunetix") else { return };
    let place = Place::new();
    place.replay(&[&file], &["--format", "canonical"]);
    let csv = place.query(
        "store",
        "SELECT principal_id, date_bin(INTERVAL '5 minutes', window_start) AS five, max(score) AS score \
         FROM signals WHERE window_seconds <= 300 GROUP BY 1, 2",
    );
    let scored = labelled(TEST, "weblog_plus_acunetix", &csv);
    assert_eq!(scored.iter().filter(|(_, label)| *label).count(), 6);
    let precision = average_precision(&scored);
    println!("weblog_plus_acunetix: average precision {precision:.4}");
    assert!(precision >= 0.85, "average precision {precision}");
}

#[test]
fn another_persons_commands_are_told_apart() {
    const TEST: &str = "another_persons_commands_are_told_apart";
    let Some(file) = stream(TEST, "pu_swapped") else { return };
    let place = Place::new();
    place.replay(&[&file], &["--format", "canonical"]);
    let csv = place.query(
        "store",
        "SELECT principal_id, window_start, max(surprise) AS score FROM signals \
         WHERE detector = 'not_itself' AND window_seconds = 3600 GROUP BY 1, 2",
    );
    let scored = labelled(TEST, "pu_swapped", &csv);
    assert_eq!(scored.iter().filter(|(_, label)| *label).count(), 54);
    let (area, hits) = (auc(&scored), hit_rate(&scored, 0.01));
    println!("pu_swapped: area {area:.4}, {hits:.3} of the windows at 1 % false alarms");
    assert!(area >= 0.985 && hits >= 0.70, "area {area}, hits {hits}");
}

#[test]
fn a_scanner_is_among_the_first_three_findings_within_ten_minutes() {
    let Some(file) = stream("weblog_plus_acunetix", "weblog_plus_acunetix") else { return };
    let (mut findings, _) = Place::new().replay(&[&file], &["--format", "canonical"]);
    assert!(findings.len() <= FINDINGS_MAX, "{} findings", findings.len());
    findings.sort_by(|a, b| text(a, "detected_at").cmp(text(b, "detected_at")));
    let scanner = |finding: &&serde_json::Value| text(finding, "principal_id") == "192.168.4.25";
    let first =
        findings.iter().take(3).find(scanner).expect("the scanner is among the first three");
    // Its first request came at 12:05:00.
    let at = text(first, "detected_at");
    assert!(("2015-05-19T12:05:00".."2015-05-19T12:15:01").contains(&at), "{at}");
}

#[test]
fn a_real_site_is_read_whole_and_its_findings_read_sensibly() {
    const TEST: &str = "a_real_site_is_read_whole_and_its_findings_read_sensibly";
    let Some(path) = sample(TEST, "logs/apache_semicomplete.log.gz") else { return };
    let (findings, summary) = Place::new().replay(&[path.to_str().unwrap()], &[]);
    assert_eq!(count(&summary, "events"), 10_000);
    assert_eq!(count(&summary, "rejected"), 0);
    assert_eq!(count(&summary, "findings"), findings.len() as u64);
    assert!(findings.len() <= FINDINGS_MAX, "{} findings", findings.len());
    for finding in &findings {
        let sentence = text(finding, "sentence");
        assert!(text(finding, "counterfactual").starts_with("would not "), "{finding}");
        // Observed, expected, history.
        assert!(sentence.contains("expected"), "{sentence}");
        assert!(
            sentence.contains("this rests on") || sentence.contains("no history"),
            "{sentence}"
        );
        assert!(sentence.contains(text(finding, "principal_id")), "{sentence}");
        assert!(sentence.matches(|c: char| c.is_ascii_digit()).count() >= 3, "{sentence}");
        assert!(finding["observed"].is_number() && finding["expected"].is_number(), "{finding}");
        assert!(text(finding, "evidence_sql").starts_with("SELECT"), "{finding}");
    }
}

#[test]
fn every_evidence_query_runs() {
    let Some(file) = stream("every_evidence_query_runs", "weblog_plus_acunetix") else { return };
    let place = Place::new();
    let (findings, _) = place.replay(&[&file], &["--format", "canonical"]);
    for finding in &findings {
        let rows = place.query("store", text(finding, "evidence_sql"));
        assert!(rows.lines().count() > 1, "no evidence: {finding}");
    }
}

#[test]
fn ordinary_streams_stay_within_the_budget() {
    for (name, days) in [("secrepo", 11), ("zeek_activecm_lab", 2), ("k8s_perfspec", 1)] {
        let Some(file) = stream("ordinary_streams_stay_within_the_budget", name) else { return };
        let (findings, summary) = Place::new().replay(&[&file], &["--format", "canonical"]);
        println!("{name}: {} findings", findings.len());
        assert!(findings.len() <= 10 * days, "{name}: {} findings", findings.len());
        assert_eq!(count(&summary, "rejected"), 0, "{name}");
        assert_eq!(count(&summary, "late_not_scored"), 0, "{name}");
    }
}
