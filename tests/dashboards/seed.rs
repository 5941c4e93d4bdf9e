//! A store as an analyst has it: simulated days, what the service measures of itself, what people
//! said, and identities that are called like parts of SQL.

use super::macros::Span;
use crate::habitus::{Place, is_full, root};
use crate::services::ClickHouse;

/// Identities of the store, some of them called like an attack on whoever writes SQL with them.
pub(super) static HOSTILE: [&str; 8] = [
    "\\' OR 1=1 --",
    "' OR '1'='1",
    "\\",
    "o'neil\\'); DROP TABLE windows; --",
    "line\nbreak\tand \u{202e}right to left, ünï→çödé",
    "$__all ${tenant:raw} [[identity]] $__timeFilter(x)",
    "%27 OR 1%3D1 &var-tenant={a,b}",
    "\" OR \"\"=\"`",
];
/// Tools, loops and agents of which few simulated days have none: a detector and what it is about.
const OF_AGENTS: [(&str, &str); 4] = [
    ("agent_graph", "planner→billing-bot"),
    ("identity_explosion", ""),
    ("runaway_loop", "session:7f3a"),
    ("tool_drift", "crm/delete_customer"),
];
/// Days of metrics and of the pipeline's health at most.
const OWN_DAYS_MAX: i64 = 14;
/// Seconds between two samples of the service's metrics; it takes one every 15 s.
const SAMPLE_S: i64 = 120;

/// A store that is filled, and the time of its data.
pub(super) struct Store {
    pub(super) server: &'static ClickHouse,
    pub(super) database: String,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Store {
    /// A database with the tables of this version.
    pub(super) fn migrated(server: &'static ClickHouse, name: &str) -> (Self, Place, String) {
        let (database, place) = (server.database(name), Place::new());
        let host = server.url.trim_start_matches("http://");
        let url = format!("clickhouse://{host}/{database}");
        let said = place.run_in(&url, &["migrate"]);
        assert_eq!(said.code, 0, "{}", said.err);
        (Self { server, database, from_ms: 0, to_ms: 0 }, place, url)
    }

    /// The answer in tab-separated lines.
    #[track_caller]
    pub(super) fn ask(&self, sql: &str) -> String {
        let said = self.server.try_query_in(&self.database, "TabSeparated", sql);
        said.unwrap_or_else(|reason| panic!("{sql}: {reason}"))
    }

    /// One number.
    #[track_caller]
    pub(super) fn count(&self, sql: &str) -> i64 {
        let said = self.ask(sql);
        said.parse().unwrap_or_else(|_| panic!("{sql}: {said}"))
    }

    /// The whole time of the data.
    pub(super) fn whole(&self) -> Span {
        span(self.from_ms, self.to_ms)
    }

    /// What the service says of itself, over the whole time, a fortnight of it at most.
    pub(super) fn fill_own(&self) {
        fill_health(self);
        fill_metrics(self);
    }

    /// A time as SQL.
    fn time(ms: i64) -> String {
        format!("fromUnixTimestamp64Milli({ms}, 'UTC')")
    }
}

/// A time range of a panel 1 000 pixels wide, in Grafana's steps.
pub(super) fn span(from_ms: i64, to_ms: i64) -> Span {
    let steps_s = [1, 10, 60, 300, 1_800, 3_600, 10_800, 86_400];
    let least = (to_ms - from_ms) / 1_000 / 1_000;
    let step = steps_s.into_iter().find(|it| *it >= least).unwrap_or(86_400);
    Span { from_ms, to_ms, interval_ms: step * 1_000 }
}

/// Days of simulated traffic that ended lately, a Monday first: boards keep 30 days of metrics.
pub(super) fn simulated(server: &'static ClickHouse) -> Store {
    let (mut store, place, url) = Store::migrated(server, "boards");
    let (days, people, services, agents) =
        if is_full() { (14, "1700", "120", "180") } else { (3, "40", "20", "20") };
    let start = store.ask(&format!("SELECT toString(toMonday(today() - {days}))"));
    store.from_ms =
        1_000 * store.count(&format!("SELECT toUnixTimestamp('{start} 00:00:00', 'UTC')"));
    store.to_ms = store.from_ms + days * 86_400_000;
    let log = place.path("log.ndjson.zst");
    let log = log.to_str().unwrap();
    let days = days.to_string();
    let options = ["--people", people, "--services", services, "--agents", agents, "--out", log];
    let shape = ["simulate", "--format", "canonical", "--attacks", "all", "--start", &start];
    let said = place.run(&[&shape[..], &["--days", &days], &options].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let said = place.run_in(&url, &["replay", log, "--output", "ndjson"]);
    assert_eq!(said.code, 0, "{}", said.err);
    fill_rare(&store);
    fill_findings(&store);
    fill_written(&store);
    fill_feedback(&store);
    store.fill_own();
    store
}

/// A text of SQL; only here, where it is written, and not where Grafana would.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A finding's id made of what makes it another finding.
fn id_with(mark: &str) -> String {
    format!("toString(reinterpretAsUUID(MD5(concat(finding_id, {}))))", literal(mark))
}

/// What few simulated days have not, in some hours of everybody: a column that stays empty could be
/// any other. Some incidents are still open, and some findings are of no weight.
fn fill_rare(store: &Store) {
    store.ask(
        "INSERT INTO windows SELECT * REPLACE(2 AS status_3xx, 1 AS status_401, 1 AS status_unknown,
             1 AS networks_new, 3 AS objects_foreign, 2 AS objects_changed_distinct,
             1 AS objects_deleted_distinct, 1 AS secrets_read_distinct, 1 AS tools_new,
             12 AS calls_repeated_max)
         FROM (SELECT * FROM windows WHERE cityHash64(principal_id, window_start) % 3 = 0)",
    );
    store.ask(
        "INSERT INTO operations SELECT * REPLACE(requests - 1 AS requests_accepted)
         FROM (SELECT * FROM operations WHERE endpoint_source = 'rpc' AND requests > 1)",
    );
    store.ask(
        "INSERT INTO incidents SELECT * REPLACE('open' AS status, revision + 1 AS revision)
         FROM (SELECT * FROM incidents FINAL
               WHERE status != 'merged' AND cityHash64(incident_id) % 2 = 0)",
    );
    store.ask(&format!(
        "INSERT INTO findings SELECT * REPLACE({} AS finding_id, 'info' AS severity,
             NULL AS incident_id)
         FROM (SELECT * FROM findings ORDER BY finding_id LIMIT 10)",
        id_with("of no weight")
    ));
}

