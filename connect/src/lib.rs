//! What reaches outside and is shared: Kafka client settings, TLS, secrets.

pub mod kafka;
pub mod producer;
pub mod secret;

pub use producer::{Producer, ProducerError, Record};
pub use secret::{Secret, SecretError, SecretSource};
