//! Reports: one file that stands alone, says all that it should, and obeys nothing that a caller wrote.

use crate::habitus::{Place, Said, root, text};
use flate2::read::GzDecoder;
use std::io::Read as _;

/// What a caller is named that would like to run something.
const HOSTILE: &str = "fin-07\"><script>alert(1)</script></style><img src=x onerror=alert(2)>";
/// Elements that a report may have: none of them runs or fetches anything.
const ELEMENTS: [&str; 50] = [
    "a",
    "article",
    "b",
    "body",
    "circle",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "i",
    "li",
    "line",
    "main",
    "meta",
    "ol",
    "p",
    "path",
    "polygon",
    "polyline",
    "pre",
    "rect",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
];
/// Attributes that fetch, run or send something; those of events, which begin with `on`, besides.
const FETCHING: [&str; 12] = [
    "style",
    "src",
    "srcset",
    "srcdoc",
    "action",
    "formaction",
    "data",
    "ping",
    "poster",
    "background",
    "autofocus",
    "download",
];
/// Elements that have no end.
const VOID: [&str; 6] = ["meta", "br", "hr", "input", "img", "link"];

/// A store with findings about the caller `fin-07`, who is called `name` instead.
fn place(name: &str) -> Place {
    let place = Place::new();
    let file = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let mut log = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut log).unwrap();
    let written = serde_json::to_string(name).unwrap();
    assert!(log.contains("\"fin-07\""));
    let file = place.write("log.ndjson", log.replace("\"fin-07\"", &written));
    let (findings, _) = place.replay(&[&file], &[]);
    assert!(findings.iter().any(|it| text(it, "principal_id") == name), "{findings:?}");
    place
}

/// Makes a store in which nothing is found.
fn calm(place: &Place) {
    let line = "{\"time\":\"2026-04-14T09:00:00Z\",\"consumer\":\"acme\",\"method\":\"GET\",\
                \"path\":\"/orders\",\"status\":200,\"ip\":\"192.0.2.7\"}\n";
    let file = place.write("calm.ndjson", line);
    let (findings, _) = place.replay(&[&file], &[]);
    assert!(findings.is_empty(), "{findings:?}");
}

