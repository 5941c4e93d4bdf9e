//! What dashboards say is so: where tenants have identities of one id, where a replay wrote rows again,
//! where a process began anew, and where a day or a step of time is not over.

use super::queries::Inquiry;
use super::questions::Choice;
use super::results::{Answer, FORMAT};
use super::seed::{Store, span};
use crate::services::{self, ClickHouse};

/// Midnight of 5 March 2026.
const MIDNIGHT_MS: i64 = 1_772_668_800_000;
const H_MS: i64 = 3_600_000;
/// From noon before to noon after midnight: a day that is no UTC day.
const NOONS: (i64, i64) = (MIDNIGHT_MS - 12 * H_MS, MIDNIGHT_MS + 12 * H_MS);

/// The dashboards over a store with nothing but these rows.
fn over(server: &'static ClickHouse, name: &str, inserts: &[&str]) -> Inquiry {
    let (mut store, _, _) = Store::migrated(server, name);
    (store.from_ms, store.to_ms) = (MIDNIGHT_MS - 72 * H_MS, MIDNIGHT_MS + 24 * H_MS);
    for insert in inserts {
        store.ask(insert);
    }
    Inquiry::new(store)
}

/// What a panel is answered between two times.
#[track_caller]
fn answer(inquiry: &Inquiry, panel: &str, choice: Choice<'_>, (from, to): (i64, i64)) -> Answer {
    let question = inquiry.questions.iter().find(|it| it.name.ends_with(panel));
    let question = question.unwrap_or_else(|| panic!("there is no {panel}"));
    let sql = inquiry.sent(question, choice, &span(from, to)).unwrap();
    let store = &inquiry.store;
    let said = store.server.try_query_in(&store.database, FORMAT, &sql);
    Answer::parse(&said.unwrap_or_else(|why| panic!("{sql}: {why}"))).unwrap()
}

/// The values of a column, as texts.
#[track_caller]
fn column(answer: &Answer, name: &str) -> Vec<String> {
    let place = answer.names.iter().position(|it| it == name);
    let place = place.unwrap_or_else(|| panic!("there is no {name}: {:?}", answer.names));
    let values = answer.rows.iter().map(|row| &row[place]);
    values.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect()
}

#[test]
fn what_two_tenants_call_alike_is_not_added_up() {
    let Some(server) = services::clickhouse("what_two_tenants_call_alike_is_not_added_up") else {
        return;
    };
    let hour = "toDateTime64('2026-03-05 01:00:00', 6, 'UTC')";
    let windows = format!(
        "INSERT INTO windows (tenant_id, principal_id, window_start, window_end, window_seconds,
             requests, status_2xx)
         VALUES ('b', 'twin', {hour}, {hour}, 3600, 7, 7), ('a', 'twin', {hour}, {hour}, 3600, 5, 5)"
    );
    let inquiry = over(
        server,
        "boards_twins",
        &[
            &windows,
            "INSERT INTO identities (tenant_id, principal_id, last_seen)
             VALUES ('a', 'twin', '2026-03-05 02:00:00'), ('b', 'twin', '2026-03-05 02:00:00')",
        ],
    );
    let twin = Choice::Only("identity", "twin");
    let answers = answer(&inquiry, "Identity: Answers A", twin, NOONS);
    assert_eq!(column(&answers, "status_2xx"), ["5"], "those of the first tenant");
    let who = answer(&inquiry, "Identity: Who it is A", twin, NOONS);
    assert_eq!(column(&who, "tenant_id"), ["a", "b"], "it is said that there are two");
    let options = answer(&inquiry, "Identity: variable identity", twin, NOONS);
    assert_eq!(column(&options, "principal_id"), ["twin"], "an id is offered once");
}

#[test]
fn what_a_replay_wrote_again_counts_once_and_a_day_counts_whole() {
    const TEST: &str = "what_a_replay_wrote_again_counts_once_and_a_day_counts_whole";
    let Some(server) = services::clickhouse(TEST) else { return };
    let operation = |counts: &str| {
        format!(
            "INSERT INTO operations (tenant_id, principal_id, day_start, endpoint, endpoint_source,
                 requests, requests_accepted, requests_in_findings)
             VALUES ('a', 'bot', '2026-03-04 00:00:00', 'mcp tools/call search', 'rpc', {counts})"
        )
    };
    let window = |acted: u32| {
        format!(
            "INSERT INTO windows (tenant_id, principal_id, window_start, window_end, window_seconds,
                 acted_requests, tools_distinct)
             VALUES ('a', 'bot', '2026-03-05 01:00:00', '2026-03-05 02:00:00', 3600, {acted}, 1)"
        )
    };
    let inquiry = over(
        server,
        "boards_again",
        &[
            &operation("10, 9, 0"),
            &operation("12, 10, 1"),
            &window(3),
            &window(4),
            "INSERT INTO identities (tenant_id, principal_id) VALUES ('a', 'bot')",
        ],
    );
    let bot = Choice::Only("identity", "bot");
    let tools = answer(&inquiry, "Agents: Tools A", Choice::All, NOONS);
    assert_eq!(column(&tools, "requests"), ["12"]);
    assert_eq!(column(&tools, "requests_not_accepted"), ["2"]);
    let kinds = answer(&inquiry, "Agents: Operations by kind A", Choice::All, NOONS);
    assert_eq!(column(&kinds, "requests"), ["12"]);
    let agents = answer(&inquiry, "Agents: Agents and what they did A", Choice::All, NOONS);
    assert_eq!(column(&agents, "acted_requests"), ["4"]);
    assert_eq!(column(&agents, "hours"), ["1"]);
    let acted = answer(&inquiry, "Agents: Calls on behalf of others A", Choice::All, NOONS);
    assert_eq!(column(&acted, "acted_requests"), ["4"]);
    let novel = answer(&inquiry, "Identity: Novel endpoints A", bot, NOONS);
    assert_eq!(column(&novel, "requests_in_range"), ["12"], "the day began before the time range");
}

