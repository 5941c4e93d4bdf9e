//! What comes together in one hour: the parts that a sentence names are those that its query shows.

use super::Claim;
use super::words::{Said, after, before};
use serde_json::Value;

/// A score in its first two digits, as sentences have it.
fn two_digits(score: f64) -> f64 {
    let scale = 10_f64.powf(score.log10().floor() - 1.0).max(1.0);
    (score / scale).round() * scale
}

/// What stands behind a part's name: the row has no unit, so that the words for it are not checked.
#[track_caller]
fn said_of<'a>(claim: &'a Claim<'_>, row: &Value) -> &'a str {
    let of = |field: &str| row[field].as_str().unwrap_or_default();
    let (detector, entity) = (of("detector"), of("entity"));
    let marks = [format!("{detector} at {entity} about 1 in "), format!("{detector} about 1 in ")];
    let found = marks.iter().find_map(|mark| claim.sentence.split_once(mark.as_str()));
    found.unwrap_or_else(|| panic!("{detector} is not named: {}", claim.sentence)).1
}

/// Checks each part against its row, and their sum; there are as many as the sentence says, and no more.
#[track_caller]
pub(super) fn check(claim: &Claim<'_>) {
    let number = |row: &Value, field: &str| row[field].as_f64().unwrap();
    let is = |said: Said, value: f64| {
        assert!(said.is(value), "{}: {value}, not {said:?}: {}", claim.case.file, claim.sentence);
    };
    let mut sum = 0.0;
    for row in &claim.rows {
        let said = said_of(claim, row);
        let score = number(row, "score");
        is(before(said, " windows ("), two_digits(score));
        is(after(said, " windows ("), number(row, "observed"));
        is(before(said, " expected)"), number(row, "expected"));
        assert!(score >= 100.0, "{row}: what a hundred windows show is no part");
        assert!(number(row, "surprise").is_finite(), "{row}");
        sum += score.log10();
    }
    is(before(&claim.sentence, " ways at once"), claim.rows.len() as f64);
    is(after(&claim.sentence, "; together that is "), sum);
    assert!((sum - claim.observed).abs() <= 1e-9 * sum, "{sum}: {}", claim.sentence);
    let parts = claim.sentence.matches(" windows (").count();
    assert_eq!(parts, claim.rows.len(), "{}", claim.sentence);
}

#[test]
fn a_score_is_said_in_two_digits() {
    for (score, said) in [(4_149.0, 4_100.0), (99_960.0, 100_000.0), (123.0, 120.0)] {
        assert!((two_digits(score) - said).abs() < 1e-9, "{score}");
    }
}
