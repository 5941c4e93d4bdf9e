//! The pages about gateways: every format has one, and what they say of Habitus is true.

use crate::habitus::{Place, root};
use ingest::FormatId;
use std::collections::BTreeMap;

/// The pages by their names, and the index.
fn pages() -> (BTreeMap<String, String>, String) {
    let dir = root().join("docs/gateways");
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        pages.insert(name, std::fs::read_to_string(&path).unwrap());
    }
    let index = pages.remove("README.md").unwrap();
    (pages, index)
}

/// The first block of a page in a language, from a place on.
fn block<'a>(page: &'a str, language: &str, after: &str) -> &'a str {
    let rest = page.split_once(after).unwrap().1;
    let fence = format!("```{language}\n");
    rest.split_once(&fence).unwrap().1.split_once("\n```").unwrap().0
}

#[test]
fn every_format_has_a_page_that_stands_in_the_index() {
    let (pages, index) = pages();
    for format in FormatId::ALL {
        let name = format!("`{format}`");
        let row = index.lines().find(|it| it.starts_with("| [") && it.contains(&name));
        let row = row.unwrap_or_else(|| panic!("no page of the index is about {format}"));
        let link = row.split_once("](").unwrap().1.split_once(')').unwrap().0;
        assert!(pages[link].contains(&name), "{link} does not name {format}");
    }
}

#[test]
fn every_page_stands_in_the_index_and_has_its_parts() {
    let (pages, index) = pages();
    for (name, page) in &pages {
        assert!(index.contains(&format!("({name})")), "{name}");
        if matches!(name.as_str(), "mapping.md" | "shippers.md") {
            continue;
        }
        for part in [
            "# ",
            "\nFormats: ",
            "\nFor: ",
            "\n## What its log has\n",
            "\n## The recipe that adds identity and bytes\n",
            "\n## How it reaches Kafka\n",
            "\n## What Habitus reads\n",
            "\n## Traps\n",
        ] {
            assert!(page.contains(part), "{name} lacks {part:?}");
        }
    }
}

#[test]
fn no_page_links_to_what_is_not_there() {
    let (pages, index) = pages();
    for (name, page) in pages.iter().chain([(&"README.md".to_owned(), &index)]) {
        for link in page.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if !target.contains("://") {
                assert!(root().join("docs/gateways").join(target).exists(), "{name}: {target}");
            }
        }
    }
}

