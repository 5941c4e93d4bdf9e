//! Charts of ordinary, hostile, broken and too many values: each is sound XML and says its numbers.

use super::svg::SEVERITIES;
use super::*;
use maud::Markup;

/// What attackers write into names.
const HOSTILE: &str =
    "</title></svg><script>alert('1')</script>\u{0}\u{1b}[2J\u{202e}\u{ffff}\" onload=\"x&amp;\n";

/// Checks that a fragment is well-formed XML; yields the values of `points`, `title` and the like.
#[track_caller]
fn sound(markup: Markup) -> String {
    let text = markup.into_string();
    let allowed =
        |c: char| matches!(c, '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(allowed), "{text:?}");
    let mut open: Vec<String> = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        references(before);
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{text}");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        while let Some((name, value)) = attributes.trim_start().split_once("=\"") {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name} in {tag}");
            assert!(name != "style" && !name.starts_with("on"), "{tag}");
            let (value, after) = value.split_once('"').unwrap();
            references(value);
            attributes = after;
        }
        assert_eq!(attributes.trim(), "", "{tag}");
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    assert!(
        !text.contains("<script") && !text.contains("xmlns") && !text.contains("NaN"),
        "{text}"
    );
    text
}

/// Every `&` begins a reference that XML and HTML both know.
#[track_caller]
fn references(text: &str) {
    for part in text.split('&').skip(1) {
        let name = part.split_once(';').unwrap().0;
        assert!(matches!(name, "amp" | "lt" | "gt" | "quot" | "apos"), "&{name}");
    }
}

fn of(observed: f64, expected: f64, upper: f64, unit: &str) -> String {
    sound(band(&Band { observed, expected, upper, unit }))
}

fn course(points: &[(i64, f64)], marks: &[(i64, &str, &str)]) -> String {
    let band = Some((2.0, 10.0, 40.0));
    sound(timeline(&Timeline { title: "Calls an hour", unit: "calls", points, band, marks }))
}

#[test]
fn a_band_says_its_three_numbers() {
    let shown = of(2.31e9, 3_100.0, 12_000.0, "bytes");
    let words = "Observed 2.3 GB; expected 3.1 kB; 99.9 % of ordinary windows stay under 12.0 kB, on a \
                 logarithmic scale";
    assert!(shown.contains(&format!("aria-label=\"{words}\"")), "{shown}");
    assert!(shown.contains(&format!("<title>{words}</title>")), "{shown}");
    assert!(shown.contains("role=\"img\" ") && shown.contains("viewBox=\"0 0 480 92\""), "{shown}");
    assert!(shown.contains(">\n10.0 MB\n</text>"), "decades are named: {shown}");
    let shown = of(162.0, 2.909_391, 11.0, "distinct objects");
    assert!(shown.contains("Observed 162 distinct objects; expected 2.91 distinct"), "{shown}");
    assert!(!shown.contains("logarithmic") && shown.contains(">\n200\n</text>"), "{shown}");
}

#[test]
fn a_number_that_is_ordinary_has_no_band_around_it() {
    let (odd, ordinary) = (of(4.0, 0.2, 3.0, "networks"), of(1.0, 0.2, 3.0, "networks"));
    assert_eq!(odd.matches("<rect ").count(), 1, "{odd}");
    assert!(odd.contains("key-band") && !odd.contains("alone"), "{odd}");
    assert!(!ordinary.contains("<rect ") && !ordinary.contains("key-band"), "{ordinary}");
    assert!(ordinary.contains("The number alone is ordinary: 99.9 %"), "{ordinary}");
    assert!(ordinary.contains("What is odd stands in the sentence."), "{ordinary}");
    assert!(of(3.0, 0.2, 3.0, "networks").contains("alone is ordinary"));
    assert!(!of(f64::NAN, 0.2, 3.0, "networks").contains("alone is ordinary"));
    assert!(!of(1.0, 0.2, f64::INFINITY, "networks").contains("alone is ordinary"));
}

