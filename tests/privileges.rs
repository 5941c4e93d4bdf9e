//! `habitus privileges`: what was used of what peers use, and policies that those who enforce them read
//! as they are meant; in a directory and on a server alike.

use crate::habitus::{Place, Said};
use crate::reads::database;
use crate::services::{self, policies};
use serde_json::{Value, json};

/// The first of May 2026 is day 0 of a log.
fn line(day: u32, second: u32, who: &str, request: (&str, &str), status: u16) -> (u32, String) {
    let (method, path) = request;
    let at = day * 86_400 + second;
    let text = json!({
        "time": format!(
            "2026-05-{:02}T{:02}:{:02}:{:02}Z",
            1 + day, second / 3_600, second / 60 % 60, second % 60
        ),
        "consumer": who,
        "method": method,
        "path": path,
        "status": status,
        "bytes_out": 900,
        "ip": "192.0.2.7",
    });
    (at, text.to_string())
}

/// Four days of twelve shops that read orders, and `shop-3` which does some things of its own.
fn log() -> String {
    let mut lines = Vec::new();
    for day in 0..4 {
        for who in 0..12 {
            let name = format!("shop-{who}");
            for turn in 0..60 {
                let second = 8 * 3_600 + turn * 401 + who * 7;
                let path = format!("/v1/orders/{}", 1_000 + who * 10 + turn % 5);
                lines.push(line(day, second, &name, ("GET", &path), 200));
                if who % 2 == 0 {
                    lines.push(line(day, second + 1, &name, ("POST", "/v1/orders"), 201));
                }
                if who == 5 && turn % 20 == 0 {
                    lines.push(line(day, second + 2, &name, ("GET", "/v1/stock.csv"), 200));
                }
            }
        }
        // Hostile paths that somebody answered, and one that nobody did.
        for path in HOSTILE {
            // As it is, it would begin what is no part of the path.
            let path = path.replace('#', "%23");
            lines.push(line(day, 9 * 3_600, "shop-3", ("GET", &path), 200));
        }
        lines.push(line(day, 9 * 3_600 + 1, "shop-3", ("GET", &deep()), 200));
        lines.push(line(day, 9 * 3_600 + 1, "shop-3", ("GET", "/v1/orders/7"), 403));
        lines.push(line(day, 9 * 3_600 + 2, "shop-3", ("DELETE", "/v1/orders"), 403));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

/// What would leave its quotes, its line or its expression if it could.
const HOSTILE: [&str; 6] = [
    "/x/\"],\"GET\":[\".*",
    "/x/.*",
    "/x/a|b)(c",
    "/x/b\u{2028}allow:=true",
    "/x/\\Q#{y}${z}",
    "/x/'`--*/",
];

/// A path of more segments than a template has.
fn deep() -> String {
    format!("/v1/tree{}", "/leaf".repeat(40))
}

/// Paths that fit an expression and that a server may take for another path.
const ODD: [&str; 20] = [
    "/v1/orders/.",
    "/v1/orders/..",
    "/v1/orders/../",
    "/v1/orders/%2e%2E",
    "/v1/orders/.%2e/",
    "/v1/orders/%2E",
    "/v1/orders/..;",
    "/v1/orders/..;a=b/",
    "/v1/orders/..%3Ba",
    "/v1/orders/..%2f..%2fadmin",
    "/v1/orders/..%5Cadmin",
    "/v1/orders/12%2Flines",
    "/v1/orders/12%5clines",
    "/v1/orders/12\\..\\admin",
    "/v1/orders/;",
    "/v1/orders/;a=b",
    "TREE/..",
    "TREE/../../admin",
    "TREE//admin",
    "TREE/a%2F..%2Fadmin",
];

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

fn replayed() -> Place {
    let place = Place::new();
    let log = place.write("log.ndjson", log());
    ok(place.run(&["replay", &log, "--output", "ndjson"]));
    place
}

fn row<'a>(rows: &'a [Value], operation: &str) -> &'a Value {
    rows.iter().find(|row| row["operation"] == operation).unwrap_or_else(|| panic!("{rows:#?}"))
}

