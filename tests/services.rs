//! Real services for the tests: started once per run, installed in the user's cache folder.

mod browser;
#[cfg(feature = "cloud")]
mod bucket;
mod certificates;
mod clickhouse;
pub(crate) mod install;
mod kafka;
pub(crate) mod ocsf;
pub(crate) mod policies;
mod report;
mod secure_kafka;
mod tests;
mod watchdog;

pub(crate) use browser::{Chromium, Policy, Scheme, Tab};
pub(crate) use certificates::Authority;
pub(crate) use clickhouse::{ClickHouse, Fault};
pub(crate) use kafka::{Committed, Kafka, Record};
pub(crate) use secure_kafka::{PASSWORD, SecureKafka};
pub(crate) use watchdog::Watched;

use report::Note;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

/// The broker of this run, which `KAFKA_BOOTSTRAP_SERVERS` can select; nothing where `test` is to
/// be skipped. Topics and groups are shared by all tests, so name them with `unique`.
pub(crate) fn kafka(test: &str) -> Option<&'static Kafka> {
    static KAFKA: OnceLock<Result<Kafka, String>> = OnceLock::new();
    let started = KAFKA.get_or_init(|| match chosen("KAFKA_BOOTSTRAP_SERVERS") {
        Some(bootstrap) => Kafka::connect(bootstrap),
        None => Kafka::start(),
    });
    admit(test, "kafka", started.as_ref().map(|kafka| (kafka, kafka.version.as_str())))
}

/// A broker with listeners for every kind of client, started by whoever asks first; nothing where
/// `test` is to be skipped. It is always our own: nobody else's has such listeners.
pub(crate) fn secure_kafka(test: &str) -> Option<&'static SecureKafka> {
    static KAFKA: OnceLock<Result<SecureKafka, String>> = OnceLock::new();
    let started = KAFKA.get_or_init(SecureKafka::start);
    admit(test, "kafka", started.as_ref().map(|it| (it, it.open.version.as_str())))
}

/// The ClickHouse of this run, which `CLICKHOUSE_URL` can select; nothing where `test` is to be
/// skipped. Databases are shared by all tests, so take one from `ClickHouse::database`.
pub(crate) fn clickhouse(test: &str) -> Option<&'static ClickHouse> {
    static CLICKHOUSE: OnceLock<Result<ClickHouse, String>> = OnceLock::new();
    let started = CLICKHOUSE.get_or_init(|| match chosen("CLICKHOUSE_URL") {
        Some(url) => ClickHouse::connect(url),
        None => ClickHouse::start(),
    });
    admit(test, "clickhouse", started.as_ref().map(|it| (it, it.version.as_str())))
}

/// The browser of this run; nothing where `test` is to be skipped. Each test opens a tab of its own.
pub(crate) fn chromium(test: &str) -> Option<&'static Chromium> {
    static CHROMIUM: OnceLock<Result<Chromium, String>> = OnceLock::new();
    let started = CHROMIUM.get_or_init(Chromium::start);
    admit(test, "chromium", started.as_ref().map(|it| (it, it.version.as_str())))
}

/// The buckets of this run; nothing where `test` is to be skipped. Name them with `unique`.
#[cfg(feature = "cloud")]
pub(crate) fn buckets(test: &str) -> Option<&'static bucket::Buckets> {
    static BUCKETS: OnceLock<Result<bucket::Buckets, String>> = OnceLock::new();
    let started = BUCKETS.get_or_init(bucket::Buckets::start);
    admit(test, "s3", started.as_ref().map(|it| (it, it.version.as_str())))
}

impl Kafka {
    /// A broker of the test's own, to stand still as ordered; nothing where `test` is to be skipped.
    pub(crate) fn start_own(test: &str) -> Option<Self> {
        let started = Self::start();
        let version = started.as_ref().map(|it| it.version.clone()).unwrap_or_default();
        admit(test, "kafka", started.as_ref().map(|it| (it, version.as_str())))?;
        started.ok()
    }
}

impl ClickHouse {
    /// A ClickHouse of the test's own, to be killed and to fail as ordered; nothing where `test`
    /// is to be skipped. `CLICKHOUSE_URL` does not select this one: nobody kills a server of others.
    pub(crate) fn start_own(test: &str) -> Option<Self> {
        Self::start_own_with(test, &[])
    }

    /// The same, with an encrypted port for each file of a certificate and its key.
    pub(crate) fn start_own_with(test: &str, certificates: &[std::path::PathBuf]) -> Option<Self> {
        let started = Self::start_with(certificates);
        let version = started.as_ref().map(|it| it.version.clone()).unwrap_or_default();
        admit(test, "clickhouse", started.as_ref().map(|it| (it, version.as_str())))?;
        started.ok()
    }
}

/// A name that no other test and no earlier run has used.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}_{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Says that a test is skipped, and counts it in the report.
pub(crate) fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    report::write(Note::Skipped { test: test.to_owned(), reason: reason.to_owned() });
}

/// Notes that `test` uses a service, or why it does not; fails it where there is no excuse.
fn admit<'a, S>(
    test: &str,
    service: &'static str,
    started: Result<(&'a S, &str), &String>,
) -> Option<&'a S> {
    match started {
        Ok((running, version)) => {
            let (version, test) = (version.to_owned(), test.to_owned());
            report::write(Note::Used { service, version, test });
            Some(running)
        }
        Err(reason) if is_offline() => {
            skip(test, &format!("no {service}: {reason}"));
            None
        }
        Err(reason) => panic!(
            "{test} needs {service}, which cannot be had: {reason}\n\
             (or skip the tests that need it: HABITUS_TESTS_OFFLINE=1 cargo test --workspace)"
        ),
    }
}

/// Whether nothing may be fetched, and tests without their service are skipped.
fn is_offline() -> bool {
    crate::habitus::variable("HABITUS_TESTS_OFFLINE")
}

/// A setting of the environment, where it says something.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
fn chosen(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
