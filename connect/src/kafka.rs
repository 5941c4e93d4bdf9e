//! How Kafka is spoken to: what a cluster wants to know of a client, and what is wrong when it refuses.

mod bearer;
mod certificate;
mod listener;
mod oauth;
mod settings;
mod token_endpoint;
mod trouble;

pub use bearer::Bearer;
pub use oauth::{Oauth, TokenError, Tokens};
pub use settings::{Client, SaslMechanism, SecurityProtocol, Settings, SettingsError};
pub use trouble::{Kind, Trouble};
