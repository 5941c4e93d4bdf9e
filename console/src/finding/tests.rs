//! Pages of made-up findings: what stands on them, in which words, and that hostile texts stay texts.

use super::*;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// A finding whose every text is hostile.
fn hostile() -> Rows {
    let contributors =
        format!("[{{\"name\":{},\"observed\":3,\"share\":0.5}}]", Json::from(HOSTILE));
    let evidence = format!(
        "[{{\"time\":{0},\"request\":{0},\"status\":{0},\"client_address\":{0},\"agent\":{0},\"input\":{0},\"line\":7}}]",
        Json::from(HOSTILE)
    );
    let texts = [
        "finding_id",
        "tenant_id",
        "principal_id",
        "entity",
        "detector",
        "severity",
        "sentence",
        "counterfactual",
        "evidence_sql",
        "owasp",
        "verdict",
        "verdict_reason",
        "verdict_by",
        "window_start",
        "incident_id",
        "unit",
    ];
    let mut names = vec!["contributors", "evidence", "observed", "expected", "upper"];
    names.extend(texts);
    let mut cells = vec![contributors.as_str(), evidence.as_str(), "12", "3", "7"];
    cells.extend([HOSTILE; 16]);
    Rows::made_of(&names, &[&cells])
}

#[test]
fn hostile_texts_are_shown_as_texts() {
    let rows = hostile();
    let row = rows.first().unwrap();
    for links in [Links::Console, Links::None] {
        let shown = body(row, links).into_string();
        assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
        assert!(shown.matches("&lt;script&gt;alert(1)").count() > 10, "{shown}");
    }
    let typed = Sent { reason: HOSTILE.into(), until: HOSTILE.into(), ..Sent::default() };
    let shown = form(row, HOSTILE, &typed).into_string();
    assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
}

#[test]
fn a_wide_verdict_is_taken_back_where_it_was_said() {
    let names = ["finding_id", "feedback_id", "verdict_finding_id"];
    let check = |verdict_of: &str, id: &str, shown: bool| {
        let rows = Rows::made_of(&names, &[&["abcd-1", "feed-1", verdict_of]]);
        let row = rows.first().unwrap();
        assert_eq!(withdrawn_id(row), id, "{verdict_of}");
        let page = reach(row, Some(5)).into_string();
        assert!(page.contains("covers 5 findings so far"), "{page}");
        assert_eq!(page.contains("href=\"/findings/dcba-2\""), shown, "{page}");
    };
    check("abcd-1", "abcd-1", false);
    check("", "abcd-1", false);
    check("dcba-2", "feed-1", true);
    let rows = hostile();
    assert_eq!(reach(rows.first().unwrap(), None).into_string(), "");
}