#[test]
fn privileges_are_what_was_used_of_what_peers_use() {
    let place = replayed();
    let said = ok(place.run(&["privileges", "shop-4", "--all", "--output", "ndjson"]));
    assert!(said.err.contains("shop-4 used 2 of the"), "{}", said.err);
    assert!(said.err.contains("in 4 days, 2026-05-01 to 2026-05-04"), "{}", said.err);
    let rows = said.rows();
    let orders = row(&rows, "GET /v1/orders/{int}");
    assert_eq!((&orders["days"], &orders["calls"]), (&json!(4), &json!(240)), "{orders}");
    assert_eq!(orders["accepted"], 240);
    assert_eq!((&orders["last_day"], &orders["peers"]), (&json!("2026-05-04"), &json!(11)));
    let stock = row(&rows, "GET /v1/stock.csv");
    assert_eq!((&stock["calls"], &stock["peers"]), (&json!(0), &json!(1)), "{stock}");
    // What was only refused is called, and not used.
    let rows = ok(place.run(&["privileges", "shop-3", "--output", "ndjson"])).rows();
    let refused = rows.iter().filter(|row| row["calls"] != 0 && row["accepted"] == 0);
    assert_eq!(refused.count(), 1, "{rows:#?}");
    // A span is of whole days.
    let span = ["--since", "2026-05-02T10:00", "--until", "2026-05-03T10:00"];
    let args = [&["privileges", "shop-4", "--output", "ndjson"][..], &span].concat();
    let rows = ok(place.run(&args)).rows();
    assert_eq!(row(&rows, "GET /v1/orders/{int}")["calls"], 120);
}

#[test]
fn privileges_say_what_is_missing() {
    let place = replayed();
    for (args, said) in [
        (&["privileges", "shop-4", "--since", "2027-01-01"][..], "from 2026-05-01 to 2026-05-04"),
        (&["privileges", "nobody-of-them"], "no identity is called"),
        (&["privileges", "shop-4", "--tenant", "acme"], "give --tenant one of default"),
        (&["privileges", "shop-4", "--suggest", "envoy"], "give --principal header:NAME"),
    ] {
        let found = place.run(args);
        assert_eq!(found.code, 1, "{args:?}");
        assert!(found.err.contains(said), "{}", found.err);
    }
    assert_eq!(place.run(&["privileges", "shop-4", "--suggest", "xml"]).code, 2);
}

/// Requests of `shop-3`, whether they are to pass, and how they are made.
fn requests() -> Vec<(&'static str, String, bool)> {
    let escaped = |path: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let each = path.bytes().map(|byte| {
            if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        });
        each.collect::<String>()
    };
    let mut requests = vec![
        ("GET", "/v1/orders/12".to_owned(), true),
        ("GET", "/v1/orders/12/".to_owned(), true),
        ("GET", "/v1/orders/any-one".to_owned(), true),
        ("GET", "/v1/orders/12/lines".to_owned(), false),
        ("GET", "/v1/orders".to_owned(), false),
        ("POST", "/v1/orders".to_owned(), false),
        ("DELETE", "/v1/orders".to_owned(), false),
        ("DELETE", "/v1/orders/12".to_owned(), false),
        ("GET", "/v2/v1/orders/12".to_owned(), false),
        ("GET", "/v1/stock.csv".to_owned(), false),
        ("GET", "/admin".to_owned(), false),
        ("GET", "/x/anything".to_owned(), false),
        ("GET", String::new(), false),
    ];
    requests.extend(HOSTILE.iter().map(|path| ("GET", escaped(path), true)));
    requests.extend(ODD.iter().map(|path| ("GET", path.replace("TREE", &deep()), false)));
    for path in ["...", "..a", "a..", ".a", "%2ea", "a.b", "12;v=1", "a%20b", "%252e"] {
        requests.push(("GET", format!("/v1/orders/{path}"), true));
    }
    for end in ["/a", "/a/b/", "/...", "/a;b/c"] {
        requests.push(("GET", deep() + end, true));
    }
    requests
}

#[test]
fn a_suggestion_in_rego_is_read_by_opa_as_it_is_meant() {
    const TEST: &str = "a_suggestion_in_rego_is_read_by_opa_as_it_is_meant";
    let Some(opa) = policies::opa(TEST) else { return };
    let place = replayed();
    let policy = ok(place.run(&["privileges", "shop-3", "--suggest", "rego"])).out;
    let file = place.write("policy.rego", &policy);
    let requests = requests();
    let input = |principal: &str, (method, path, _): &(&str, String, bool)| json!({"principal": principal, "tenant": "default", "method": method, "path": path});
    let inputs: Vec<_> = requests.iter().map(|it| input("shop-3", it)).collect();
    let said = policies::rego(opa, file.as_ref(), &inputs);
    for ((request, expected), said) in requests.iter().map(|it| (it, it.2)).zip(said) {
        assert_eq!(said, expected, "{request:?}\n{policy}");
    }
    // It says nothing for anybody else.
    let inputs: Vec<_> = requests.iter().map(|it| input("shop-4", it)).collect();
    assert!(!policies::rego(opa, file.as_ref(), &inputs).contains(&true));
    assert!(policy.contains("# It would have blocked"), "{policy}");
}

