//! What reaches outside and is shared: Kafka client settings, HTTP with TLS, secrets.

pub mod compacted;
pub mod http;
pub mod kafka;
pub mod producer;
pub mod secret;
pub mod transaction;

pub use http::TlsError;
pub use producer::{Producer, ProducerError, Record};
pub use rdkafka::error::KafkaError;
pub use secret::{Secret, SecretError, SecretSource};
pub use transaction::{To, Transactions};

/// Whether a host is this machine by its name alone.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
