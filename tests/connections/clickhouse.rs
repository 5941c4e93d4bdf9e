//! ClickHouse: with TLS and without, and each refusal. The engine of the tests has no users: what a
//! server says about those are its own words, given by the front.

use super::{closed_port, other_service, refused};
use crate::habitus::Place;
use crate::services::{self, Authority, ClickHouse, Fault};
use std::path::PathBuf;

const WRONG_PASSWORD: Fault = Fault::Says(
    516,
    "Code: 516. DB::Exception: habitus: Authentication failed: password is incorrect, or there is \
     no user with such name. (AUTHENTICATION_FAILED)",
);
const NO_GRANT: Fault = Fault::Says(
    497,
    "Code: 497. DB::Exception: habitus: Not enough privileges. To execute this query, it's \
     necessary to have the grant SELECT(name) ON system.tables. (ACCESS_DENIED)",
);
const READ_ONLY: Fault = Fault::Says(
    164,
    "Code: 164. DB::Exception: habitus: Cannot execute query in readonly mode. For queries over \
     HTTP, method GET implies readonly. (READONLY)",
);
const READ_ONLY_SETTING: Fault = Fault::Says(
    164,
    "Code: 164. DB::Exception: Cannot modify 'readonly' setting in readonly mode. (READONLY)",
);

/// A configuration, with a file of authorities perhaps.
fn place(ca: Option<&str>) -> Place {
    let place = Place::new();
    let ca = ca
        .map_or_else(String::new, |pem| format!("ca_file = \"{}\"\n", place.write("ca.pem", pem)));
    let password = place.write("password", services::PASSWORD);
    place.write(
        "habitus.toml",
        format!(
            "[source]\ntopics = [\"logs\"]\n[kafka]\nbootstrap_servers = [\"localhost:{}\"]\n\
             [clickhouse]\n{ca}[clickhouse.password]\nfile = \"{password}\"\n",
            closed_port()
        ),
    );
    place
}

/// Each command that speaks to a server says the same.
#[track_caller]
fn says(place: &Place, url: &str, words: &[&str]) {
    for command in [&["migrate"][..], &["query", "SELECT 1"], &["run"]] {
        let said = refused(place, &[command, &["--store", url]].concat(), words);
        println!("{}", said.line);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named_in_one_line() {
    let place = place(None);
    let url = |port: u16| format!("clickhouse://habitus@127.0.0.1:{port}/db");
    says(&place, &url(closed_port()), &["did not answer", "check the address"]);
    says(&place, &url(other_service(b"")), &["did not answer", "in time"]);
    let other = url(other_service(b"SSH-2.0-OpenSSH_9.2\r\n"));
    says(&place, &other, &["did not answer", "no HTTP is spoken there", "8123"]);
    let words = ["without encryption", "allow plaintext"];
    says(&place, "clickhouse://192.0.2.1:8123/db?secure=0", &words);
}

#[test]
fn certificates_of_servers_are_believed_or_named_in_one_line() {
    const TEST: &str = "certificates_of_servers_are_believed_or_named_in_one_line";
    let (ours, other) = (Authority::new("tests"), Authority::new("somebody else"));
    let files = Place::new();
    let certificates = [
        ours.sign("localhost").both(),
        ours.sign_expired("localhost").both(),
        ours.sign("clickhouse.example").both(),
    ];
    let written = (0..).zip(&certificates).map(|(number, pem): (u32, &String)| {
        PathBuf::from(files.write(&format!("{number}.pem"), pem))
    });
    let written: Vec<_> = written.collect();
    let Some(server) = ClickHouse::start_own_with(TEST, &written) else { return };
    let url = |port: u16| format!("clickhouse://habitus@localhost:{port}/tls?secure=1");
    let [good, expired, elsewhere] = server.tls_ports[..] else { panic!("three ports") };
    let (trusting, wary, plain) = (place(Some(&ours.pem)), place(Some(&other.pem)), place(None));
    // Believed: the tables are made and asked.
    let mut child = super::start(&trusting, &["migrate", "--store", &url(good)]);
    let code = super::wait(&mut child, super::PATIENCE);
    assert_eq!(code, 0, "{}", super::output(&mut child).1);
    let ask = ["query", "SELECT count() AS n FROM findings", "--store", &url(good)];
    let mut child = super::start(&trusting, &[&ask[..], &["--output", "csv"]].concat());
    let code = super::wait(&mut child, super::PATIENCE);
    let (out, err) = super::output(&mut child);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "n\n0\n", ""));
    // Not believed.
    let words = ["did not answer", "clickhouse.ca_file"];
    says(&wary, &url(good), &words);
    says(&plain, &url(good), &words);
    says(&trusting, &url(expired), &["did not answer", "let its certificate be renewed"]);
    says(&trusting, &url(elsewhere), &["did not answer", "the name that its certificate has"]);
    // One side speaks TLS, and the other does not.
    let open = server.url.rsplit(':').next().unwrap().parse().unwrap();
    says(&trusting, &url(open), &["did not answer", "no TLS is spoken there"]);
    let unencrypted = url(good).replace("secure=1", "secure=0");
    says(&trusting, &unencrypted, &["did not answer", "no HTTP is spoken there", "secure=1"]);
    let place = place(None);
    let text = std::fs::read_to_string(place.path("habitus.toml")).unwrap();
    place.write("habitus.toml", text.replace("[clickhouse]", "[clickhouse]\nca_file = \"/no/ca\""));
    says(&place, &url(good), &["clickhouse.ca_file: cannot read /no/ca"]);
}