#[test]
fn what_is_open_is_listed_however_much_is_not() {
    const TEST: &str = "what_is_open_is_listed_however_much_is_not";
    let Some(server) = services::clickhouse(TEST) else { return };
    let of = |detector: &str, severity: &str, count: u32| {
        format!(
            "INSERT INTO findings (finding_id, revision, tenant_id, principal_id, detector,
                 window_start, window_end, window_seconds, detected_at, severity, owasp)
             SELECT concat('{detector}-', toString(number)), 1, 'a', 'ann', '{detector}',
                 '2026-03-04 13:00:00', '2026-03-04 14:00:00', 3600, '2026-03-04 13:30:00',
                 '{severity}', 'API1:2023, ASI02' FROM numbers({count})"
        )
    };
    let inquiry = over(
        server,
        "boards_open",
        &[
            &of("new_network", "critical", 1_200),
            &of("sequence", "medium", 1),
            "INSERT INTO feedback (feedback_id, given_at, finding_id, tenant_id, verdict, scope,
                 detector)
             VALUES ('f', '2026-03-04 15:00:00', 'new_network-0', 'a', 'benign', 'detector',
                 'new_network')",
        ],
    );
    let open = answer(&inquiry, "Triage: Open findings A", Choice::All, NOONS);
    assert_eq!(column(&open, "finding_id"), ["sequence-0"]);
    let networks = answer(&inquiry, "Triage: First-seen networks A", Choice::All, NOONS);
    assert!(networks.rows.is_empty(), "{:?}", networks.rows);
    // Grafana draws a heat map's cell before its time: a day's stands at its end. A day without a
    // finding has one too, since the first two times say how wide all of them are.
    let days = answer(&inquiry, "Triage: OWASP × day A", Choice::All, NOONS);
    let days: Vec<_> = ["time", "category", "findings"].map(|it| column(&days, it)).into();
    let (first, second) = ("2026-03-05 00:00:00", "2026-03-06 00:00:00");
    assert_eq!(days[0], [first, first, second, second]);
    assert_eq!(days[1], ["API1:2023", "ASI02", "API1:2023", "ASI02"]);
    assert_eq!(days[2], ["1201", "1201", "0", "0"]);
}

#[test]
fn a_rate_counts_what_was_the_first_of_its_kind_and_ends_with_a_full_step() {
    const TEST: &str = "a_rate_counts_what_was_the_first_of_its_kind_and_ends_with_a_full_step";
    let Some(server) = services::clickhouse(TEST) else { return };
    // A sample each 15 s, as the service takes them; of two labels only what is not 0, after the first.
    let of = |worker: &str, name: &str, labels: &str, value: &str, samples: &str| {
        format!(
            "INSERT INTO metrics (at, app, worker, name, labels, kind, value)
             SELECT toDateTime64('2026-03-05 00:00:00', 6, 'UTC') + toIntervalSecond(15 * number),
                 'habitus', '{worker}', '{name}', {labels}, 'counter', {value} FROM numbers({samples})"
        )
    };
    let none = "CAST(map(), 'Map(String, String)')";
    let detector = "map('detector', 'sequence', 'severity', 'high')";
    let inquiry = over(
        server,
        "boards_rates",
        &[
            &of("one", "habitus_windows_total", none, "30 * number", "81"),
            &of("one", "habitus_findings_total", detector, "0", "1"),
            &of("one", "habitus_findings_total", detector, "5", "40, 41"),
            &of("one", "habitus_is_leader", none, "1", "81"),
            &of("two", "habitus_is_leader", none, "1", "90, 40"),
        ],
    );
    let panel = "Pipeline: Findings and windows A";
    let span = (MIDNIGHT_MS + 125_000, MIDNIGHT_MS + 1_205_000);
    let rates = answer(&inquiry, panel, Choice::All, span);
    let of = |series: &str| -> Vec<f64> {
        let named = column(&rates, "series").into_iter().zip(column(&rates, "value"));
        let values = named.filter(|(name, _)| name == series);
        values.map(|(_, value)| value.parse().unwrap()).collect()
    };
    let findings: f64 = of("habitus_findings_total").iter().sum();
    assert!((findings * 30.0 - 5.0).abs() < 1e-9, "{findings}");
    // The last step has one of its two samples, and would say half.
    let windows = of("habitus_windows_total");
    assert!(windows.len() > 30 && windows.iter().all(|it| (it - 2.0).abs() < 1e-9), "{windows:?}");
    let span = (MIDNIGHT_MS, MIDNIGHT_MS + 2_000_000);
    let workers = answer(&inquiry, "Pipeline: Workers A", Choice::All, span);
    assert_eq!(column(&workers, "worker"), ["two", "one"]);
    assert_eq!(column(&workers, "leads"), ["1", "0"], "who is gone leads no more");
}