#[test]
fn what_was_typed_of_a_verdict_that_was_refused_is_still_there() {
    let rows = Rows::made_of(&["finding_id"], &[&["f"]]);
    let typed = Sent {
        reason: "the nightly \"export\"".into(),
        scope: "entity".into(),
        until: "soon".into(),
        ..Sent::default()
    };
    let shown = form(rows.first().unwrap(), "m", &typed).into_string();
    for part in [
        "value=\"the nightly &quot;export&quot;\"",
        "value=\"soon\"",
        "<option value=\"entity\" selected>this detector and entity</option>",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(shown.matches(" selected").count(), 1, "{shown}");
}

#[test]
fn what_a_verdict_covers_is_said_as_the_form_said_it() {
    let names = ["verdict", "verdict_scope"];
    for scope in Scope::ALL {
        let rows = Rows::made_of(&names, &[&["benign", scope.as_str()]]);
        let page = said(rows.first().unwrap(), Links::Console).into_string();
        assert!(page.contains(&format!("<dd>{}</dd>", covers(scope))), "{page}");
    }
    let rows = Rows::made_of(&["verdict"], &[&["benign"]]);
    assert!(!said(rows.first().unwrap(), Links::None).into_string().contains("Covers"));
}

#[test]
fn a_finding_names_its_identity() {
    let names = ["tenant_id", "principal_id", "principal_name"];
    let rows = Rows::made_of(&names, &[&["t", "4ac1", "sales-022"]]);
    for links in [Links::Console, Links::None] {
        let page = facts(rows.first().unwrap(), links).into_string();
        assert!(page.contains("sales-022") && page.contains(">4ac1</span>"), "{page}");
    }
}

#[test]
fn an_amount_has_no_unit_that_is_not_its_own() {
    let check = |detector: &str, unit: &str, observed: &str, head: &str, shown: &str| {
        let parts = format!("[{{\"name\":\"a\",\"observed\":{observed},\"share\":1.0}}]");
        let names = ["contributors", "unit", "detector"];
        let rows = Rows::made_of(&names, &[&[parts.as_str(), unit, detector]]);
        let page = contributors(rows.first().unwrap(), Links::Console).into_string();
        assert!(page.contains(&format!(">{head}</th>")), "{page}");
        assert!(page.contains(&format!("<td class=\"number\">{shown}</td>")), "{page}");
    };
    check("new_network", "new networks", "800", "Amount", "800");
    check("not_itself", "times likelier", "30", "Amount", "30");
    check("egress_spike", "bytes", "2310000000", "Amount", "2.3 GB");
    check("machine_speed", "calls", "900", "Amount in the whole hour", "900");
}

#[test]
fn sample_events_stand_in_the_order_of_time() {
    let events = "[{\"time\":\"2026-03-02T10:00:01.5Z\",\"request\":\"GET /later\"},\
        {\"time\":\"2026-03-02T10:00:01Z\",\"request\":\"GET /earlier\"}]";
    let rows = Rows::made_of(&["evidence"], &[&[events]]);
    let page = evidence(rows.first().unwrap(), Links::Console).into_string();
    assert!(page.find("/earlier").unwrap() < page.find("/later").unwrap(), "{page}");
}

#[test]
fn an_event_names_its_agent_where_any_has_one() {
    let check = |events: &str, agents: usize, columns: usize| {
        let rows = Rows::made_of(&["evidence"], &[&[events]]);
        let page = evidence(rows.first().unwrap(), Links::Console).into_string();
        assert_eq!(page.matches("data-label=\"Agent\">desk-assistant<").count(), agents, "{page}");
        assert_eq!(page.matches("Agent</th>").count(), columns, "{page}");
    };
    check(r#"[{"request":"GET /a","agent":"desk-assistant"},{"request":"GET /b"}]"#, 1, 1);
    check(r#"[{"request":"GET /a","agent":null},{"request":"GET /b"}]"#, 0, 0);
}

#[test]
fn a_severity_says_what_it_is_made_of() {
    let rows = Rows::made_of(&["severity", "score"], &[&["medium", "90000"]]);
    let page = facts(rows.first().unwrap(), Links::Console).into_string();
    assert!(page.contains("confidence from the score × danger"), "{page}");
}

#[test]
fn in_a_file_nothing_leads_to_a_page() {
    let rows = hostile();
    let shown = body(rows.first().unwrap(), Links::None).into_string();
    assert!(!shown.contains("href=") && !shown.contains("<form"), "{shown}");
}

#[test]
fn what_was_observed_of_a_part_is_not_in_the_units_of_the_finding() {
    let json = "[{\"name\":\"GET /admin/keys\",\"observed\":29,\"share\":0.5}]";
    for (unit, shown) in [("days silent", "29</td>"), ("bytes", "29 B</td>")] {
        let rows = Rows::made_of(&["contributors", "unit"], &[&[json, unit]]);
        let html = contributors(rows.first().unwrap(), Links::None).into_string();
        assert!(html.contains(shown) && !html.contains("29 days"), "{html}");
    }
}

#[test]
fn what_is_no_list_is_shown_as_none() {
    let rows = Rows::made_of(&["contributors", "evidence"], &[&["{", "null"]]);
    let shown = body(rows.first().unwrap(), Links::Console).into_string();
    assert!(shown.contains("no sample events") && !shown.contains("Most of it"), "{shown}");
}

#[test]
fn two_bounds_that_differ_are_told_apart() {
    let names = ["observed", "expected", "upper", "unit", "counterfactual"];
    let check = |observed: &str, counterfactual: &str, links: Links, shown: bool| {
        let rows = Rows::made_of(&names, &[&[observed, "0.1", "73", "calls", counterfactual]]);
        let page = body(rows.first().unwrap(), links).into_string();
        assert_eq!(page.contains("the budget of findings"), shown, "{page}");
    };
    let at = "would not be reported at 251 calls or fewer";
    check("488", at, Links::Console, true);
    check("488", at, Links::None, false);
    check("1", at, Links::Console, false);
    check("488", "would not be reported had it been used before", Links::Console, false);
    check("488", "", Links::Console, false);
}

#[test]
fn successes_that_others_are_charged_with_are_said_to_be_theirs() {
    let names = ["detector", "principal_type", "evidence_sql", "evidence"];
    let check = |detector: &str, kind: &str, status: u16, shown: bool| {
        let events = format!("[{{\"status\":401}},{{\"status\":{status}}}]");
        let rows = Rows::made_of(&names, &[&[detector, kind, "SELECT 1", events.as_str()]]);
        let page = evidence(rows.first().unwrap(), Links::Console).into_string();
        assert_eq!(page.contains("does not count the successes"), shown, "{page}");
    };
    check("auth_failures", "ip", 200, true);
    check("auth_failures", "ip", 403, false);
    check("auth_failures", "user", 200, false);
    check("egress_spike", "ip", 200, false);
}
