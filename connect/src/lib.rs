//! What reaches outside and is shared: Kafka client settings, TLS, secrets.

pub mod kafka;
pub mod secret;

pub use secret::{Secret, SecretError, SecretSource};
