//! The alert rules on the real engine: each fires for what it is about, for nothing else, and none where all is well.

use super::macros::Span;
use super::questions::{Choice, Place, Question, questions};
use super::results::{Answer, FORMAT};
use super::seed::Store;
use super::{committed, text};
use crate::services;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// The rule that fires where there are no rows.
const SILENT: &str = "Pipeline silent";
/// How long before its end the health of an hour with that trouble ends, in minutes.
const SILENT_MIN: i64 = 20;

/// A revision of a finding that was written ten minutes before the end.
const FINDING: &str =
    "INSERT INTO findings (finding_id, revision, tenant_id, principal_id, detector,
     window_start, window_end, window_seconds, detected_at, severity, score, sentence, risk_score,
     written_at)
     SETTINGS insert_allow_materialized_columns = 1
     SELECT concat('{id}', toString({now})), {revision}, 'default', '{id}', '{detector}',
         toStartOfHour({now} - INTERVAL {ago}) AS start, start + INTERVAL 1 HOUR, 3600,
         {now} - INTERVAL {ago}, '{severity}', 1000, 'a finding', 50,
         toDateTime({now}) - INTERVAL 10 MINUTE";
/// Somebody called benign what `judged` did.
const VERDICT: &str =
    "INSERT INTO feedback (feedback_id, given_at, given_by, finding_id, tenant_id,
     verdict, reason, scope, detector, principal_id, entity, until, withdraws)
     SELECT concat('verdict', toString({now})), {now} - INTERVAL 20 MINUTE, 'an analyst',
         concat('judged', toString({now})), 'default', 'benign', 'a planned job', 'finding',
         'egress_spike', '', NULL, NULL, NULL";
/// As many incidents as are no burst yet, or one of those that are.
const INCIDENTS: &str = "INSERT INTO incidents (incident_id, revision, tenant_id, status,
     first_detected_at, last_detected_at, severity, score)
     SELECT concat('{id}', toString(number), toString({now})), 1, 'default', 'open',
         {now} - INTERVAL 30 MINUTE, {now} - INTERVAL 20 MINUTE, 'high', 1000 FROM numbers({count})";
/// A metric over an hour: `value` may use the minute, `number`.
const METRIC: &str = "INSERT INTO metrics (at, app, worker, name, labels, kind, value)
     SELECT {now} - toIntervalMinute(60 - number), 'habitus', '{id}', '{name}', map(), 'gauge', {value}
     FROM numbers(61)";
const HEALTH: &str = "INSERT INTO pipeline_health (at, app, worker, topic, partition, offset,
     watermark, events, findings, late, rejected)
     SELECT {now} - toIntervalMinute({silent} + number) AS at, 'habitus', 'worker-1', 'calls', 0,
         toUnixTimestamp(at), at, 1000, 0, 0, 0 FROM numbers(60)";

/// What is filled into a text.
type Parts = &'static [(&'static str, &'static str)];

/// What an hour has in which nothing is wrong, though much is nearly so.
const GOOD: [(&str, Parts); 7] = [
    (
        FINDING,
        &[
            ("id", "severe"),
            ("revision", "1"),
            ("detector", "egress_spike"),
            ("severity", "high"),
            ("ago", "30 HOUR"),
        ],
    ),
    (
        FINDING,
        &[
            ("id", "judged"),
            ("revision", "1"),
            ("detector", "egress_spike"),
            ("severity", "critical"),
            ("ago", "30 MINUTE"),
        ],
    ),
    // Of an old log that was replayed.
    (
        FINDING,
        &[
            ("id", "old"),
            ("revision", "1"),
            ("detector", "egress_spike"),
            ("severity", "critical"),
            ("ago", "30 DAY"),
        ],
    ),
    (INCIDENTS, &[("id", "some"), ("count", "5")]),
    (METRIC, &[("id", "w"), ("name", "habitus_source_lag_records"), ("value", "0")]),
    (METRIC, &[("id", "w"), ("name", "habitus_watermark_delay_seconds"), ("value", "5000")]),
    (METRIC, &[("id", "w"), ("name", "habitus_dead_letters_total"), ("value", "7")]),
];
/// What an hour has besides for which the rule of that title is there.
const TROUBLES: [(&str, &str, Parts); 6] = [
    // What was found a day ago turns out to be critical.
    (
        "Critical finding",
        FINDING,
        &[
            ("id", "severe"),
            ("revision", "2"),
            ("detector", "egress_spike"),
            ("severity", "critical"),
            ("ago", "30 HOUR"),
        ],
    ),
    ("Incident burst", INCIDENTS, &[("id", "more"), ("count", "1")]),
    (
        "Identity explosion",
        FINDING,
        &[
            ("id", "many"),
            ("revision", "1"),
            ("detector", "identity_explosion"),
            ("severity", "high"),
            ("ago", "30 MINUTE"),
        ],
    ),
    (SILENT, "SELECT 1", &[]),
    (
        "Watermark stalled",
        METRIC,
        &[("id", "slow"), ("name", "habitus_source_lag_records"), ("value", "10")],
    ),
    (
        "Dead letters",
        METRIC,
        &[("id", "odd"), ("name", "habitus_dead_letters_total"), ("value", "number > 50")],
    ),
];

