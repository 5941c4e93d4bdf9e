//! OAUTHBEARER: tokens from a command, a file, or an identity provider, fetched again before they end.

use super::settings::SettingsError;
use super::token_endpoint;
use crate::http::{self, Authorities, TlsError};
use crate::{Secret, SecretError, SecretSource};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a token is used that does not say how long it lasts.
const OPAQUE_LIFETIME: Duration = Duration::from_mins(5);
/// How long a token is used that says it lasts longer.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Bytes of the name in a token.
const NAME_BYTES_MAX: usize = 256;

/// Where tokens come from: an identity provider, or a file or command that holds or prints one.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oauth {
    /// The provider's token endpoint, which is asked with the client credentials grant.
    pub token_url: String,
    /// The client that is registered there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretSource,
    /// What the token is for, in the provider's words; empty for what the provider sees fit.
    pub scope: String,
    /// Certificates of the authorities to believe for the endpoint, PEM; the system's without it.
    pub ca_file: Option<PathBuf>,
    /// Or: the token itself. It is read again before it ends.
    pub token: SecretSource,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The endpoint cannot be spoken to.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The endpoint gave none.
    #[error("kafka.oauth.token_url: {url} {why}")]
    Endpoint {
        /// The endpoint.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// What was given is no token that could be used.
    #[error("kafka.oauth: the token {0}")]
    Token(&'static str),
}

/// Gives tokens, each time one is wanted.
#[derive(Clone)]
pub struct Tokens {
    from: From,
}

#[derive(Clone)]
enum From {
    Source(SecretSource),
    Endpoint(Oauth),
}

/// Says only which of the two ways it goes.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.from {
            From::Source(_) => "Tokens from a file or command",
            From::Endpoint(_) => "Tokens from an endpoint",
        })
    }
}

impl Oauth {
    pub(super) fn tokens(&self, allow_plaintext: bool) -> Result<Tokens, SettingsError> {
        if self.token_url.is_empty() {
            if self.token.is_none() {
                return Err(SettingsError::NoToken);
            }
            return Ok(Tokens { from: From::Source(self.token.clone()) });
        }
        let is_whole = !self.client_id.is_empty() && !self.client_secret.is_none();
        if !self.token.is_none() || !is_whole {
            return Err(SettingsError::NoToken);
        }
        if self.token_url.contains('@') {
            return Err(SettingsError::TokenUser);
        }
        let is_secure = self.token_url.starts_with("https://");
        let plain_host = self.token_url.strip_prefix("http://").map(|rest| {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            authority.rsplit_once(':').map_or(authority, |(host, _)| host)
        });
        let is_safe = plain_host.is_some_and(|host| allow_plaintext || crate::is_loopback(host));
        if !is_secure && !is_safe {
            return Err(SettingsError::TokenUrl);
        }
        if is_secure {
            // A file that cannot be read is said at once, and not with the first token.
            drop(http::client::<String>(Some(self.authorities()))?);
        }
        Ok(Tokens { from: From::Endpoint(self.clone()) })
    }

    pub(super) fn authorities(&self) -> Authorities<'_> {
        Authorities { file: self.ca_file.as_deref(), setting: "kafka.oauth.ca_file" }
    }
}

impl Tokens {
    /// A token to say who we are with. It waits for the command or the endpoint, 8 s at most.
    pub fn token(&self) -> Result<OAuthToken, TokenError> {
        let (secret, lifetime) = match &self.from {
            From::Source(source) => (source.read("kafka.oauth.token")?, None),
            From::Endpoint(oauth) => token_endpoint::ask(oauth)?,
        };
        token(&secret, lifetime, now())
    }
}

