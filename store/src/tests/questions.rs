//! What the commands ask: each answer is what the documents say of it.

use super::sample::{finding, rows};
use super::{run, store};
use crate::{Feedback, Question, Reader, Scope, Store, Value, Values, Verdict};
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use model::tables::Table;
use model::{FindingId, Time};
use std::sync::Arc;

/// A row of a table: some of its values as texts, an empty one for NULL; the others are anything.
pub(super) fn row(table: Table, values: &[(&str, &str)]) -> RecordBatch {
    let batch = rows(table, 0, 1);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| -> ArrayRef {
        match values.iter().find(|(name, _)| *name == field.name().as_str()) {
            Some((_, value)) => {
                let text = StringArray::from(vec![(!value.is_empty()).then_some(*value)]);
                cast(&text, field.data_type()).unwrap()
            }
            None => Arc::clone(column),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// The answer in the columns of those names, a line for each row.
async fn ask(store: &Store, question: Question, values: Values, names: &[&str]) -> Vec<String> {
    let (_, batches) = Reader::Directory(store.clone()).ask(question, values).await.unwrap();
    let mut lines = Vec::new();
    for batch in &batches {
        let column = |name: &&str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8);
        let columns: Vec<ArrayRef> = names.iter().map(|name| column(name).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|it| it.as_string::<i32>().value(row));
            lines.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_has_the_identities_of_all_that_were_merged_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let id = |number: u8| FindingId([number; 16]);
    let mut writer = store.writer(&run("a"));
    let raised = [(1, "ann"), (2, "bob"), (3, "cid"), (4, "dan"), (1, "amy")];
    for (number, (incident, who)) in (1..).zip(raised) {
        let mut found = finding(number, 1);
        found.principal_id = Some(who.to_owned());
        found.incident_id = Some(id(incident));
        writer.findings(&[found]).await.unwrap();
    }
    // The first was merged into the second, and later that into the third; two runs merged the
    // fourth and the fifth into each other.
    for (number, revision, status, into) in [
        (1, "1", "open", None),
        (1, "2", "merged", Some(2)),
        (2, "2", "merged", Some(3)),
        (3, "1", "open", None),
        (4, "1", "merged", Some(5)),
        (5, "1", "merged", Some(4)),
    ] {
        let (name, into) = (id(number).to_string(), into.map(|it| id(it).to_string()));
        let values = [
            ("incident_id", name.as_str()),
            ("revision", revision),
            ("status", status),
            ("merged_into", into.as_deref().unwrap_or_default()),
            ("severity", "high"),
        ];
        writer.write(Table::Incidents, row(Table::Incidents, &values)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let values = vec![
        ("since_us", Value::Int(0)),
        ("until_us", Value::Int(i64::MAX)),
        ("severity_min", Value::Int(1)),
        ("rows_max", Value::Int(10)),
    ];
    let said = ask(&store, Question::Incidents, values, &["incident_id", "principals"]).await;
    assert_eq!(said, [format!("{} | amy, ann, bob, cid", id(3))]);
    for (number, expected) in
        [(3, vec!["ann", "bob", "cid", "amy"]), (1, vec!["ann", "amy"]), (4, vec!["dan"])]
    {
        let name = id(number).to_string();
        for prefix in [name.as_str(), name.get(..4).unwrap()] {
            let of = vec![("prefix", prefix.into())];
            let named = ask(&store, Question::Incident, of, &["incident_id"]).await;
            assert_eq!(named, [name.as_str()], "{prefix}");
        }
        let values = vec![("incident_id", name.as_str().into()), ("rows_max", Value::Int(10))];
        let said = ask(&store, Question::IncidentFindings, values, &["principal_id"]).await;
        assert_eq!(said, expected, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_findings_are_read_page_by_page_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    for number in 1..=5 {
        writer.findings(&[finding(number, 1)]).await.unwrap();
    }
    writer.commit().await.unwrap();
    let page = |rows_max: i64, skip: i64| -> Values {
        vec![
            ("since_us", Value::Int(i64::MIN)),
            ("until_us", Value::Int(i64::MAX)),
            ("severity_min", Value::Int(1)),
            ("detector", "".into()),
            ("principal_id", "".into()),
            ("with_suppressed", Value::Int(1)),
            ("rows_max", Value::Int(rows_max)),
            ("skip", Value::Int(skip)),
        ]
    };
    let all = ask(&store, Question::Findings, page(9, 0), &["finding_id"]).await;
    assert_eq!(all.len(), 5);
    for (skip, expected) in [(0, &all[..2]), (2, &all[2..4]), (4, &all[4..]), (6, &all[5..])] {
        let read = ask(&store, Question::Findings, page(2, skip), &["finding_id"]).await;
        assert_eq!(read, expected, "{skip}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_findings_have_each_of_them_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    for number in 1..=5 {
        for revision in [1, 2] {
            let mut found = finding(number, revision);
            found.principal_id = Some(if number == 3 { "bob" } else { "ann" }.to_owned());
            writer.findings(&[found]).await.unwrap();
        }
    }
    let named = [("tenant_id", "default"), ("principal_id", "bob"), ("principal_name", "Robert")];
    writer.write(Table::Identities, row(Table::Identities, &named)).await.unwrap();
    writer.commit().await.unwrap();
    let said = |number: u32, verdict| Feedback {
        given_at: Time::from_ns(1_772_445_600_000_000_000),
        given_by: "ops".to_owned(),
        finding_id: finding(number, 1).id.to_string(),
        tenant_id: "default".to_owned(),
        verdict,
        reason: "it is known".to_owned(),
        scope: Scope::Finding,
        detector: "egress_spike".to_owned(),
        principal_id: None,
        entity: None,
        until: None,
        withdraws: None,
    };
    store.give(&[said(4, Verdict::Benign), said(2, Verdict::Malicious)]).await.unwrap();
    for (identity, verdict, pages, total) in [
        ("", "", [vec![5, 3], vec![2, 1], vec![]], "4 | 4 | 1"),
        ("", "any", [vec![5, 4], vec![3, 2], vec![1]], "5 | 5 | 1"),
        ("", "none", [vec![5, 3], vec![1], vec![]], "3 | 3 | 1"),
        ("", "benign", [vec![4], vec![], vec![]], "1 | 1 | 1"),
        ("", "malicious", [vec![2], vec![], vec![]], "1 | 1 | 1"),
        ("rob", "any", [vec![3], vec![], vec![]], "1 | 1 | 0"),
        ("nn", "", [vec![5, 2], vec![1], vec![]], "3 | 3 | 1"),
        ("' or '1'='1", "any", [vec![], vec![], vec![]], "0 | 0 | 0"),
    ] {
        let of: Values = vec![
            ("since_us", Value::Int(i64::MIN)),
            ("until_us", Value::Int(i64::MAX)),
            ("severity_min", Value::Int(4)),
            ("detector", "egress_spike".into()),
            ("identity", identity.into()),
            ("verdict", verdict.into()),
        ];
        let names = ["n", "severe", "suppressed"];
        let counted = ask(&store, Question::FindingsTotal, of.clone(), &names).await;
        assert_eq!(counted, [total], "{identity} {verdict}");
        for (page, wanted) in (0..).zip(pages) {
            let mut values = of.clone();
            values.extend([("rows_max", Value::Int(2)), ("skip", Value::Int(2 * page))]);
            let shown = ask(&store, Question::FindingsPage, values, &["sentence"]).await;
            let wanted: Vec<String> =
                wanted.iter().map(|it: &u32| format!("finding {it} in revision 2")).collect();
            assert_eq!(shown, wanted, "{identity} {verdict} {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_have_the_latest_names_and_say_how_many_a_verdict_covers() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    for (number, name, seen) in
        [(1, "Robert", "2026-03-02T10:00:00Z"), (2, "Rob Roy", "2026-03-03T10:00:00Z")]
    {
        let mut writer = store.writer(&run(&format!("r{number}")));
        for (number, who) in [(number, "bob"), (number + 2, "ann")] {
            let mut found = finding(number, 1);
            found.principal_id = Some(who.to_owned());
            found.incident_id = Some(FindingId([9; 16]));
            writer.findings(&[found]).await.unwrap();
        }
        let mut named = vec![("tenant_id", "default"), ("principal_id", "bob")];
        named.extend([("principal_name", name), ("last_seen", seen)]);
        writer.write(Table::Identities, row(Table::Identities, &named)).await.unwrap();
        writer.commit().await.unwrap();
    }
    let names = ["principal_id", "principal_name"];
    for (number, expected) in [(1, "bob | Rob Roy"), (2, "bob | Rob Roy"), (3, "ann | ")] {
        let of = vec![("prefix", Value::Text(finding(number, 1).id.to_string()))];
        assert_eq!(ask(&store, Question::Finding, of, &names).await, [expected], "{number}");
    }
    let page = [("identity", "".into()), ("verdict", "any".into()), ("skip", Value::Int(0))];
    let whole = [("principal_id", "".into()), ("with_suppressed", Value::Int(0))];
    for (question, more) in
        [(Question::FindingsPage, &page[..]), (Question::FindingsNamed, &whole[..])]
    {
        let mut of: Values = vec![
            ("since_us", Value::Int(i64::MIN)),
            ("until_us", Value::Int(i64::MAX)),
            ("severity_min", Value::Int(1)),
            ("detector", "".into()),
            ("rows_max", Value::Int(9)),
        ];
        of.extend_from_slice(more);
        let mut listed = ask(&store, question, of, &names).await;
        listed.sort_unstable();
        // Each is there once, whatever its identity was called.
        let expected = ["ann | ", "ann | ", "bob | Rob Roy", "bob | Rob Roy"];
        assert_eq!(listed, expected, "{question:?}");
    }
    let said = Feedback {
        given_at: Time::from_ns(1_772_445_600_000_000_000),
        given_by: "ops".to_owned(),
        finding_id: finding(1, 1).id.to_string(),
        tenant_id: "default".to_owned(),
        verdict: Verdict::Malicious,
        reason: "it is known".to_owned(),
        scope: Scope::Identity,
        detector: "egress_spike".to_owned(),
        principal_id: Some("bob".to_owned()),
        entity: None,
        until: None,
        withdraws: None,
    };
    store.give(std::slice::from_ref(&said)).await.unwrap();
    for (id, expected) in [(said.id(), "2"), ("none".to_owned(), "0")] {
        let of = vec![("feedback_id", Value::Text(id))];
        assert_eq!(ask(&store, Question::Covered, of, &["n"]).await, [expected]);
    }
    let of = vec![("prefix", Value::Text(finding(2, 1).id.to_string()))];
    let said_of = ask(&store, Question::Finding, of, &["verdict_finding_id"]).await;
    assert_eq!(said_of, [said.finding_id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_day_that_two_runs_wrote_the_row_with_more_calls_counts_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    for (name, done) in [
        ("a", [("GET /a", "lexical", ["10", "2", "0"]), ("GET /b", "lexical", ["9", "0", "0"])]),
        ("b", [("GET /a", "learned", ["8", "8", "8"]), ("GET /b", "lexical", ["4", "4", "0"])]),
    ] {
        let mut writer = store.writer(&run(name));
        for (endpoint, source, [requests, accepted, odd]) in done {
            let values = [
                ("tenant_id", "default"),
                ("principal_id", "peer"),
                ("endpoint", endpoint),
                ("endpoint_source", source),
                ("requests", requests),
                ("requests_accepted", accepted),
                ("requests_in_findings", odd),
            ];
            writer.write(Table::Operations, row(Table::Operations, &values)).await.unwrap();
        }
        let state = [("tenant_id", "default"), ("principal_id", "peer"), ("peer_group", "3")];
        writer.write(Table::Identities, row(Table::Identities, &state)).await.unwrap();
        writer.commit().await.unwrap();
    }
    let of = |who: &str| {
        vec![
            ("tenant_id", "default".into()),
            ("principal_id", who.into()),
            ("since_us", Value::Int(0)),
            ("until_us", Value::Int(i64::MAX)),
        ]
    };
    let mut values = of("peer");
    values.push(("rows_max", Value::Int(10)));
    let names =
        ["endpoint", "endpoint_source", "requests", "requests_accepted", "requests_in_findings"];
    let said = ask(&store, Question::Operations, values, &names).await;
    assert_eq!(said, ["GET /a | lexical | 10 | 2 | 0", "GET /b | lexical | 9 | 0 | 0"]);
    // What was only refused is used by nobody, whatever the other run says.
    let mut values = of("asked");
    values.extend([("peer_group", Value::Int(3)), ("principal_type", "user".into())]);
    let said = ask(&store, Question::PeerOperations, values, &["endpoint", "peers"]).await;
    assert_eq!(said, [" | 1", "GET /a | 1"]);
}