#[test]
fn every_setting_that_coverage_names_stands_in_a_page() {
    let (pages, _) = pages();
    let all: String = pages.values().map(|it| it.replace(r"\|", "|")).collect();
    for file in ["proxies", "services"] {
        let path = root().join(format!("src/coverage/recipes/{file}.rs"));
        let text = std::fs::read_to_string(path).unwrap();
        let mut found = 0;
        // A setting is the text after a fact, however its line is broken.
        for part in text.split("Fact::").skip(1).filter(|it| it.contains('"')) {
            let Some(literal) = part.split_once(',').map(|it| it.1.trim_start()) else { continue };
            let setting = if let Some(raw) = literal.strip_prefix("r#\"") {
                raw.split_once("\"#").unwrap().0.to_owned()
            } else if let Some(plain) = literal.strip_prefix('"') {
                let end = plain
                    .char_indices()
                    .find(|(at, it)| *it == '"' && !plain.get(..*at).unwrap_or("").ends_with('\\'));
                plain.get(..end.unwrap().0).unwrap().replace("\\\"", "\"").replace(r"\\", r"\")
            } else {
                continue;
            };
            assert!(all.contains(&setting), "no page has: {setting}");
            found += 1;
        }
        assert!(found > 20, "{file}: {found}");
    }
}

#[test]
fn the_example_of_a_declared_format_works_as_the_page_says() {
    let (pages, _) = pages();
    let page = &pages["mapping.md"];
    let place = Place::new();
    let config = place.write("apigee.toml", block(page, "toml", "And what reads it:"));
    let log = place.write("apigee.log", block(page, "json", "A record of it:"));
    for declared in [&[][..], &["--format", "apigee"]] {
        let said = place.run(&[&["normalize", &log, "--config", &config], declared].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        let rows = said.rows();
        assert_eq!(rows.len(), 1);
        for (column, value) in [
            ("source_format", "apigee"),
            ("time", "2026-03-10T03:36:59.123Z"),
            ("time_kind", "start"),
            ("http_request_method", "GET"),
            ("url_path", "/v1/orders/981"),
            ("url_query", "page=2"),
            ("server_address", "api.example.com"),
            ("client_address", "192.0.2.44"),
            ("principal_id", "4b6e6b2e"),
            ("principal_type", "application"),
            ("principal_trust", "verified"),
            ("principal_source", "mapping.application"),
            ("principal_name", "acme-mobile"),
            ("api_id", "orders"),
        ] {
            assert_eq!(rows[0][column], value, "{column}");
        }
        for (column, value) in [
            ("http_response_status_code", 200),
            ("http_response_body_size", 612),
            ("duration_ns", 45_000_000),
        ] {
            assert_eq!(rows[0][column], value, "{column}");
        }
        assert!(rows[0].get("http_request_body_size").is_none(), "an empty text is no value");
        assert!(!said.out.contains("c4n4ry"), "{}", said.out);
    }
    let listed = place.run(&["formats", "--config", &config, "--output", "ndjson"]);
    assert!(listed.rows().iter().any(|row| row["format"] == "apigee"), "{}", listed.out);
}

#[test]
fn the_example_of_declared_text_works_as_the_page_says() {
    let (pages, _) = pages();
    let place = Place::new();
    let config = place.write("old.toml", block(&pages["mapping.md"], "toml", "## Text"));
    let log = place.write(
        "old.log",
        "192.0.2.1 - [10/Mar/2026 04:36:59] \"GET /a\" 500 \" HTTP/1.1\" 200 612 \"x \\\" y\" 1000\n",
    );
    let said = place.run(&["normalize", &log, "--config", &config]);
    assert_eq!(said.code, 0, "{}", said.err);
    let row = &said.rows()[0];
    assert_eq!(row["source_format"], "old_proxy");
    assert_eq!(row["time"], "2026-03-10T03:36:58Z", "the end, less a second, in UTC");
    assert_eq!(row["time_kind"], "end_minus_duration");
    assert_eq!(row["http_response_status_code"], 200);
    assert_eq!(row["http_response_body_size"], 612);
    assert_eq!(row["user_agent_original"], "x \" y");
    assert_eq!(row["principal_id"], "192.0.2.1");
}

/// A page, what stands before its declared format, and a line of that format with its name.
const CHOICES: [(&str, &str, &str, &str); 2] = [
    (
        "aws_cloudfront.md",
        "## Another choice of fields",
        "cloudfront_choice",
        "1773113819.123\t192.0.2.1\t0.010\t200\tGET\tapi.example.com\t/orders/7?a=b\t0.045\tcurl/8",
    ),
    (
        "akamai.md",
        "## Another order of fields",
        "akamai_choice",
        "1 12345 1773113819.123 192.0.2.1 GET api.example.com /orders/7?a=b 200 612 curl/8",
    ),
];

#[test]
fn a_log_without_names_is_refused_with_the_cure_and_read_once_it_is_declared() {
    let (pages, _) = pages();
    for (name, after, format, line) in CHOICES {
        let place = Place::new();
        let config = place.write("choice.toml", block(&pages[name], "toml", after));
        let log = place.write("choice.log", line);
        let said = place.run(&["normalize", &log]);
        assert!(said.err.contains("unnamed_columns"), "{name}: {}", said.err);
        assert!(said.err.contains("[format.NAME]"), "{name}: {}", said.err);
        let said = place.run(&["normalize", &log, "--config", &config]);
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        let row = &said.rows()[0];
        assert_eq!(row["source_format"], format, "{name}");
        assert_eq!(row["client_address"], "192.0.2.1", "{name}");
        assert_eq!(row["url_path"], "/orders/7", "{name}");
        assert_eq!(row["url_query"], "a=b", "{name}");
        assert_eq!(row["http_response_status_code"], 200, "{name}");
        assert_eq!(row["user_agent_original"], "curl/8", "{name}");
    }
}

#[test]
fn a_mapping_that_cannot_be_used_stops_the_program_with_the_cure() {
    let place = Place::new();
    let config = place.write("bad.toml", "[format.x.fields]\ntime = 'ts'\nstatus = 'code'\n");
    let said = place.run(&["formats", "--config", &config]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("`format.x.fields.status` is no column"), "{}", said.err);
}

#[test]
fn coverage_says_who_is_blind_and_what_would_cure_it() {
    let place = Place::new();
    let log = place.write(
        "access.log",
        "192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] \"GET /orders/7 HTTP/1.1\" 200 12\nnonsense\n"
            .repeat(3),
    );
    let said = place.run(&["coverage", &log, "--output", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let report = &said.rows()[0];
    assert_eq!(report["records"], 6);
    assert_eq!(report["events"], 3);
    let facts = report["facts"].as_array().unwrap();
    let identity = facts.iter().find(|it| it["fact"] == "identity").unwrap();
    assert_eq!(identity["events"], 0);
    assert_eq!(identity["settings"][0]["page"], "docs/gateways/nginx.md");
    let detectors = report["detectors"].as_array().unwrap();
    let of = |name: &str| detectors.iter().find(|it| it["detector"] == name).unwrap();
    assert_eq!(of("foreign_object")["sees"], "nothing");
    assert_eq!(of("machine_speed")["sees"], "all");
    let table = place.run(&["coverage", &log, "--output", "table"]);
    assert!(
        table.out.contains("foreign_object") && table.out.contains("nginx.md"),
        "{}",
        table.out
    );
    let missing = place.run(&["coverage", "nowhere.log"]);
    assert_eq!(missing.code, 1);
}

#[test]
fn coverage_calls_no_detector_blind_that_finds_something_in_the_log() {
    let place = Place::new();
    let (mut blind, mut logs) = (Vec::new(), 0);
    for detector in model::Detector::ALL {
        let dir = root().join("tests/corpus").join(detector.as_str()).join("attack");
        let mut paths: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
        paths.sort();
        for path in &paths {
            logs += 1;
            let said = place.run(&["coverage", path.to_str().unwrap(), "--output", "json"]);
            let report = &said.rows()[0];
            let sights = report["detectors"].as_array().unwrap();
            let own = sights.iter().find(|it| it["detector"] == detector.as_str()).unwrap();
            if own["sees"] == "nothing" {
                blind.push(format!("{}: {own}", path.display()));
            }
        }
    }
    assert!(logs >= 3 * model::Detector::ALL.len(), "{logs}");
    assert!(blind.is_empty(), "{}", blind.join("\n"));
}

#[test]
fn every_format_has_a_fuzz_target() {
    let text = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap();
    let mut targets = Vec::new();
    for bin in bins {
        let path = root().join("fuzz").join(bin["path"].as_str().unwrap());
        assert!(path.exists(), "{}", path.display());
        targets.extend(bin["name"].as_str().unwrap().strip_prefix("format_"));
    }
    targets.sort_unstable();
    let mut names: Vec<_> = FormatId::ALL.iter().map(|it| it.as_str()).collect();
    names.sort_unstable();
    assert_eq!(targets, names);
}

/// A record as a page's recipe makes the gateway write it, and the rule by which its caller is found.
const RECIPES: [(&str, &str, &str); 8] = [
    (
        "nginx.md",
        r#"{"time_iso8601":"2026-03-10T03:36:59+00:00","msec":"1773113819.123","remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/orders/7","server_protocol":"HTTP/1.1","host":"api.example.com","status":"200","request_length":"120","bytes_sent":"612","request_time":"0.045","upstream_response_time":"0.040","http_user_agent":"curl/8","request_id":"r1","remote_user":"","http_x_consumer_id":"acme","http_mcp_method":"","http_mcp_name":""}"#,
        "nginx_json.http_x_consumer_id",
    ),
    (
        "apache.md",
        r#"{"time":"2026-03-10T03:36:59.123+0000","client_ip":"192.0.2.1","request_line":"GET /orders/7 HTTP/1.1","status":200,"bytes_in":120,"bytes_out":612,"duration_us":45000,"user":"-","user_agent":"curl/8","consumer_id":"acme"}"#,
        "generic_json.consumer_id",
    ),
    (
        "haproxy.md",
        r#"{"ts":1773113819.123,"client_ip":"192.0.2.1","method":"GET","uri":"/orders/7","status":200,"bytes_in":120,"bytes_out":612,"duration_ms":45,"sub":"acme","user_agent":"curl/8","mcp-name":""}"#,
        "generic_json.sub",
    ),
    (
        "envoy.md",
        r#"{"start_time":"2026-03-10T03:36:59.123Z","method":"GET","path":"/orders/7","protocol":"HTTP/1.1","response_code":"200","response_flags":"-","bytes_received":"120","bytes_sent":"612","duration":"45","downstream_remote_address":"192.0.2.1:5000","x-forwarded-for":"-","user-agent":"curl/8","x-request-id":"r1",":authority":"api.example.com","route_name":"orders","jwt_sub":"acme","mcp-method":"-","mcp-name":"-"}"#,
        "envoy_json.jwt_sub",
    ),
    (
        "traefik.md",
        r#"{"ClientAddr":"192.0.2.1:5000","ClientHost":"192.0.2.1","ClientPort":"5000","ClientUsername":"-","DownstreamContentSize":612,"DownstreamStatus":200,"Duration":45000000,"RequestContentSize":120,"RequestHost":"api.example.com","RequestMethod":"GET","RequestPath":"/orders/7","RequestProtocol":"HTTP/1.1","StartUTC":"2026-03-10T03:36:59.123Z","request_User-Agent":"curl/8","request_X-Consumer-Id":"acme"}"#,
        "traefik_json.request_X-Consumer-Id",
    ),
    (
        "fastly.md",
        r#"{"timestamp":"2026-03-10T03:36:59+0000","client_ip":"192.0.2.1","host":"api.example.com","url":"/orders/7","request_method":"GET","request_protocol":"HTTP/2","request_user_agent":"curl/8","response_status":200,"response_body_size":612,"request_body_size":120,"duration_us":45000,"x_consumer_id":"acme"}"#,
        "fastly_json.x_consumer_id",
    ),
    (
        "cloudflare.md",
        r#"{"RayID":"72d8","ClientIP":"192.0.2.1","ClientRequestMethod":"GET","ClientRequestHost":"api.example.com","ClientRequestURI":"/orders/7","ClientRequestPath":"/orders/7","ClientRequestUserAgent":"curl/8","ClientRequestBytes":120,"EdgeResponseStatus":200,"EdgeResponseBytes":612,"EdgeStartTimestamp":"2026-03-10T03:36:59Z","EdgeEndTimestamp":"2026-03-10T03:37:00Z","RequestHeaders":{"x-consumer-id":"acme"}}"#,
        "cloudflare.RequestHeaders.x-consumer-id",
    ),
    (
        "aws_api_gateway.md",
        r#"{"requestId":"r1","ip":"192.0.2.1","requestTimeEpoch":"1773113819123","httpMethod":"GET","path":"/orders/7","routeKey":"GET /orders/{id}","status":"200","protocol":"HTTP/1.1","responseLength":"612","responseLatency":"45","integrationLatency":"38","userAgent":"curl/8","claimsSub":"acme","claimsClientId":"-","principalId":"-","apiKeyId":"-"}"#,
        "aws_apigw.claimsSub",
    ),
];

#[test]
fn the_recipes_give_identity_and_bytes() {
    let (pages, _) = pages();
    for (name, record, rule) in RECIPES {
        let place = Place::new();
        let log = place.write("recipe.log", record);
        let said = place.run(&["normalize", &log]);
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        let row = &said.rows()[0];
        assert_eq!(row["principal_source"], rule, "{name}");
        assert_eq!(row["principal_id"], "acme", "{name}");
        assert_eq!(row["client_address"], "192.0.2.1", "{name}");
        assert_eq!(row["url_path"], "/orders/7", "{name}");
        assert_eq!(row["user_agent_original"], "curl/8", "{name}");
        let bytes = ["http_response_size", "http_response_body_size"].map(|it| row.get(it));
        assert!(bytes.into_iter().flatten().any(|it| *it == 612), "{name}: {row}");
        // What the record has, the recipe names.
        let object: serde_json::Value = serde_json::from_str(record).unwrap();
        for key in object.as_object().unwrap().keys() {
            let header = key.strip_prefix("request_").unwrap_or(key);
            let is_named = pages[name].contains(key) || pages[name].contains(header);
            // Traefik's own names are there by default.
            assert!(is_named || name == "traefik.md", "{name} does not name {key}");
        }
    }
}
