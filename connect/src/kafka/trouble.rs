//! What is wrong when a broker cannot be spoken to: what it is, whether it passes, and the cure.

use super::settings::Client;
use super::{certificate, listener};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::fmt;

/// Characters that are shown of what the client says.
const SAID_CHARS_MAX: usize = 400;

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Nobody answers. It passes.
    Away,
    /// The brokers do not believe who we are.
    Refused,
    /// No token could be had.
    NoToken,
    /// We do not believe the broker's certificate: nobody whom we believe signed it.
    Untrusted,
    /// The broker's certificate is of another name.
    OtherName,
    /// The broker's certificate has ended, or does not count yet.
    Expired,
    /// The broker does not believe our certificate, or wants one.
    Certificate,
    /// TLS is spoken where it is not understood.
    NotTls,
    /// TLS is not spoken where it is wanted, or no SASL.
    WantsTls,
    /// Something else than a broker answers.
    NotKafka,
    /// The brokers know who we are, and do not let us.
    Forbidden,
    /// Anything else. It may pass.
    Other,
}

/// One trouble of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// What is wrong.
    pub kind: Kind,
    /// The client's words: one line, safe on a terminal.
    pub said: String,
}

impl Kind {
    /// Whether it needs somebody who mends something; otherwise waiting may help.
    pub const fn is_lasting(self) -> bool {
        !matches!(self, Self::Away | Self::Other)
    }

    const fn cure(self) -> &'static str {
        match self {
            Self::Away => "check kafka.bootstrap_servers, and that the brokers run",
            Self::Refused => {
                "check kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password, or kafka.oauth"
            }
            Self::NoToken => "check kafka.oauth",
            Self::Untrusted => "name the authority that signed it in kafka.ssl_ca_file",
            Self::OtherName => {
                "use the name that the certificate has in kafka.bootstrap_servers, and let the brokers advertise it"
            }
            Self::Expired => "let it be renewed, and check this machine's clock",
            Self::Certificate => {
                "name a certificate that the brokers believe in kafka.ssl_certificate_file and kafka.ssl_key_file"
            }
            Self::NotTls => {
                "use the port of an encrypted listener, or another kafka.security_protocol"
            }
            Self::WantsTls => {
                "the port may be of an encrypted listener or one that wants SASL: set kafka.security_protocol as the listener has it"
            }
            Self::NotKafka => "check the port in kafka.bootstrap_servers",
            Self::Forbidden => "allow it to READ the group and the topics",
            Self::Other => "see the brokers' logs",
        }
    }
}

/// What was said, and what to do.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.said, self.kind.cure())
    }
}

impl Trouble {
    /// One line about the brokers that were asked, and who asked them.
    pub fn line(&self, servers: &str, who: &str) -> String {
        let what = match self.kind {
            Kind::Away => format!("no Kafka broker of {servers} answers"),
            Kind::Refused | Kind::Certificate => format!("Kafka at {servers} refuses {who}"),
            Kind::NoToken => format!("there is no token for Kafka at {servers}"),
            Kind::Untrusted => format!("nobody believed signed the certificate of {servers}"),
            Kind::OtherName => format!("the certificate of {servers} is of another name"),
            Kind::Expired => format!("the certificate of {servers} has expired"),
            Kind::NotTls => format!("no TLS is spoken at {servers}"),
            Kind::WantsTls => format!("Kafka at {servers} wants more than plaintext"),
            Kind::NotKafka => format!("what answers at {servers} is no Kafka broker"),
            Kind::Forbidden => format!("Kafka at {servers} does not allow {who}"),
            Kind::Other => format!("Kafka at {servers} cannot be used"),
        };
        format!("{what} ({}): {}", self.said, self.kind.cure())
    }

    /// What a client's callback says.
    pub fn of(error: &KafkaError, reason: &str) -> Self {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        Self { kind: kind(code, reason), said: said(reason) }
    }

    /// What an operation says that failed. Values of settings are not repeated: they may be secret.
    pub fn from_error(error: &KafkaError) -> Self {
        if let KafkaError::ClientConfig(_, _, name, _) = error {
            let said = said(&format!("the client refuses the value of `{name}`"));
            return Self { kind: Kind::Other, said };
        }
        Self::of(error, &error.to_string())
    }

    /// The same, with what can be found out where the client says less than it could: why a
    /// certificate is not believed, and why a broker hangs up. It asks the brokers, for 4 s at most.
    #[must_use]
    pub fn examined(self, client: &Client) -> Self {
        let found = match self.kind {
            Kind::Untrusted => certificate::examine(client),
            Kind::Away => listener::examine(client),
            _ => None,
        };
        match found {
            Some((kind, said)) => Self { kind, said: one_line(&said) },
            None => self,
        }
    }

