//! Kafka client settings: what a cluster wants to know of a client, checked before anything connects.

use super::bearer::Bearer;
use super::oauth::{Oauth, Tokens};
use crate::{SecretError, SecretSource, TlsError, is_loopback};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a lost broker is left alone at most before it is tried again.
const RECONNECT_MS_MAX: &str = "5000";
/// How long a broker may take to accept a connection and to agree on its encryption.
const SETUP_TIMEOUT_MS: &str = "5000";
/// How long a young client may take to ask for its token.
const TOKEN_WAIT: Duration = Duration::from_millis(100);

/// How a client talks to brokers, in Kafka's own words.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated: for brokers on this machine.
    #[default]
    Plaintext,
    /// Encrypted, and authenticated where certificates are given.
    Ssl,
    /// Authenticated, but not encrypted.
    SaslPlaintext,
    /// Encrypted and authenticated.
    SaslSsl,
}

/// How a client says who it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum SaslMechanism {
    /// Name and password as they are: with TLS, or where plaintext is allowed.
    Plain,
    /// Salted challenge and response with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge and response with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token that the cluster's operator gives out: see [`Oauth`].
    #[serde(rename = "OAUTHBEARER")]
    Oauthbearer,
}

/// What a Kafka cluster wants to know of a client.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `host:port` of some brokers.
    pub bootstrap_servers: Vec<String>,
    /// How to talk to them.
    pub security_protocol: SecurityProtocol,
    /// Allows an unencrypted connection to brokers that are not on this machine.
    pub allow_plaintext: bool,
    /// How to say who we are, with a SASL protocol.
    pub sasl_mechanism: SaslMechanism,
    /// The user's name, for PLAIN and SCRAM.
    pub sasl_username: String,
    /// The user's password, for PLAIN and SCRAM.
    pub sasl_password: SecretSource,
    /// Where tokens come from, for OAUTHBEARER.
    pub oauth: Oauth,
    /// Certificates of the authorities to believe, PEM; the system's where none is given.
    pub ssl_ca_file: Option<PathBuf>,
    /// This client's certificate, PEM, for mTLS.
    pub ssl_certificate_file: Option<PathBuf>,
    /// The certificate's key, PEM.
    pub ssl_key_file: Option<PathBuf>,
    /// The key's password.
    pub ssl_key_password: SecretSource,
}

/// Why these settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No broker is named.
    #[error("kafka.bootstrap_servers is empty: name at least one `host:port`")]
    NoBroker,
    /// A broker's name is no `host:port`.
    #[error("kafka.bootstrap_servers: `{0}` is not `host:port`")]
    Broker(String),
    /// Unencrypted to another machine.
    #[error(
        "kafka.security_protocol is {protocol} but {broker} is not on this machine: use ssl or sasl_ssl, or set kafka.allow_plaintext = true"
    )]
    Plaintext {
        /// The protocol.
        protocol: &'static str,
        /// The broker.
        broker: String,
    },
    /// SASL needs a name.
    #[error("kafka.sasl_username is empty, and {0} needs the user's name")]
    NoUser(&'static str),
    /// A certificate without its key, or a key without its certificate.
    #[error("kafka.ssl_certificate_file and kafka.ssl_key_file belong together: name both or none")]
    HalfPair,
    /// A file is not there.
    #[error("kafka.{setting}: cannot read {path}")]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Tokens come from nowhere, or from two places.
    #[error(
        "kafka.oauth: name either a token_url with client_id and client_secret, or a token's file or command"
    )]
    NoToken,
    /// The client's secret would be sent unencrypted to another machine.
    #[error(
        "kafka.oauth.token_url is not https://, so the secret could be read on the way: use https, or set kafka.allow_plaintext = true"
    )]
    TokenUrl,
    /// An address that holds a secret would be shown.
    #[error(
        "kafka.oauth.token_url names a user before the `@`: name it as client_id and client_secret"
    )]
    TokenUser,
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What a client is made with: librdkafka's settings, secrets among them, and where tokens come from.
#[derive(Clone)]
pub struct Client {
    /// librdkafka's settings.
    pub config: ClientConfig,
    /// Gives tokens to clients that need them.
    pub tokens: Option<Tokens>,
    /// Whether all brokers must be on this machine, because the connection is not encrypted.
    pub is_local_only: bool,
    /// How to say who we are, for errors: `user habitus`.
    pub who: String,
}

/// Without its settings: secrets are among them.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.config.get("bootstrap.servers");
        f.debug_struct("Client").field("servers", &servers).finish_non_exhaustive()
    }
}

