//! How long each query of a dashboard takes on a store as large as a year's: a benchmark, and a bar in the full tier.

use super::queries::Inquiry;
use super::questions::Choice;
use super::results::FORMAT;
use super::seed::{Store, span};
use super::{boards, committed, text};
use crate::habitus::is_full;
use crate::services::{self, ClickHouse};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The longest that the middle of three runs of any query, variables' and rules' too, may take in the
/// full tier.
const SLOW: Duration = Duration::from_millis(500);
const IDENTITIES: u32 = 5_000;
const DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
/// The days of a dashboard that says nothing else.
const DAYS_SHOWN: i64 = 7;
/// Rows of one insert: a request of the tests' own has a minute.
const ROWS_AT_ONCE: u64 = 500_000;
/// Queries that are printed.
const SHOWN: usize = 10;

/// The name of the identity of a row; heavy ones have more rows than light ones, as in life.
const WHO: &str =
    "concat('identity-', toString(toUInt32(pow(rand32(1) / 4294967295, 2) * {identities})))";
/// The start of the hour of a row.
const HOUR: &str = "toStartOfHour({from} + toIntervalSecond(rand32(2) % {seconds}))";

/// The identity and the hour of a row of which there is one for both: a row has another pair as long
/// as there are any.
const EACH: &str = "concat('identity-', toString(number % {identities}))";
const ITS_HOUR: &str = "{from} + toIntervalHour((intDiv(number, {identities}) * 7919) % {hours})";

/// A large table: its columns, their values for a row `number`, and its rows for each finding.
const TABLES: [(&str, &str, &str, u64); 4] = [
    (
        "findings",
        "finding_id, revision, tenant_id, principal_id, principal_type, entity, detector,
         window_start, window_end, window_seconds, detected_at, severity, score, surprise, observed,
         expected, upper, unit, sentence, counterfactual, contributors, evidence, owasp,
         baseline_state, risk_score",
        "toString(reinterpretAsUUID(MD5(toString(number)))), 1, 'default', {who}, 'consumer',
         concat('GET /v1/thing-', toString(number % 300)),
         ['not_itself', 'machine_speed', 'foreign_object', 'new_network', 'first_seen_endpoint',
          'agent_graph', 'tool_drift', 'runaway_loop'][1 + number % 8],
         {hour} AS start, start + INTERVAL 1 HOUR, 3600, start + INTERVAL 50 MINUTE,
         ['info', 'low', 'low', 'medium', 'medium', 'medium', 'high', 'high', 'critical'][1 + number % 9],
         1000 + number % 100000, 6 + number % 5, 900 + number % 50, 20, 60, 'calls',
         concat('Identity made ', toString(number), ' calls where it makes 20'),
         'At most 60 calls would have been ordinary.', '[]', '[]', 'API4:2023', 'active',
         number % 100",
        1,
    ),
    (
        "windows",
        "tenant_id, principal_id, window_start, window_end, window_seconds, requests, status_2xx,
         status_403, endpoints_distinct, endpoints_new, objects_distinct, networks_distinct,
         networks_new, user_agents_distinct, acted_requests, subjects_distinct, tools_distinct,
         bytes_out, responses_with_size, write_share, duration_p50_ms",
        "'default', {each}, {its_hour} AS start, start + INTERVAL 1 HOUR, 3600, 1 + number % 500,
         number % 480, number % 3, 1 + number % 20, number % 50 = 0, number % 40, 1 + number % 2,
         number % 97 = 0, 1, if(number % 20 = 0, number % 30, 0), number % 20 = 0,
         if(number % 20 = 0, 3, 0), 900 * (number % 500), number % 480, 0.1, 12",
        10,
    ),
    (
        "signals",
        "tenant_id, principal_id, entity, detector, window_start, window_end, window_seconds,
         observed, expected, surprise, score",
        "'default', {each}, '', ['not_itself', 'joint_outlier', 'machine_speed'][1 + number % 3],
         {its_hour} AS start, start + INTERVAL 1 HOUR, 3600, number % 100, 10, number % 9, 1 + number % 900",
        10,
    ),
    (
        "operations",
        "tenant_id, principal_id, day_start, endpoint, endpoint_source, requests,
         requests_accepted, requests_in_findings",
        "'default', {who}, toStartOfDay({hour}), concat('GET /v1/thing-', toString(number % 300)),
         if(number % 10 = 0, 'rpc', 'learned'), 1 + number % 900, number % 900, number % 90 = 0",
        5,
    ),
];