/// Roles are made after the tables and only where they are wished; a tenant's is one of them.
#[track_caller]
fn roles_are_asked_for(server: &mut ClickHouse, place: &Place, url: &str) {
    const FIRST: &str = "CREATE SETTINGS PROFILE IF NOT EXISTS habitus_analyst";
    let mut migrate = |more: &[&str]| {
        server.fault(1, NO_GRANT, FIRST);
        let mut child = super::start(place, &[&["migrate", "--store", url], more].concat());
        let code = super::wait(&mut child, super::PATIENCE);
        let (out, err) = super::output(&mut child);
        (code, out, err, server.faults())
    };
    let (code, out, err, faults) = migrate(&[]);
    assert_eq!((code, faults), (0, 0), "{err}");
    assert!(out.contains("0001_schema_migrations"), "{out}");
    let (code, out, err, faults) = migrate(&["--roles"]);
    assert_eq!((code, faults), (1, 1), "{err}");
    assert!(out.contains("nothing to do") && err.contains("does not allow user"), "{out}{err}");
    // Whatever is wrong with a name is said before anything is asked.
    let (code, _, err, faults) = migrate(&["--roles", "--tenant", "acme", "--tenant", "a'b"]);
    assert_eq!((code, faults), (1, 0), "{err}");
    assert!(err.contains("the name of a tenant"), "{err}");
    let (code, _, err, _) = migrate(&["--tenant", "acme"]);
    assert!(code == 2 && err.contains("--roles"), "{err}");
    server.fault(0, NO_GRANT, "");
}

#[test]
fn a_server_that_refuses_is_named_in_one_line() {
    let Some(mut server) = ClickHouse::start_own("a_server_that_refuses_is_named_in_one_line")
    else {
        return;
    };
    let place = place(None);
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let url = |database: &str| format!("clickhouse://habitus@{host}/{database}");
    server.fault(100, WRONG_PASSWORD, "");
    says(&place, &url("db"), &["refuses user habitus", "clickhouse.password"]);
    server.fault(100, NO_GRANT, "SELECT");
    says(&place, &url("db"), &["does not allow user habitus", "habitus_writer"]);
    // A profile that is read-only does not even let a question say that it only reads.
    server.fault(100, READ_ONLY_SETTING, "findings");
    let ask = ["query", "SELECT * FROM findings", "--store"];
    let words = ["does not allow user habitus", "readonly"];
    refused(&place, &[&ask[..], &[&url("db")]].concat(), &words);
    server.fault(100, READ_ONLY, "CREATE");
    let url_new = url("refused_new");
    refused(&place, &["migrate", "--store", &url_new], &words);
    server.fault(0, READ_ONLY, "");
    roles_are_asked_for(&mut server, &place, &url("with_roles"));
    // An unknown database, and one without tables.
    let missing = ["is no database with the tables of habitus", "habitus migrate"];
    refused(&place, &[&ask[..], &[&url("nowhere")]].concat(), &missing);
    refused(&place, &["run", "--store", &url("nowhere")], &missing);
    server.query("CREATE DATABASE bare");
    refused(&place, &["run", "--store", &url("bare")], &missing);
    refused(&place, &[&ask[..], &[&url("bare")]].concat(), &["findings"]);
    // Tables of another version.
    let mut child = super::start(&place, &["migrate", "--store", &url("known")]);
    let code = super::wait(&mut child, super::PATIENCE);
    assert_eq!(code, 0, "{}", super::output(&mut child).1);
    let record = "INSERT INTO known.schema_migrations (version, name, checksum) VALUES";
    server.query(&format!("{record} (900, '0900_later', 'x')"));
    let newer = ["have version 900", "update habitus"];
    refused(&place, &["run", "--store", &url("known")], &newer);
    refused(&place, &["migrate", "--store", &url("known")], &newer);
    server.query(
        "ALTER TABLE known.schema_migrations DELETE WHERE version > 5 SETTINGS mutations_sync = 2",
    );
    let older = ["have version 5", "habitus migrate"];
    refused(&place, &["run", "--store", &url("known")], &older);
}