#[test]
fn whatever_the_numbers_are_a_band_is_drawn() {
    let odd = [0.0, -0.0, 1.0, -5.0, 1e-310, 1e-5, 1e308, f64::MAX, f64::INFINITY, f64::NAN];
    for observed in odd {
        for expected in odd {
            for upper in odd {
                let shown = of(observed, expected, upper, "calls");
                assert!(shown.contains("<svg "), "{observed} {expected} {upper}: {shown}");
            }
        }
    }
    assert!(of(f64::NAN, 1.0, 2.0, "calls").contains("Observed unknown; expected 1 call;"));
}

#[test]
fn hostile_texts_stay_texts() {
    let shown = of(1.0, 2.0, 3.0, HOSTILE);
    assert!(shown.contains("&lt;script&gt;"), "{shown}");
    sound(spark(&[1.0, 2.0], HOSTILE));
    let shown = sound(bars(&[(HOSTILE.to_owned(), 0.5), ("b".repeat(9_999), 0.5)], HOSTILE));
    assert!(shown.len() < 6_000, "labels are cut: {}", shown.len());
    let marks = [(0, HOSTILE, HOSTILE), (9, "high", "/findings/1?a=\"><script>")];
    let points = [(0, 1.0), (3_600, 2.0)];
    let shown = sound(timeline(&Timeline {
        title: HOSTILE,
        unit: HOSTILE,
        points: &points,
        band: None,
        marks: &marks,
    }));
    assert!(shown.contains("href=\"/findings/1?a=&quot;&gt;&lt;script&gt;\""), "{shown}");
    assert_eq!(shown.matches("<a ").count(), 1, "a link stays on this site: {shown}");
}

#[test]
fn links_stay_here() {
    for there in
        ["//evil.example", "/\\evil.example", "javascript:alert(1)", "https://evil.example"]
    {
        assert!(!course(&[(0, 1.0)], &[(0, "high", there)]).contains("<a "), "{there}");
    }
    for here in ["/findings/1", "#finding-1"] {
        assert!(course(&[(0, 1.0)], &[(0, "high", here)]).contains(&format!("<a href=\"{here}\"")));
    }
}

#[test]
fn empty_and_broken_series_say_so() {
    assert!(course(&[], &[]).contains("Calls an hour: no values"));
    assert!(course(&[(0, f64::NAN), (1, f64::INFINITY)], &[]).contains("no values"));
    assert!(course(&[(7_200, 5.0)], &[]).contains("<circle "), "one point is a dot");
    course(&[(i64::MIN, 1.0), (i64::MAX, 2.0)], &[(i64::MIN, "high", "#a")]);
    assert!(sound(spark(&[], "risk")).contains("risk: no values"));
    assert!(sound(spark(&[f64::NAN, 4.0], "risk")).contains("risk: 1 value, at most 4, at last 4"));
    assert!(sound(bars(&[], "share")).contains("no values"));
    assert!(sound(bars(&[("a".into(), f64::NAN)], "share")).contains("a: unknown"));
    assert!(sound(days(&[])).contains("Findings by day: none"));
}

#[test]
fn extremes_outlive_thinning() {
    let mut points: Vec<(i64, f64)> = (0..50_000).map(|it| (it * 3_600, 10.0)).collect();
    points[31_337].1 = 900.0;
    points[444].1 = 1.0;
    let kept = timeline::thinned(&points, timeline::POINTS_MAX);
    assert!(kept.len() <= timeline::POINTS_MAX, "{}", kept.len());
    assert!(kept.contains(&points[31_337]) && kept.contains(&points[444]));
    assert!(kept.is_sorted_by_key(|it| it.0));
    let shown = course(&points, &[]);
    assert!(shown.contains("at least 1 call, at most 900 calls at"), "{shown}");
    assert!(shown.len() < 20_000, "{}", shown.len());
    let marks = vec![(0, "low", "/findings/1"); 5_000];
    let shown = course(&points, &marks);
    assert!(shown.matches("<circle ").count() <= timeline::MARKS_MAX, "{}", shown.len());
    assert!(shown.contains("5\u{202f}000 findings marked") && shown.contains("and 4992 more"));
}