    /// Whether nothing is at the address, so that nobody refuses anything there.
    pub fn is_nobody_there(&self) -> bool {
        let words = ["Connect to ", "Failed to resolve"];
        self.kind == Kind::Away && words.iter().any(|it| self.said.contains(it))
    }

    /// Where the client only says that all brokers are away, which is never the first thing.
    pub fn is_summary(error: &KafkaError) -> bool {
        error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown)
    }
}

fn kind(code: RDKafkaErrorCode, reason: &str) -> Kind {
    use RDKafkaErrorCode as Code;
    let has = |words: &str| reason.contains(words);
    match code {
        Code::Authentication if has("OAUTHBEARER token") => Kind::NoToken,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::IllegalSASLState
        | Code::UnsupportedSASLMechanism => Kind::Refused,
        Code::GroupAuthorizationFailed
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed => Kind::Forbidden,
        Code::SSL if has("certificate has expired") || has("not yet valid") => Kind::Expired,
        Code::SSL if has("hostname mismatch") || has("IP address mismatch") => Kind::OtherName,
        _ if has("alert") && (has("certificate") || has("unknown ca")) => Kind::Certificate,
        Code::SSL if has("client SSL authentication") => Kind::Certificate,
        Code::SSL if has("certificate verify failed") => Kind::Untrusted,
        Code::SSL => Kind::NotTls,
        Code::BrokerTransportFailure if has("PLAINTEXT broker listener?") => Kind::NotTls,
        Code::BrokerTransportFailure if has("SSL listener?") || has("require SASL") => {
            Kind::WantsTls
        }
        _ if has("Invalid response size") || has("Invalid message size") => Kind::NotKafka,
        Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::AllBrokersDown => Kind::Away,
        _ => Kind::Other,
    }
}

/// One line of limited length that is safe on a terminal, without how long each try took.
fn said(text: &str) -> String {
    one_line(text.split(" (after ").next().unwrap_or(text))
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let safe = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    words.chars().take(SAID_CHARS_MAX).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    #[track_caller]
    fn check(code: Code, reason: &str, expected: Kind) {
        let trouble = Trouble::of(&KafkaError::Global(code), reason);
        assert_eq!(trouble.kind, expected);
        assert!(!trouble.to_string().contains("(after"), "{trouble}");
    }

    #[test]
    fn troubles_are_told_apart_by_what_the_client_says() {
        let refused = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        check(Code::BrokerTransportFailure, refused, Kind::Away);
        check(Code::Resolve, "Failed to resolve 'nobody:9092'", Kind::Away);
        check(
            Code::Authentication,
            "SASL authentication error: Authentication failed",
            Kind::Refused,
        );
        let token = "Failed to acquire SASL OAUTHBEARER token: no";
        check(Code::Authentication, token, Kind::NoToken);
        let expired = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: certificate has expired";
        check(Code::SSL, expired, Kind::Expired);
        check(Code::SSL, "error:0A000086:SSL routines::certificate verify failed", Kind::Untrusted);
        check(Code::SSL, "wrong version number", Kind::NotTls);
        check(Code::Fail, "Receive failed: Invalid response size 1213486160", Kind::NotKafka);
        check(Code::GroupAuthorizationFailed, "no", Kind::Forbidden);
        check(Code::OutOfOrderSequenceNumber, "\u{1b}[2J", Kind::Other);
    }

    #[test]
    fn only_what_a_person_must_mend_lasts() {
        assert!(!Kind::Away.is_lasting() && !Kind::Other.is_lasting());
        assert!(Kind::Refused.is_lasting() && Kind::Expired.is_lasting());
    }

    #[test]
    fn the_client_unpacks_every_codec_and_knows_every_mechanism() {
        let client = rdkafka::ClientConfig::new().create_native_config().unwrap();
        let features = client.get("builtin.features").unwrap();
        for feature in
            ["gzip", "snappy", "lz4", "zstd", "ssl", "sasl_plain", "sasl_scram", "sasl_oauthbearer"]
        {
            assert!(features.split(',').any(|it| it == feature), "{features}");
        }
    }

    #[test]
    fn a_refused_setting_is_named_without_its_value() {
        let error = rdkafka::ClientConfig::new()
            .set("ssl.key.password", "tiger")
            .set("security.protocol", "tiger")
            .create::<rdkafka::consumer::BaseConsumer>()
            .err()
            .unwrap();
        let said = Trouble::from_error(&error).to_string();
        assert!(!said.contains("tiger"), "{said}");
        let long = Trouble::of(&KafkaError::Global(Code::Fail), &"ä\n".repeat(9_000));
        assert_eq!(long.said.chars().count(), SAID_CHARS_MAX);
    }
}