impl Client {
    /// The brokers that are asked first, as they are written in the settings.
    pub fn servers(&self) -> &str {
        self.config.get("bootstrap.servers").unwrap_or_default()
    }

    /// What gives tokens to a client that needs them.
    pub fn bearer(&self) -> Bearer {
        Bearer::new(self.tokens.clone())
    }

    /// Lets a client that was just made ask for its token, where it needs one: it does so when it is
    /// polled, and questions to the brokers would wait for it in vain.
    pub fn listen(&self, poll: impl FnOnce(Duration)) {
        if self.tokens.is_some() {
            poll(TOKEN_WAIT);
        }
    }
}

impl SecurityProtocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    const fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl SaslMechanism {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

impl Settings {
    /// Checks the settings and turns them into librdkafka's, secrets read.
    pub fn client(&self) -> Result<Client, SettingsError> {
        self.check_brokers()?;
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.bootstrap_servers.join(","))
            .set("security.protocol", self.security_protocol.as_str())
            .set("client.id", "habitus")
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.max.ms", RECONNECT_MS_MAX)
            .set("socket.connection.setup.timeout.ms", SETUP_TIMEOUT_MS)
            // What it has to say comes as errors too; its log would go to standard error by itself.
            .set("log_level", "0")
            .set_log_level(RDKafkaLogLevel::Emerg);
        if self.security_protocol.is_encrypted() {
            self.set_tls(&mut client)?;
        }
        let tokens = self.set_sasl(&mut client)?;
        let is_local_only = !self.security_protocol.is_encrypted() && !self.allow_plaintext;
        Ok(Client { config: client, tokens, is_local_only, who: self.who() })
    }

    fn who(&self) -> String {
        match (self.security_protocol.has_sasl(), self.sasl_mechanism) {
            (false, _) if self.ssl_certificate_file.is_some() => "this certificate".to_owned(),
            (false, _) => "a client without a name".to_owned(),
            (true, SaslMechanism::Oauthbearer) => "the bearer of this token".to_owned(),
            (true, _) => format!("user {}", self.sasl_username),
        }
    }