/// The days that each dashboard shows unless its reader chooses others, by its uid; those that show
/// hours are not here.
fn own_days() -> BTreeMap<String, i64> {
    let days = |board: &Value| -> Option<i64> {
        text(&board["time"], "from").strip_prefix("now-")?.strip_suffix('d')?.parse().ok()
    };
    let all = boards(&committed());
    let known =
        all.iter().filter_map(|it| Some((text(&it.json, "uid").to_owned(), days(&it.json)?)));
    known.collect()
}

/// Findings and ten times as many windows over 90 days that end with the last full day.
fn large(server: &'static ClickHouse, findings: u64) -> Store {
    let (mut store, _, _) = Store::migrated(server, "boards_speed");
    store.to_ms = 1_000 * store.count("SELECT toUnixTimestamp(toStartOfDay(now('UTC')))");
    store.from_ms = store.to_ms - DAYS * DAY_MS;
    let from = format!("fromUnixTimestamp64Milli({}, 'UTC')", store.from_ms);
    let (seconds, hours) = ((DAYS * 86_400).to_string(), (DAYS * 24).to_string());
    let identities = IDENTITIES.to_string();
    let parts = [
        ("{who}", WHO),
        ("{hour}", HOUR),
        ("{each}", EACH),
        ("{its_hour}", ITS_HOUR),
        ("{from}", from.as_str()),
        ("{seconds}", seconds.as_str()),
        ("{hours}", hours.as_str()),
        ("{identities}", identities.as_str()),
    ];
    for (table, columns, values, times) in TABLES {
        let values = parts
            .into_iter()
            .fold(values.to_owned(), |values, (name, text)| values.replace(name, text));
        let rows = findings * times;
        for first in (0..rows).step_by(ROWS_AT_ONCE as usize) {
            let count = ROWS_AT_ONCE.min(rows - first);
            store.ask(&format!(
                "INSERT INTO {table} ({columns}) SELECT {values} FROM numbers({first}, {count})"
            ));
        }
    }
    store.ask(&format!(
        "INSERT INTO identities (tenant_id, principal_id, principal_type, principal_source,
             baseline_state, first_seen, last_seen, stated_at, requests, active_hours, peer_group,
             peers, risk, risk_findings)
         SELECT 'default', concat('identity-', toString(number)), 'consumer', 'kong.consumer.id',
             'active', {from}, {from} + INTERVAL {DAYS} DAY, {from} + INTERVAL {DAYS} DAY, 100000,
             2000, number % 12, 400, number % 200, '[]'
         FROM numbers({IDENTITIES})"
    ));
    store.ask(&format!(
        "INSERT INTO endpoints (endpoint, endpoint_source, first_seen, last_seen, requests,
             identities, authenticated_share, answered, answered_unauthenticated)
         SELECT concat('GET /v1/thing-', toString(number)), 'learned', {from},
             {from} + INTERVAL {DAYS} DAY, 100000, 400, 1, 99000, 0
         FROM numbers(300)"
    ));
    store.fill_own();
    store
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a time is measured")]
fn queries_of_a_large_store_take_this_long() {
    let Some(server) = services::clickhouse("queries_of_a_large_store_take_this_long") else {
        return;
    };
    let (findings, runs) = if is_full() { (1_000_000, 3) } else { (20_000, 1) };
    let inquiry = Inquiry::new(large(server, findings));
    let to = inquiry.store.to_ms;
    let mut taken = Vec::new();
    let own = own_days();
    for question in &inquiry.questions {
        let own = own.get(&question.board).copied().unwrap_or(DAYS_SHOWN);
        for (days, choice) in [
            (1, Choice::All),
            (DAYS_SHOWN, Choice::All),
            (DAYS_SHOWN, Choice::First),
            (own.max(DAYS_SHOWN), Choice::All),
        ] {
            let span = span(to - days * DAY_MS, to);
            let sql = inquiry.sent(question, choice, &span).unwrap();
            let mut times: Vec<_> = (0..runs)
                .map(|_| {
                    let started = Instant::now();
                    let said = server.try_query_in(&inquiry.store.database, FORMAT, &sql);
                    assert!(said.is_ok(), "{}: {said:?}", question.name);
                    started.elapsed()
                })
                .collect();
            times.sort();
            taken
                .push((times[runs / 2], format!("{} over {days} days, {choice:?}", question.name)));
        }
    }
    assert!(own.values().any(|days| *days > DAYS_SHOWN), "{own:?}");
    taken.sort();
    taken.reverse();
    println!("the slowest of {} over {findings} findings:", taken.len());
    for (time, name) in taken.iter().take(SHOWN) {
        println!("{:>7.1} ms  {name}", time.as_secs_f64() * 1_000.0);
    }
    if is_full() {
        let slow: Vec<_> = taken.iter().filter(|(time, _)| *time > SLOW).collect();
        assert!(slow.is_empty(), "slower than {SLOW:?}: {slow:#?}");
    }
}