/// Writes a report into the place's `report.html`; what is in it, and what was said.
fn report(place: &Place, more: &[&str]) -> (String, Said) {
    let path = place.path("report.html");
    let said = place.run(&[&["report", "--out", path.to_str().unwrap()], more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    (std::fs::read_to_string(&path).unwrap(), said)
}

/// A text as a browser shows it.
fn shown(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

/// Reads HTML as far as this one goes: every element ends where it should. Yields the tags, and the
/// text between them as it is shown.
#[track_caller]
fn parsed(html: &str) -> (Vec<String>, String) {
    let html = html.strip_prefix("<!DOCTYPE html>").unwrap();
    let (mut tags, mut texts) = (Vec::new(), String::new());
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        if open.last().is_none_or(|it| it != "style") {
            texts.push_str(&shown(before));
            texts.push('\n');
        }
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        tags.push(tag.to_owned());
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "<{tag}> ends another element");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(name.chars().all(|it| it.is_ascii_alphanumeric()), "<{tag}>");
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} are open, {rest:?} is left");
    (tags, texts)
}

/// Fails if a browser would run something of it, or fetch something for it.
#[track_caller]
fn check_alone(html: &str) {
    let (tags, _) = parsed(html);
    for tag in &tags {
        // What ends an element is like what began it.
        if tag.starts_with('/') {
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(ELEMENTS.contains(&name), "<{tag}>");
        // Attributes, with what stands in quotes taken out.
        let bare: String = tag.split('"').step_by(2).collect();
        for part in bare.split_ascii_whitespace().skip(1) {
            let attribute = part.trim_end_matches(['=', '/']);
            assert!(!attribute.starts_with("on"), "<{tag}>");
            assert!(!FETCHING.contains(&attribute), "<{tag}>");
        }
        for part in tag.split("href=\"").skip(1) {
            assert!(part.starts_with('#'), "<{tag}>");
        }
    }
    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    for banned in ["url(", "@import", "http:", "https:", "expression"] {
        assert!(!style.contains(banned), "{banned}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_report_has_every_finding_and_stands_alone() {
    let place = place("fin-07");
    let (html, said) = report(&place, &[]);
    check_alone(&html);
    let (_, texts) = parsed(&html);
    let findings = place.run(&["findings", "--output", "ndjson"]).rows();
    assert!(!findings.is_empty());
    for finding in &findings {
        for column in ["sentence", "counterfactual", "evidence_sql", "finding_id"] {
            assert!(texts.contains(text(finding, column)), "{column} of {finding} in {texts}");
        }
    }
    let count = findings.len();
    assert_eq!(html.matches("data-testid=\"finding-sentence\"").count(), count);
    assert_eq!(html.matches("data-testid=\"band-chart\"").count(), count);
    assert!(html.contains("<svg class=\"chart chart-band\" role=\"img\" aria-label=\"Observed "));
    assert!(html.contains("aria-label=\"Findings by day from 2026-04-1"), "{texts}");
    assert!(said.err.contains("a report of ") && said.out.is_empty(), "{}", said.err);
}

#[test]
fn a_hostile_name_is_shown_as_text() {
    let place = place(HOSTILE);
    let (html, _) = report(&place, &[]);
    check_alone(&html);
    let (_, texts) = parsed(&html);
    assert!(texts.contains(HOSTILE), "{texts}");
    let (html, _) = report(&place, &["--identity", HOSTILE]);
    check_alone(&html);
    assert!(parsed(&html).1.contains(&format!("about {HOSTILE}")));
}

#[test]
fn the_same_store_gives_the_same_bytes() {
    let place = place("fin-07");
    let (first, _) = report(&place, &[]);
    let (second, _) = report(&place, &[]);
    assert!(first == second, "two reports of one store differ");
    let said = place.run(&["report", "--out", "-"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out == first, "standard output has another report than the file");
    let left: Vec<_> = std::fs::read_dir(place.path(""))
        .unwrap()
        .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|it| it.starts_with(".habitus-report"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_report_is_of_what_was_asked_for() {
    let place = place("fin-07");
    let findings = place.run(&["findings", "--output", "ndjson"]).rows();
    let shown = |more: &[&str]| {
        let (html, said) = report(&place, more);
        check_alone(&html);
        (html.matches("data-testid=\"finding-sentence\"").count(), html, said.err)
    };
    assert_eq!(shown(&["--until", "2026-04-14"]).0, 0);
    assert_eq!(shown(&["--since", "2026-04-14", "--until", "2026-05-01"]).0, findings.len());
    let severe = |it: &&serde_json::Value| text(it, "severity") == "critical";
    let (count, html, _) = shown(&["--severity", "critical"]);
    assert_eq!(count, findings.iter().filter(severe).count());
    assert!(html.contains("of severity critical and above"), "the report says what it is of");
    let mine = |it: &&serde_json::Value| text(it, "principal_id") == "fin-07";
    let (count, html, _) = shown(&["--identity", "fin-07"]);
    assert_eq!(count, findings.iter().filter(mine).count());
    assert!(html.contains("about fin-07"));
    let feedback = [
        "feedback",
        text(&findings[0], "finding_id"),
        "benign",
        "--reason",
        "an audit",
        "--by",
        "ann",
    ];
    let said = place.run(&feedback);
    assert_eq!(said.code, 0, "{}", said.err);
    let (count, html, _) = shown(&[]);
    assert_eq!(count, findings.len() - 1);
    assert!(html.contains("1 more was called benign by people, and left out."), "{html}");
}

#[test]
fn more_findings_than_are_shown_are_counted() {
    let place = Place::new();
    let said = place.run(&["demo", "--output", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let all = place.run(&["findings", "--output", "ndjson"]).rows().len();
    assert!(all > 5, "{all}");
    let (html, said) = report(&place, &["--limit", "5"]);
    check_alone(&html);
    assert_eq!(html.matches("data-testid=\"finding-sentence\"").count(), 5);
    let words = format!("5 findings are shown, the most severe first, of {all}");
    assert!(html.contains(&words), "{words}");
    assert!(said.err.contains(&format!("a report of {all} findings, 5 of them")), "{}", said.err);
    assert!(html.contains("<h2>Incidents</h2>") && html.contains("<h2>Identities by risk</h2>"));
    let (html, _) = report(&place, &[]);
    check_alone(&html);
    assert!(html.len() < 1 << 20, "{} bytes for {all} findings", html.len());
}

#[test]
fn a_store_without_findings_has_a_report_that_says_so() {
    let place = Place::new();
    calm(&place);
    let (html, said) = report(&place, &[]);
    check_alone(&html);
    assert!(html.contains("There are no findings of this kind in the store."), "{html}");
    assert!(said.err.contains("a report of 0 findings"), "{}", said.err);
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let place = Place::new();
    let out = place.path("report.html");
    let out = out.to_str().unwrap();
    let one = |args: &[&str], words: &str| {
        let said = place.run(args);
        assert_eq!(said.code, 1, "{args:?}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {}", said.err);
        assert!(said.err.contains(words) && said.out.is_empty(), "{args:?}: {}", said.err);
    };
    one(&["report", "--out", out], "no store in ");
    assert!(!place.path("report.html").exists(), "nothing is written without a store");
    calm(&place);
    let nowhere = place.path("none").join("report.html");
    one(&["report", "--out", nowhere.to_str().unwrap()], "name another file");
    let dir = place.path("");
    one(&["report", "--out", dir.to_str().unwrap()], "name another file");
    one(&["report", "--out", out, "--severity", "huge"], "no severity is called `huge`");
    one(&["report", "--out", out, "--since", "yesterday"], "--since is `yesterday`");
    one(&["report", "--out", out, "--identity", "nobody"], "no identity is called `nobody`");
    std::fs::write(out, "kept").unwrap();
    one(&["report", "--out", out, "--since", "2026-03-02", "--until", "2026-03-01"], "--until");
    assert_eq!(std::fs::read_to_string(out).unwrap(), "kept", "what fails replaces nothing");
}