    fn check_brokers(&self) -> Result<(), SettingsError> {
        if self.bootstrap_servers.is_empty() {
            return Err(SettingsError::NoBroker);
        }
        for broker in &self.bootstrap_servers {
            let parts = broker.rsplit_once(':');
            let host = parts.filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(host, _)| host);
            let host = host.filter(|host| !host.is_empty() && !broker.contains(','));
            let host = host.ok_or_else(|| SettingsError::Broker(broker.clone()))?;
            let is_safe = self.security_protocol.is_encrypted() || self.allow_plaintext;
            if !is_safe && !is_loopback(host) {
                let protocol = self.security_protocol.as_str();
                return Err(SettingsError::Plaintext { protocol, broker: broker.clone() });
            }
        }
        Ok(())
    }

    fn set_tls(&self, client: &mut ClientConfig) -> Result<(), SettingsError> {
        client.set("ssl.endpoint.identification.algorithm", "https");
        let pair = (&self.ssl_certificate_file, &self.ssl_key_file);
        if pair.0.is_some() != pair.1.is_some() {
            return Err(SettingsError::HalfPair);
        }
        let files = [
            ("ssl_ca_file", "ssl.ca.location", &self.ssl_ca_file),
            ("ssl_certificate_file", "ssl.certificate.location", pair.0),
            ("ssl_key_file", "ssl.key.location", pair.1),
        ];
        for (setting, property, path) in files {
            let Some(path) = path else { continue };
            // librdkafka's own words on a missing file name neither the setting nor the cure.
            let there = std::fs::File::open(path).is_ok();
            let text = path.to_str().filter(|_| there);
            let text = text.ok_or_else(|| SettingsError::File { setting, path: path.clone() })?;
            client.set(property, text);
        }
        if !self.ssl_key_password.is_none() {
            let secret = self.ssl_key_password.read("kafka.ssl_key_password")?;
            client.set("ssl.key.password", secret.expose());
        }
        Ok(())
    }

    fn set_sasl(&self, client: &mut ClientConfig) -> Result<Option<Tokens>, SettingsError> {
        if !self.security_protocol.has_sasl() {
            return Ok(None);
        }
        let mechanism = self.sasl_mechanism;
        client.set("sasl.mechanism", mechanism.as_str());
        if mechanism == SaslMechanism::Oauthbearer {
            return self.oauth.tokens(self.allow_plaintext).map(Some);
        }
        if self.sasl_username.is_empty() {
            return Err(SettingsError::NoUser(mechanism.as_str()));
        }
        let secret = self.sasl_password.read("kafka.sasl_password")?;
        client.set("sasl.username", &self.sasl_username).set("sasl.password", secret.expose());
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(broker: &str) -> Settings {
        Settings { bootstrap_servers: vec![broker.to_owned()], ..Settings::default() }
    }

    #[track_caller]
    fn refused(settings: &Settings, words: &str) {
        let error = settings.client().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn plaintext_stays_on_this_machine_unless_it_is_allowed() {
        for broker in ["127.0.0.1:9092", "localhost:9092", "[::1]:9092"] {
            let client = settings(broker).client().unwrap();
            assert_eq!(client.config.get("security.protocol"), Some("plaintext"));
        }
        refused(&settings("kafka.example:9092"), "allow_plaintext");
        let allowed = Settings { allow_plaintext: true, ..settings("kafka.example:9092") };
        assert!(allowed.client().is_ok());
    }

    #[test]
    fn brokers_are_host_and_port() {
        refused(&Settings::default(), "bootstrap_servers is empty");
        for broker in ["localhost", "localhost:port", ":9092", "localhost:1,localhost:2"] {
            refused(&settings(broker), "host:port");
        }
    }

    #[test]
    fn passwords_come_from_files_and_go_over_tls_or_stay_here() {
        let sasl = Settings {
            security_protocol: SecurityProtocol::SaslPlaintext,
            sasl_mechanism: SaslMechanism::Plain,
            ..settings("kafka.example:9092")
        };
        refused(&sasl, "sasl_plaintext but kafka.example:9092 is not on this machine");
        let sasl = Settings { bootstrap_servers: vec!["localhost:9092".to_owned()], ..sasl };
        refused(&sasl, "PLAIN needs the user's name");
        let scram = Settings { sasl_mechanism: SaslMechanism::ScramSha512, ..sasl };
        refused(&scram, "sasl_username is empty");
        let named = Settings { sasl_username: "habitus".to_owned(), ..scram };
        refused(&named, "either a file or a command");
        let command = vec!["printf".to_owned(), "tiger".to_owned()];
        let sasl_password = SecretSource { file: None, command };
        let client = Settings { sasl_password, ..named }.client().unwrap();
        assert!(client.is_local_only && !format!("{client:?}").contains("tiger"));
        assert_eq!(client.who, "user habitus");
        assert_eq!(client.config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(client.config.get("sasl.password"), Some("tiger"));
    }

    #[test]
    fn a_certificate_needs_its_key_and_files_are_there() {
        let ssl = Settings {
            security_protocol: SecurityProtocol::Ssl,
            ssl_certificate_file: Some("/no/such.pem".into()),
            ..settings("kafka.example:9093")
        };
        refused(&ssl, "belong together");
        let pair = Settings { ssl_key_file: Some("/no/such.key".into()), ..ssl };
        refused(&pair, "/no/such.pem");
        let none = Settings { ssl_certificate_file: None, ssl_key_file: None, ..pair };
        let client = none.client().unwrap();
        assert_eq!(client.config.get("ssl.endpoint.identification.algorithm"), Some("https"));
    }

    #[test]
    fn tokens_come_from_one_place_and_their_secret_is_not_sent_in_the_clear() {
        let bearer = Settings {
            security_protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: SaslMechanism::Oauthbearer,
            ..settings("kafka.example:9093")
        };
        refused(&bearer, "kafka.oauth: name either");
        let secret = SecretSource { file: None, command: vec!["echo".into(), "tiger".into()] };
        let oauth = Oauth {
            token_url: "http://login.example/token".to_owned(),
            client_id: "habitus".to_owned(),
            client_secret: secret.clone(),
            ..Oauth::default()
        };
        let remote = Settings { oauth: oauth.clone(), ..bearer.clone() };
        refused(&remote, "kafka.oauth.token_url is not https://");
        let token_url = "http://127.0.0.1:9/token".to_owned();
        let local = Settings { oauth: Oauth { token_url, ..oauth.clone() }, ..bearer.clone() };
        let client = local.client().unwrap();
        assert_eq!(client.config.get("sasl.mechanism"), Some("OAUTHBEARER"));
        assert!(client.tokens.is_some() && !format!("{client:?}").contains("tiger"));
        let both = Oauth { token: secret.clone(), ..local.oauth };
        refused(&Settings { oauth: both, ..bearer.clone() }, "kafka.oauth: name either");
        let command = Oauth { token: secret, ..Oauth::default() };
        assert!(Settings { oauth: command, ..bearer }.client().unwrap().tokens.is_some());
    }
}