/// Copies of one identity for each hostile name, and findings that few days of agents lack.
fn fill_findings(store: &Store) {
    let model = store.ask(
        "SELECT principal_id FROM findings WHERE principal_id IN (SELECT principal_id FROM operations)
         GROUP BY principal_id ORDER BY count() DESC, principal_id LIMIT 1",
    );
    let model = literal(&model);
    for name in HOSTILE {
        let named = literal(name);
        for (table, more) in [
            ("windows", ""),
            ("operations", ""),
            ("signals", ""),
            ("identities", ", {name} AS principal_name"),
            (
                "findings",
                ", {id} AS finding_id, concat({name}, ' did it') AS sentence, NULL AS incident_id",
            ),
        ] {
            let more = more.replace("{id}", &id_with(name)).replace("{name}", &named);
            store.ask(&format!(
                "INSERT INTO {table} SELECT * REPLACE({named} AS principal_id{more})
                 FROM (SELECT * FROM {table} WHERE principal_id = {model})"
            ));
        }
    }
    // Another tenant, called as badly as its identities.
    let tenant = literal(HOSTILE[0]);
    let id = format!(", {} AS finding_id, NULL AS incident_id", id_with("another tenant"));
    for (table, more) in
        [("windows", ""), ("operations", ""), ("identities", ""), ("findings", id.as_str())]
    {
        store.ask(&format!(
            "INSERT INTO {table} SELECT * REPLACE({tenant} AS tenant_id{more})
             FROM (SELECT * FROM {table} WHERE principal_id = {model})"
        ));
    }
    for (detector, entity) in OF_AGENTS {
        store.ask(&format!(
            "INSERT INTO findings SELECT * REPLACE(
                 {} AS finding_id, '{detector}' AS detector, {} AS entity, NULL AS incident_id)
             FROM (SELECT * FROM findings WHERE principal_id = {model})",
            id_with(detector),
            literal(entity)
        ));
    }
}

/// Findings as a service writes them, ten minutes after their event: rules ask for that time, and rows of
/// a replay were all written now.
fn fill_written(store: &Store) {
    store.ask(
        "INSERT INTO findings (*, written_at) SETTINGS insert_allow_materialized_columns = 1
         SELECT *, toDateTime(detected_at) + INTERVAL 10 MINUTE FROM (SELECT * FROM findings FINAL)",
    );
}

