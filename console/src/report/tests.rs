//! Reports of made-up rows: what is in them, what is left out and said to be, and that they stand alone.

use super::*;

/// What attackers are called.
const HOSTILE: &str = "\"><script>alert(1)</script></style><img src=http://evil.example/x>\u{202e}";

fn wanted() -> Selection {
    Selection {
        span_us: (i64::MIN, i64::MAX),
        severity_min: 1,
        principal_id: String::new(),
        findings_max: 50,
    }
}

fn day(severity: &str, findings: &str, suppressed: &str) -> [String; 6] {
    let (first, last) = ("2026-03-02T01:34:23.646Z", "2026-03-02T22:27:40Z");
    ["20514", severity, findings, suppressed, first, last].map(str::to_owned)
}

/// A store with so many findings of one day whose sentence is `sentence`.
fn found(findings: usize, sentence: &str) -> Found {
    let count = findings.to_string();
    let day = day("high", &count, "2");
    let day: Vec<&str> = day.iter().map(String::as_str).collect();
    let evidence =
        format!("[{{\"time\":\"2026-03-02T10:00:00Z\",\"request\":{:?}}}]", "GET /a\"'<b>");
    let finding: &[&str] =
        &["f-1", "high", "bola", HOSTILE, sentence, "162", "2.9", "11", "objects", &evidence];
    let rows: Vec<&[&str]> = vec![finding; findings];
    let identity =
        ["default", HOSTILE, HOSTILE, "user", &count, "4", "12.5", "2026-03-02T22:27:40Z", "40"];
    let incident =
        ["i-1", "high", "2026-03-02T01:34:23Z", "2026-03-02T22:27:40Z", "3", HOSTILE, sentence];
    Found {
        days: Rows::made_of(
            &["day", "severity", "findings", "suppressed", "first_at", "last_at"],
            &[&day],
        ),
        identities: Rows::made_of(
            &[
                "tenant_id",
                "principal_id",
                "principal_name",
                "principal_type",
                "findings",
                "place",
                "risk",
                "last_at",
                "identities",
            ],
            &[&identity],
        ),
        incidents: Rows::made_of(
            &[
                "incident_id",
                "severity",
                "first_detected_at",
                "last_detected_at",
                "findings",
                "principals",
                "sentence",
            ],
            &[&incident],
        ),
        findings: Rows::made_of(
            &[
                "finding_id",
                "severity",
                "detector",
                "principal_id",
                "sentence",
                "observed",
                "expected",
                "upper",
                "unit",
                "evidence",
            ],
            &rows,
        ),
    }
}

#[test]
fn a_report_says_what_it_is_of_and_what_it_leaves_out() {
    let report = found(3, "ann read 162 objects").report(&wanted());
    assert_eq!((report.shown, report.findings), (3, 3));
    let html = &report.html;
    assert!(
        html.contains("3 findings, detected from 2026-03-02 01:34:23 to 2026-03-02 22:27:40 UTC.")
    );
    assert!(html.contains("2 more were called benign by people, and left out."), "{html}");
    assert!(html.contains("<title>Findings 2026-03-02 to 2026-03-02 · Habitus</title>"), "{html}");
    assert!(html.contains("The riskiest 1 of 40."), "{html}");
    assert_eq!(html.matches("data-testid=\"finding-sentence\"").count(), 3);
    assert!(!html.contains("the most severe first, of"), "nothing is left out");
    let mut few = found(3, "ann read 162 objects");
    few.findings = found(1, "ann read 162 objects").findings;
    let html = few.report(&wanted()).html;
    assert!(html.contains("1 finding is shown, the most severe first, of 3"), "{html}");
}

#[test]
fn each_severity_has_its_course_where_there_are_several_days() {
    let mut of = found(3, "ann read 162 objects");
    assert!(!of.report(&wanted()).html.contains("chart chart-spark"), "one day has no course");
    let later = ["20516", "high", "7", "0", "2026-03-04T01:00:00Z", "2026-03-04T02:00:00Z"];
    let day = day("high", "3", "2");
    let day: Vec<&str> = day.iter().map(String::as_str).collect();
    let names = ["day", "severity", "findings", "suppressed", "first_at", "last_at"];
    of.days = Rows::made_of(&names, &[&day, &later]);
    let html = of.report(&wanted()).html;
    let words = "Findings that are high, by day: 3 values, at most 7, at last 7";
    assert_eq!(html.matches(&format!("<title>{words}</title>")).count(), 1, "{html}");
    assert_eq!(html.matches("chart chart-spark").count(), 1, "of the others there are none");
}

