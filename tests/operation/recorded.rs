//! What the service says of itself in a ClickHouse: samples of its metrics, and how its partitions fare.

use super::service::{Service, configure, until};
use super::{documented, hours, produce, topic};
use crate::habitus::Place;
use crate::services::{self, Fault};
use std::collections::BTreeSet;

/// What is measured only where there is a deny feed.
const OF_DENY_FEED: [&str; 2] = ["habitus_deny_entries", "habitus_deny_left_out"];

/// Runs a service until so many events of its topic were read and judged.
fn run_until(place: &Place, url: &str, events: usize) {
    let service = Service::start(place, &["--store", url]);
    until("all is read and judged", || {
        let metrics = service.metrics();
        let lag = metrics.values("habitus_source_lag_records");
        let is_read = lag.len() == 3 && lag.iter().all(|it| *it == 0);
        let is_judged = metrics.sum("habitus_events_total") >= events as i64
            && metrics.sum("habitus_held_events") == 0
            && metrics.sum("habitus_epochs_total") > 0;
        (is_read && is_judged).then_some(()).ok_or(metrics.text)
    });
    service.stop();
}

/// The more of a counter's samples, over all processes: what document and dashboards ask.
fn more(name: &str) -> String {
    format!(
        "SELECT sum(more) FROM (SELECT value - lagInFrame(value, 1, value) OVER \
         (PARTITION BY worker, toString(labels) ORDER BY at \
         ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS more \
         FROM {{db}}.metrics WHERE name = '{name}')"
    )
}

#[test]
fn every_metric_is_in_the_store_and_gives_a_rate_over_restarts() {
    const TEST: &str = "every_metric_is_in_the_store_and_gives_a_rate_over_restarts";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    let (first, second) = (hours(0, 6), hours(6, 9));
    let (place, topic) = (Place::new(), topic(kafka, &first));
    configure(&place, kafka, &topic, "");
    let url = crate::live::store(&place, server, "recorded");
    let database = url.rsplit('/').next().unwrap();
    let ask = |sql: &str| server.query(&sql.replace("{db}", database));
    run_until(&place, &url, first.len());
    let all = first.len() + second.len();
    // The next process begins to count at 0.
    produce(kafka, &topic, &second);
    run_until(&place, &url, second.len());

    let names = ask("SELECT DISTINCT name FROM {db}.metrics");
    let names: BTreeSet<&str> = names.lines().collect();
    for name in documented() {
        let is_there = names.contains(name.as_str())
            || names.contains(format!("{name}_sum").as_str())
                && names.contains(format!("{name}_count").as_str());
        assert_eq!(is_there, !OF_DENY_FEED.contains(&name.as_str()), "{name}");
    }
    assert_eq!(ask(&more("habitus_events_total")), all.to_string());
    let windows = ask(&more("habitus_windows_total")).parse::<f64>().unwrap();
    assert!(windows > 0.0, "{windows}");
    let processes = "SELECT uniqExact(worker), uniqExact(app), any(app) FROM {db}.metrics";
    assert_eq!(ask(processes), format!("2\t1\t{topic}"));
    let partitions = "SELECT arraySort(groupUniqArray(labels['partition'])), any(labels['topic']), any(kind) \
                      FROM {db}.metrics WHERE name = 'habitus_source_lag_records'";
    assert_eq!(ask(partitions), format!("['0','1','2']\t{topic}\tgauge"));
    let rows = ask("SELECT count() FROM {db}.metrics").parse::<usize>().unwrap();
    println!("{TEST}: {rows} rows of two processes");

    // Beside it, the same of each partition from epoch to epoch.
    let health =
        "SELECT sum(events), sum(rejected), uniqExact(worker) FROM {db}.pipeline_health FINAL";
    assert_eq!(ask(health), format!("{all}\t0\t2"));
    let offsets = "SELECT sum(last) FROM \
                   (SELECT max(offset) AS last FROM {db}.pipeline_health GROUP BY topic, partition)";
    assert_eq!(ask(offsets), all.to_string());
    let strangers = "SELECT count() FROM {db}.pipeline_health \
                     WHERE worker NOT IN (SELECT worker FROM {db}.metrics) OR app != '{app}'";
    assert_eq!(ask(&strangers.replace("{app}", &topic)), "0");
}

#[test]
fn metrics_that_the_store_refuses_stop_nothing() {
    const TEST: &str = "metrics_that_the_store_refuses_stop_nothing";
    const NO_GRANT: Fault = Fault::Says(
        497,
        "Code: 497. DB::Exception: habitus: Not enough privileges. To execute this query, it's \
         necessary to have the grant INSERT ON metrics. (ACCESS_DENIED)",
    );
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(mut server) = services::ClickHouse::start_own(TEST) else { return };
    let lines = hours(0, 6);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic, "");
    let url = crate::live::store(&place, &server, "unmeasured");
    server.fault(1_000, NO_GRANT, "INSERT INTO metrics");
    let service = Service::start(&place, &["--store", &url]);
    let refused = "habitus_store_failures_total{table=\"metrics\"}";
    until("all is judged and no metric is taken", || {
        let metrics = service.metrics();
        let is_judged = metrics.sum("habitus_store_rows_total{table=\"windows\"}") > 0
            && metrics.sum("habitus_events_total") == lines.len() as i64;
        (is_judged && metrics.sum(refused) > 0).then_some(()).ok_or(metrics.text)
    });
    assert_eq!(service.get("/health/ready").0, 200);
    let metrics = service.metrics();
    assert_eq!(metrics.sum("habitus_dead_letters_total"), 0);
    assert_eq!(metrics.sum("habitus_store_failures_total"), metrics.sum(refused));
    let said = service.said();
    assert_eq!(said.matches("metrics are missing in the store").count(), 1, "{said}");
    service.stop();
    let database = url.rsplit('/').next().unwrap();
    assert_eq!(server.query(&format!("SELECT count() FROM {database}.metrics")), "0");
    let windows = server.query(&format!("SELECT count() FROM {database}.windows"));
    assert_ne!(windows, "0", "what was judged is there");
}
