//! What the commands ask: each answer is what the documents say of it.

use super::sample::{finding, rows};
use super::{run, store};
use crate::{Question, Reader, Store, Value, Values};
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use model::FindingId;
use model::tables::Table;
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