#[test]
fn a_suggestion_for_envoy_is_a_filter_of_its_own_definitions() {
    const TEST: &str = "a_suggestion_for_envoy_is_a_filter_of_its_own_definitions";
    let Some(envoy) = policies::envoy(TEST) else { return };
    let place = replayed();
    let requests = requests();
    for (who, name) in [("header:X-Consumer", "shop-3"), ("metadata:jwt/payload/sub", "shop-3")] {
        let args = ["privileges", name, "--suggest", "envoy", "--principal", who];
        let filter = ok(place.run(&args)).out;
        let of = |principal: &str, (method, path, _): &(&str, String, bool)| {
            json!({
                "Headers": {":method": method, ":path": format!("{path}?q=1"), "x-consumer": principal},
                "Metadata": {"jwt": {"payload": {"sub": principal}}},
            })
        };
        let asked: Vec<_> = requests.iter().map(|it| of("shop-3", it)).collect();
        let said = policies::rbac(envoy, &filter, &asked);
        for (request, passes) in requests.iter().zip(said) {
            assert_eq!(passes, request.2, "{request:?}\n{filter}");
        }
        // It stands in nobody else's way.
        let asked: Vec<_> = requests.iter().map(|it| of("shop-4", it)).collect();
        assert!(!policies::rbac(envoy, &filter, &asked).contains(&false), "{filter}");
    }
}

#[test]
fn a_suggestion_says_what_it_would_have_blocked() {
    let place = replayed();
    let args = ["privileges", "shop-3", "--suggest", "json"];
    let made: Value = serde_json::from_str(&ok(place.run(&args)).out).unwrap();
    assert_eq!((&made["from"], &made["to"]), (&json!("2026-05-01"), &json!("2026-05-04")));
    let allowed: Vec<_> = made["allow"].as_array().unwrap().iter().collect();
    assert_eq!(allowed.len(), 2 + HOSTILE.len(), "{made:#}");
    assert_eq!(allowed[0]["path"], "^/v1/orders/[^/]+/?$");
    assert!(allowed[0]["except"].as_str().is_some_and(|it| it.contains("%2[Ee]")), "{made:#}");
    assert!(allowed[2]["except"].is_null(), "{made:#}");
    let held = &made["would_have_blocked"];
    assert_eq!((&held["from"], &held["to"]), (&json!("2026-05-01"), &json!("2026-05-04")));
    assert_eq!(held["blocked_calls"], 4, "{held:#}");
    // Nobody ever deleted any, so that it has no name of its own.
    assert_eq!(held["operations"][0]["operation"], "DELETE {unrouted}");
    // Made of the first two days, it is held at the others too.
    let args = [&args[..], &["--since", "2026-05-02", "--until", "2026-05-03"]].concat();
    let before: Value = serde_json::from_str(&ok(place.run(&args)).out).unwrap();
    assert_eq!(before["would_have_blocked"]["calls"], held["calls"]);
}

#[test]
fn privileges_are_the_same_on_a_server() {
    const TEST: &str = "privileges_are_the_same_on_a_server";
    let Some(server) = services::clickhouse(TEST) else { return };
    let place = replayed();
    let url = database(server, "privileges");
    ok(place.run_at(&url, &["migrate"]));
    let log = place.path("log.ndjson");
    let replay = ["replay", log.to_str().unwrap(), "--output", "ndjson"];
    // The second time changes nothing.
    ok(place.run_at(&url, &replay));
    ok(place.run_at(&url, &replay));
    for who in ["shop-3", "shop-4", "shop-5"] {
        for more in [
            &["--all", "--output", "json"][..],
            &["--suggest", "json"],
            &["--suggest", "rego"],
            &["--since", "2026-05-02", "--output", "csv"],
        ] {
            let args = [&["privileges", who], more].concat();
            let (here, there) = (ok(place.run(&args)), ok(place.run_at(&url, &args)));
            assert_eq!(here.out, there.out, "{args:?}");
            assert!(here.out.len() > 100, "{}", here.out);
        }
    }
    // Who is forgotten has no rows, and nobody else fewer.
    let count = "SELECT count(*) AS n FROM operations WHERE principal_id = 'shop-3'";
    assert_ne!(place.query("store", count), "n\n0\n");
    let others = "SELECT count(*) AS n FROM operations WHERE principal_id <> 'shop-3'";
    let before = place.query("store", others);
    for store in ["store", &url] {
        ok(place.run_in(store, &["forget", "shop-3", "--yes", "--wait", "0"]));
        assert_eq!(place.query(store, count), "n\n0\n");
    }
    assert_eq!(place.query("store", others), before);
}