/// Fills the hour that ends at `now_ms`.
fn fill(store: &Store, now_ms: i64, trouble: Option<&(&str, &str, Parts)>) {
    let now = format!("fromUnixTimestamp64Milli({now_ms}, 'UTC')");
    let ask = |sql: &str, parts: &[(&str, &str)]| {
        let sql = sql.replace("{now}", &now);
        let fill =
            |sql: String, (name, value): &(&str, &str)| sql.replace(&format!("{{{name}}}"), value);
        store.ask(&parts.iter().fold(sql, fill));
    };
    for (sql, parts) in GOOD {
        ask(sql, parts);
    }
    ask(VERDICT, &[]);
    let is_silent = trouble.is_some_and(|(title, _, _)| *title == SILENT);
    let silent_min = if is_silent { SILENT_MIN } else { 0 };
    ask(HEALTH, &[("silent", &silent_min.to_string())]);
    if let Some((_, sql, parts)) = trouble {
        ask(sql, parts);
    }
}

/// Whether a rule would fire at `now_ms`, by its own evaluator; all rules here compare one number a row.
fn fires(store: &Store, question: &Question, now_ms: i64) -> bool {
    let rule = &question.around;
    let (from_s, to_s) = question.looks_back.unwrap();
    let span = Span {
        from_ms: now_ms - from_s * 1_000,
        to_ms: now_ms - to_s * 1_000,
        interval_ms: MINUTE_MS,
    };
    let sql = question.sent(&[], Choice::All, &span).unwrap();
    let body = store.server.try_query_in(&store.database, FORMAT, &sql).unwrap();
    let answer = Answer::parse(&body).unwrap();
    if answer.rows.is_empty() {
        return text(rule, "noDataState") == "Alerting";
    }
    let mut data = rule["data"].as_array().into_iter().flatten();
    let decides = data.find(|it| it["refId"] == rule["condition"]).unwrap();
    let evaluator = &decides["model"]["conditions"][0]["evaluator"];
    let limit = evaluator["params"][0].as_f64().unwrap();
    let mut numbers = answer.numbers().into_iter();
    match text(evaluator, "type") {
        "gt" => numbers.any(|it| it > limit),
        "lt" => numbers.any(|it| it < limit),
        other => panic!("{} compares with {other:?}", question.name),
    }
}

#[test]
fn each_rule_fires_for_what_it_is_about_and_for_nothing_else() {
    let test = "each_rule_fires_for_what_it_is_about_and_for_nothing_else";
    let Some(server) = services::clickhouse(test) else { return };
    let (store, _, _) = Store::migrated(server, "boards_rules");
    let all = questions(&committed());
    let rules: Vec<_> = all.iter().filter(|it| it.place == Place::Rule).collect();
    assert_eq!(rules.len(), TROUBLES.len());
    let today_ms = 1_000 * store.count("SELECT toUnixTimestamp(toStartOfDay(now('UTC')))");
    let firing = |now_ms: i64| -> Vec<&str> {
        let firing = rules.iter().filter(|it| fires(&store, it, now_ms));
        firing.map(|it| text(&it.around, "title")).collect()
    };
    assert_eq!(firing(today_ms), [SILENT], "of an empty store");
    // A day for each trouble, since none looks back further than an hour at what was written.
    let troubles = std::iter::once(None).chain(TROUBLES.iter().map(Some));
    for (day, trouble) in (1..).zip(troubles) {
        let now_ms = today_ms - day * DAY_MS;
        fill(&store, now_ms, trouble);
        let expected: Vec<_> = trouble.iter().map(|(title, _, _)| *title).collect();
        assert_eq!(firing(now_ms), expected);
    }
}
