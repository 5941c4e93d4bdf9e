//! What reaches outside and is shared: Kafka client settings, TLS, secrets.

pub mod kafka;
pub mod producer;
pub mod secret;
pub mod transaction;

pub use producer::{Producer, ProducerError, Record};
pub use rdkafka::ClientConfig;
pub use rdkafka::error::KafkaError;
pub use secret::{Secret, SecretError, SecretSource};
pub use transaction::{To, Transactions};
