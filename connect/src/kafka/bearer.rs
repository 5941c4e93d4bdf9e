//! A client's context that gives tokens where they are wanted, and else does nothing.

use super::oauth::Tokens;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::consumer::ConsumerContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use std::error::Error;

/// Gives tokens; contexts that do more have one.
#[derive(Clone, Debug, Default)]
pub struct Bearer {
    tokens: Option<Tokens>,
}

impl Bearer {
    pub(super) const fn new(tokens: Option<Tokens>) -> Self {
        Self { tokens }
    }

    /// A token, for [`ClientContext::generate_oauth_token`].
    ///
    /// # Errors
    ///
    /// The settings name no tokens, or none could be had.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.tokens.as_ref().ok_or("kafka.oauth says nothing of tokens")?;
        tokens.token().map_err(|error| error.to_string().replace('\0', " ").into())
    }
}

impl ClientContext for Bearer {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()
    }
}

impl ConsumerContext for Bearer {}

impl ProducerContext for Bearer {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