#[test]
fn what_was_left_out_does_not_say_from_when_to_when_findings_are() {
    let mut of = found(3, "ann read 162 objects");
    let before = ["20513", "high", "0", "1", "", ""];
    let day = day("high", "3", "2");
    let day: Vec<&str> = day.iter().map(String::as_str).collect();
    let names = ["day", "severity", "findings", "suppressed", "first_at", "last_at"];
    let orders: [[&[&str]; 2]; 2] = [[&before, &day], [&day, &before]];
    for rows in orders {
        of.days = Rows::made_of(&names, &rows);
        let html = of.report(&wanted()).html;
        let words = "3 findings, detected from 2026-03-02 01:34:23 to 2026-03-02 22:27:40 UTC";
        assert!(html.contains(words), "{html}");
    }
}

#[test]
fn a_report_is_of_one_severity_and_one_identity() {
    let of = Selection { severity_min: 4, principal_id: "ann".into(), ..wanted() };
    let html = found(1, "ann read 162 objects").report(&of).html;
    let said = "1 finding of severity high and above about ann, called ";
    let (_, rest) = html.split_once(said).unwrap();
    let (name, _) = rest.split_once(", detected").unwrap();
    assert!(name.contains("&lt;script&gt;") && !name.contains('<'), "{name}");
    assert!(!html.contains("<h2>Incidents</h2>"), "the incident is of somebody else");
}

#[test]
fn a_report_has_a_size_that_a_mail_takes() {
    let long = "x".repeat(9_000);
    let report = found(900, &long).report(&wanted());
    assert!(report.shown < 900 && report.shown > 100, "{}", report.shown);
    assert!(report.html.len() < FINDINGS_BYTES_MAX + (1 << 20), "{}", report.html.len());
    let said = format!("{} findings are shown, the most severe first, of 900", report.shown);
    assert!(report.html.contains(&said));
}

#[test]
fn nothing_found_is_said() {
    let report = Found::default().report(&wanted());
    assert_eq!((report.shown, report.findings), (0, 0));
    assert!(report.html.contains("There are no findings of this kind in the store."));
    assert!(report.html.contains("0 findings."), "{}", report.html);
    let (from, until) = (1_772_445_600_000_000, 1_772_449_200_000_000);
    for (span_us, words) in [
        ((from, i64::MAX), "those detected from 2026-03-02 10:00:00 UTC."),
        ((i64::MIN, until), "those detected until 2026-03-02 11:00:00 UTC."),
        ((from, until), "detected from 2026-03-02 10:00:00 until 2026-03-02 11:00:00 UTC."),
    ] {
        let html = Found::default().report(&Selection { span_us, ..wanted() }).html;
        assert!(html.contains(words), "{html}");
    }
}

#[test]
fn a_report_stands_alone_whoever_wrote_its_texts() {
    let html = found(2, HOSTILE).report(&wanted()).html;
    assert!(
        !html.contains("<script") && !html.contains("<img") && !html.contains(" style="),
        "{html}"
    );
    assert!(!html.contains('\u{202e}'), "what turns texts around is replaced");
    for attribute in [" src=\"", " href=\"http", "url(", "@import", "<link", "<base", "<iframe"] {
        assert!(!html.contains(attribute), "{attribute}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
    assert_eq!(html.matches("</style>").count(), 1);
    assert_eq!(html.matches("<style>").count(), 1);
}

#[test]
fn the_policy_allows_this_stylesheet_only() {
    let html = Found::default().report(&wanted()).html;
    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    assert!(html.contains(&format!("style-src 'sha256-{hash}'")), "{html}");
    assert!(html.contains("default-src 'none'") && !html.contains("unsafe"), "{html}");
    assert!(!STYLE.contains("</") && !STYLE.contains('\r'), "a browser reads what was hashed");
}