#[test]
fn a_line_is_broken_where_nothing_was() {
    let hours = [0, 1, 2, 3, 100, 101, 102].map(|hour| (hour * 3_600, 5.0));
    assert_eq!(course(&hours, &[]).matches("stroke-width=\"2\"").count(), 2);
}

#[test]
fn what_is_shaded_is_said_as_what_it_is() {
    let shown = course(&[(0, 1.0)], &[]);
    assert!(shown.contains("90 % of its active hours: 2 calls to 40 calls"), "{shown}");
    assert!(shown.contains("; 90 % of its active hours 2 calls to 40 calls, median"), "{shown}");
    assert!(!shown.contains("usual"), "hours of an attack are among them: {shown}");
    assert!(!shown.contains("in calls"), "the title says so: {shown}");
}

#[test]
fn times_are_named_as_dates() {
    let day = 86_400;
    let from = 20_514 * day;
    let names = |to: i64| scale::times(from, to).into_iter().map(|it| it.1).collect::<Vec<_>>();
    assert_eq!(names(from + 7_200), ["03-02 00:00", "03-02 01:00", "03-02 02:00"]);
    assert_eq!(names(from + 2 * day), ["2026-03-02", "2026-03-03", "2026-03-04"]);
    for span in [0, 1, 60, 3_600, day, 30 * day, 400 * day, 40_000 * day, i64::MAX] {
        let count = names(from.saturating_add(span)).len();
        assert!((1..=5).contains(&count) || span > 365 * day, "{span}: {count}");
        assert!(count <= 5, "{span}: {count}");
    }
}

#[test]
fn bars_say_shares_and_sizes() {
    let shown = sound(bars(&[("GET /a".into(), 0.755), ("GET /b".into(), 0.245)], "share"));
    assert!(shown.contains("aria-label=\"GET /a: 75.5 %; GET /b: 24.5 %\""), "{shown}");
    // Nearly all is not all, and hardly any is not none, as in the table beside the chart.
    let shown = sound(bars(&[("a".into(), 0.999_7), ("b".into(), 0.000_298)], "share"));
    assert!(shown.contains("aria-label=\"a: &gt; 99.9 %; b: &lt; 0.1 %\""), "{shown}");
    assert!(shown.contains(">\n&lt; 0.1 %\n</text>"), "{shown}");
    let many: Vec<_> = (0..40).map(|it| (format!("n{it}"), f64::from(it))).collect();
    let shown = sound(bars(&many, "bytes"));
    assert_eq!(shown.matches("<rect ").count(), bars::BARS_MAX);
    assert!(shown.contains("and 28 more"), "{shown}");
}

#[test]
fn days_are_stacked_and_shared_where_they_are_many() {
    let day = |number, counts| Day { number, counts };
    let shown = sound(days(&[day(20_515, [0, 1, 0, 2, 0]), day(20_514, [0, 0, 0, 0, 1])]));
    let words = "Findings by day from 2026-03-02 to 2026-03-03: 1 critical, 2 high, 1 low; most on \
                 2026-03-03: 3";
    assert!(shown.contains(&format!("aria-label=\"{words}\"")), "{shown}");
    assert_eq!(shown.matches("<rect ").count(), 3);
    let year: Vec<_> = (0..366).map(|it| day(it, [1, 0, 0, 0, 0])).collect();
    let shown = sound(days(&year));
    assert!(shown.contains("4 days in each column") && shown.contains("366 info"), "{shown}");
    assert!(shown.matches("<rect ").count() as i64 <= days::COLUMNS_MAX);
    sound(days(&[day(i64::MIN, [u64::MAX; 5]), day(i64::MAX, [u64::MAX; 5])]));
}

#[test]
fn the_stylesheet_maps_every_colour() {
    let style = include_str!("../../assets/style.css");
    let fixed =
        [svg::INK, svg::MUTED, svg::GRID, svg::BAND, svg::EXPECTED, svg::SERIES, svg::OBSERVED];
    for colour in fixed.into_iter().chain(SEVERITIES.map(|it| it.1)) {
        let marker = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        assert!(style.contains(&format!("[fill=\"{marker}\"]")), "{marker} has no rule");
    }
}