/// The token as librdkafka takes it: what it says of itself counts before what came beside it.
fn token(
    secret: &Secret,
    lifetime: Option<Duration>,
    now: Duration,
) -> Result<OAuthToken, TokenError> {
    let text = secret.expose();
    // Only these may stand in the message that carries it.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !text.bytes().all(is_allowed) {
        return Err(TokenError::Token("holds what no token holds: print nothing else beside it"));
    }
    let claims = claims(text).unwrap_or_default();
    let ends = claims.exp.map(|exp| Duration::from_secs_f64(exp.clamp(0.0, 1e11)));
    let ends = ends.unwrap_or_else(|| now + lifetime.unwrap_or(OPAQUE_LIFETIME));
    if ends <= now {
        return Err(TokenError::Token("has ended already: let it be renewed, and check the clock"));
    }
    let ends = ends.min(now + LIFETIME_MAX);
    let name = claims.sub.filter(|it| it.len() <= NAME_BYTES_MAX && !it.contains('\0'));
    Ok(OAuthToken {
        token: text.to_owned(),
        principal_name: name.unwrap_or_else(|| "habitus".to_owned()),
        lifetime_ms: i64::try_from(ends.as_millis()).unwrap_or(i64::MAX),
    })
}

/// What a JSON Web Token says of itself. It is not checked: that is the broker's part.
#[derive(Debug, Default, Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: Option<f64>,
    sub: Option<String>,
}

fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[expect(clippy::disallowed_methods, reason = "a token ends by the clock on the wall")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn jwt(payload: &str) -> Secret {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!("{}.{}.", part("{\"alg\":\"none\"}"), part(payload)))
    }

    #[track_caller]
    fn check(secret: &Secret, lifetime: Option<u64>, expected: Result<(i64, &str), &str>) {
        let lifetime = lifetime.map(Duration::from_secs);
        match (token(secret, lifetime, NOW), expected) {
            (Ok(token), Ok((ms, name))) => {
                assert_eq!((token.lifetime_ms, token.principal_name.as_str()), (ms, name));
                assert_eq!(token.token, secret.expose());
            }
            (Err(error), Err(words)) => {
                let error = error.to_string();
                assert!(error.contains(words) && !error.contains(secret.expose()), "{error}");
            }
            (found, expected) => panic!("{expected:?} but {:?}", found.map(|it| it.lifetime_ms)),
        }
    }

    #[test]
    fn a_token_is_used_until_it_says_it_ends() {
        check(&jwt("{\"sub\":\"me\",\"exp\":1000060}"), Some(5), Ok((1_000_060_000, "me")));
        check(&jwt("{\"exp\":1000060.5}"), None, Ok((1_000_060_500, "habitus")));
        check(&jwt("{\"exp\":9e30}"), None, Ok((1_086_400_000, "habitus")));
        check(&jwt("{\"exp\":999999}"), Some(60), Err("has ended already"));
        check(&jwt("{\"exp\":-1e300}"), None, Err("has ended already"));
    }

    #[test]
    fn an_opaque_token_is_used_as_long_as_the_endpoint_says_or_for_a_while() {
        check(&Secret::new("opaque"), Some(60), Ok((1_000_060_000, "habitus")));
        check(&Secret::new("opaque"), None, Ok((1_000_300_000, "habitus")));
        check(&Secret::new("a.b.c"), None, Ok((1_000_300_000, "habitus")));
        check(&jwt("[1]"), None, Ok((1_000_300_000, "habitus")));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_shown() {
        for text in ["two words", "line\nend", "nul\0", "ctrl\u{1}a", "\u{e4}"] {
            check(&Secret::new(text), None, Err("holds what no token holds"));
        }
    }

    #[test]
    fn a_command_prints_a_token_each_time() {
        let command = vec!["printf".to_owned(), "opaque".to_owned()];
        let oauth = Oauth { token: SecretSource { file: None, command }, ..Oauth::default() };
        let tokens = oauth.tokens(false).unwrap();
        assert_eq!(tokens.token().unwrap().token, "opaque");
        assert!(!format!("{tokens:?}").contains("opaque"));
    }
}