/// A verdict for one finding in four and for the first one of each identity, ten minutes after it, and for
/// some of these another one, of an identity and an endpoint and for a while.
fn fill_feedback(store: &Store) {
    store.ask(
        "INSERT INTO feedback (feedback_id, given_at, given_by, finding_id, tenant_id, verdict,
             reason, scope, detector, principal_id, entity, until, withdraws)
         SELECT toString(reinterpretAsUUID(MD5(concat(finding_id, 'for a while')))),
             detected_at + INTERVAL 20 MINUTE, 'an analyst', finding_id, tenant_id, 'benign',
             'a planned job', 'pattern', detector, principal_id, entity,
             detected_at + INTERVAL 30 DAY, NULL
         FROM findings FINAL WHERE cityHash64(finding_id) % 16 = 0",
    );
    store.ask(
        "INSERT INTO feedback (feedback_id, given_at, given_by, finding_id, tenant_id, verdict,
             reason, scope, detector, principal_id, entity, until, withdraws)
         WITH (SELECT groupArray(first) FROM (
                 SELECT argMin(finding_id, detected_at) AS first FROM findings FINAL GROUP BY principal_id
             )) AS firsts
         SELECT toString(reinterpretAsUUID(MD5(finding_id))), detected_at + INTERVAL 10 MINUTE,
             'an analyst', finding_id, tenant_id,
             if(cityHash64(finding_id) % 8 = 0 OR has(firsts, finding_id), 'malicious', 'benign'),
             'looked at', 'finding', detector, '', NULL, NULL, NULL
         FROM findings FINAL WHERE cityHash64(finding_id) % 4 = 0 OR has(firsts, finding_id)",
    );
    assert!(store.count("SELECT uniqExact(verdict) FROM feedback") == 2, "both verdicts are given");
}

/// Where what the service says of itself begins.
fn own_from_ms(store: &Store) -> i64 {
    store.from_ms.max(store.to_ms - OWN_DAYS_MAX * 86_400_000)
}

/// A row for each of three partitions and minute.
fn fill_health(store: &Store) {
    let from_ms = own_from_ms(store);
    store.ask(&format!(
        "INSERT INTO pipeline_health (at, app, worker, topic, partition, offset, watermark, events,
             findings, late, rejected)
         SELECT {from} + toIntervalMinute(minute) AS at, 'habitus', 'worker-1', 'calls', partition,
             1000 * minute, at - INTERVAL 40 SECOND, 1000, minute % 50 = 0, minute % 7, minute % 5
         FROM (SELECT toInt64(number) AS minute FROM numbers({minutes}))
         ARRAY JOIN [0, 1, 2] AS partition",
        from = Store::time(from_ms),
        minutes = (store.to_ms - from_ms) / 60_000
    ));
}

/// The values of a label; several labels of one metric have their first values together.
fn values(label: &str) -> &'static [&'static str] {
    match label {
        "detector" => &["not_itself", "foreign_object"],
        "partition" => &["0", "1"],
        "reason" => &["malformed_json", "no_time"],
        "result" => &["done", "failed"],
        "severity" => &["high", "critical"],
        "state" => &["leading", "waiting_for_store"],
        "table" => &["findings", "windows"],
        "topic" => &["calls", "calls"],
        "version" => &["0.1.0"],
        _ => &["some"],
    }
}

/// The label sets of a metric, as SQL.
fn maps(labels: &[&str]) -> String {
    let of = |at: usize| {
        let pairs = labels.iter().map(|label| {
            let value = values(label).get(at).copied().unwrap_or("some");
            format!("'{label}', '{value}'")
        });
        format!("map({})", pairs.collect::<Vec<_>>().join(", "))
    };
    match labels.iter().map(|it| values(it).len()).max() {
        None => "CAST(map(), 'Map(String, String)')".to_owned(),
        Some(count) => (0..count).map(of).collect::<Vec<_>>().join(", "),
    }
}

/// Every metric of `docs/metrics.md` over the whole time; counters begin anew in the middle.
fn fill_metrics(store: &Store) {
    let document = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let (_, table) = document.split_once("## Every metric").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let from_ms = own_from_ms(store);
    let samples = (store.to_ms - from_ms) / 1_000 / SAMPLE_S;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, unit, labels, ..] = &cells[..] else { panic!("{row}") };
        let name = name.trim_matches('`');
        let labels: Vec<_> = labels
            .split(',')
            .map(|it| it.trim().trim_matches('`'))
            .filter(|it| !it.is_empty())
            .collect();
        let maps = maps(&labels);
        let (names, kind) = match *kind {
            "histogram" => (vec![format!("{name}_sum"), format!("{name}_count")], "counter"),
            kind => (vec![name.to_owned()], kind),
        };
        let scale = if *unit == "bytes" { 1_000_000 } else { 1 };
        for name in names {
            let value = match kind {
                "counter" => format!("10 * (number % {})", (samples / 2).max(1)),
                _ if name == "process_start_time_seconds" => (from_ms / 1_000).to_string(),
                _ => "1 + number % 5".to_owned(),
            };
            store.ask(&format!(
                "INSERT INTO metrics (at, app, worker, name, labels, kind, value)
                 SELECT {from} + toIntervalSecond({SAMPLE_S} * number), 'habitus', 'worker-1',
                     '{name}', label, '{kind}', {scale} * ({value})
                 FROM numbers({samples}) ARRAY JOIN [{maps}] AS label",
                from = Store::time(from_ms)
            ));
        }
    }
}
