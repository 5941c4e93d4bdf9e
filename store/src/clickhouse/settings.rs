//! Where the server is and how it is spoken to, parsed from a URL that carries no secret.

use crate::error::StoreError;
use connect::Secret;
use connect::http::Authorities;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a URL.
const URL_BYTES_MAX: usize = 2_048;
/// Bytes of the name of a database, user, cluster or tenant.
pub(crate) const NAME_BYTES_MAX: usize = 64;
/// The port of a server that encrypts, and of one that does not.
const PORTS: (u16, u16) = (8443, 8123);
/// How long a server may take to answer the first question.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take to accept the bytes of an insert.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server may be silent: longer than a query may run.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(90);

/// Whether a server on another machine may be spoken to without encryption.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plaintext {
    /// Never: the default.
    Refused,
    /// Where the URL asks for it: the network is trusted, or encrypts by itself.
    Allowed,
}

/// Where the server is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    host: String,
    port: u16,
    is_secure: bool,
    is_local: bool,
    database: String,
    user: Option<String>,
    password: Option<Secret>,
    cluster: Option<String>,
    ca_file: Option<PathBuf>,
    /// How long a server may take to answer the first question; 10 s.
    pub connect_timeout: Duration,
    /// How long a server may take to accept the bytes of an insert; 30 s.
    pub send_timeout: Duration,
    /// How long a server may be silent; 90 s, which is longer than a query may run.
    pub receive_timeout: Duration,
}

impl Settings {
    /// Reads `clickhouse://user@host:8443/database?secure=1&cluster=name`.
    ///
    /// All but the host may be left out. A server on another machine is spoken to with TLS, on port
    /// 8443; one on this machine without, on port 8123; `secure` says otherwise. `http://` and
    /// `https://` stand for `secure=0` and `secure=1`. A password in the URL is an error: a command
    /// line is seen by everyone on the machine.
    pub fn parse(url: &str, plaintext: Plaintext) -> Result<Self, StoreError> {
        if url.len() > URL_BYTES_MAX {
            return Err(wrong(format!("is longer than {URL_BYTES_MAX} bytes")));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        let mut secure = match scheme {
            "clickhouse" => None,
            "http" => Some(false),
            "https" => Some(true),
            _ => return Err(wrong("has another scheme")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user_name(user)?), address),
            None => (None, authority),
        };
        let mut cluster = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("secure", "1" | "true")) => secure = Some(true),
                Some(("secure", "0" | "false")) => secure = Some(false),
                Some(("cluster", name)) => cluster = Some(cluster_name(&decoded(name)?)?),
                // The value may be a secret: it is not repeated.
                _ => return Err(wrong("has a parameter other than `secure` (0 or 1), `cluster`")),
            }
        }
        let (host, port) = host_and_port(address)?;
        let is_local = is_loopback(&host);
        let is_secure = secure.unwrap_or(!is_local);
        if !is_secure && !is_local && plaintext == Plaintext::Refused {
            return Err(StoreError::Plaintext { host });
        }
        let database = match path.trim_end_matches('/') {
            "" => "default".to_owned(),
            name => name.to_owned(),
        };
        if !is_name(&database) {
            return Err(wrong("names a database of other than letters, digits and `_`"));
        }
        Ok(Self {
            host,
            port: port.unwrap_or(if is_secure { PORTS.0 } else { PORTS.1 }),
            is_secure,
            is_local,
            database,
            user,
            password: None,
            cluster,
            ca_file: None,
            connect_timeout: CONNECT_TIMEOUT,
            send_timeout: SEND_TIMEOUT,
            receive_timeout: RECEIVE_TIMEOUT,
        })
    }

    /// The same with a password, which the caller read from a file or a command.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The same, which believes the authorities of this file (PEM) and not the system's.
    #[must_use]
    pub fn with_ca_file(mut self, path: PathBuf) -> Self {
        self.ca_file = Some(path);
        self
    }

    /// Whom a connection believes; nobody where it is not encrypted.
    pub(crate) fn authorities(&self) -> Option<Authorities<'_>> {
        let setting = "clickhouse.ca_file";
        let authorities = Authorities { file: self.ca_file.as_deref(), setting };
        self.is_secure.then_some(authorities)
    }

    /// The address for HTTP.
    pub(crate) fn http_url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}:{}/", self.bracketed_host(), self.port)
    }

    /// The database that holds the tables.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The user, if the URL names one.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The cluster that the tables are made on, if the URL names one.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Whether TLS is spoken.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether the server is on this machine, as far as its name says.
    pub const fn is_local(&self) -> bool {
        self.is_local
    }

    pub(crate) const fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// The server and the database, without the user: what errors name.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clickhouse://{}:{}/{}", self.bracketed_host(), self.port, self.database)
    }
}

/// Letters, digits and `_`, and not too many.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name of a cluster, or of a macro that stands for one, such as `{cluster}`.
pub(crate) fn cluster_name(name: &str) -> Result<String, StoreError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.{}".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        Ok(name.to_owned())
    } else {
        Err(StoreError::Name { what: "cluster", allowed: "a-z, A-Z, 0-9 and _ - . { }" })
    }
}

fn wrong(what: impl Into<String>) -> StoreError {
    StoreError::Url { what: what.into() }
}

fn user_name(user: &str) -> Result<String, StoreError> {
    if user.contains(':') {
        return Err(wrong("holds a password, which everyone on the machine can see"));
    }
    let user = decoded(user)?;
    if user.is_empty() || user.len() > NAME_BYTES_MAX || user.chars().any(char::is_control) {
        return Err(wrong(format!("names a user of other than 1 to {NAME_BYTES_MAX} bytes")));
    }
    Ok(user)
}

fn host_and_port(address: &str) -> Result<(String, Option<u16>), StoreError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("has an open `[`"))?;
            host.parse::<Ipv6Addr>().map_err(|_| wrong("has no IPv6 address in its `[]`"))?;
            (host, port.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(is_allowed) {
        return Err(wrong("names no host"));
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(wrong("has a port other than 1 to 65535")),
        },
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The text with each `%41` as the byte that it stands for.
fn decoded(text: &str) -> Result<String, StoreError> {
    let malformed = || wrong("has a `%` without two hexadecimal digits, or is not UTF-8");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(malformed)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| malformed())?);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, http: &str, database: &str) -> Settings {
        let settings = Settings::parse(url, Plaintext::Refused).unwrap();
        assert_eq!(settings.http_url(), http);
        assert_eq!(settings.database(), database);
        settings
    }

    #[track_caller]
    fn refused(url: &str, words: &str) {
        let error = Settings::parse(url, Plaintext::Refused).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("tiger"), "{error}");
    }

    #[test]
    fn a_url_says_where_the_server_is() {
        let settings = check(
            "clickhouse://a%40b@ch.example.org:9443/habitus?secure=1&cluster={cluster}",
            "https://ch.example.org:9443/",
            "habitus",
        );
        assert_eq!(settings.user(), Some("a@b"));
        assert_eq!(settings.cluster(), Some("{cluster}"));
        assert_eq!(settings.to_string(), "clickhouse://ch.example.org:9443/habitus");
        check("clickhouse://ch", "https://ch:8443/", "default");
        check("clickhouse://localhost", "http://localhost:8123/", "default");
        check("clickhouse://127.0.0.1:7000/x/", "http://127.0.0.1:7000/", "x");
        check("clickhouse://[::1]/x?secure=1", "https://[::1]:8443/", "x");
        check("http://[::1]:81", "http://[::1]:81/", "default");
        check("https://CH.example/", "https://ch.example:8443/", "default");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_secrets() {
        refused("clickhouse://me:tiger@ch/db", "password");
        refused("clickhouse://ch/db?password=tiger", "parameter");
        refused("clickhouse://ch/db?secure=tiger", "parameter");
        refused("postgres://tiger@ch/db", "scheme");
        refused("ch:8443", "scheme");
        refused("clickhouse://", "host");
        refused("clickhouse://tiger\u{1b}[2J/", "host");
        refused("clickhouse://ch:0", "port");
        refused("clickhouse://ch:99999", "port");
        refused("clickhouse://[tiger]:1", "IPv6");
        refused("clickhouse://ch/a`; DROP TABLE x", "database");
        refused("clickhouse://a%4@ch", "%");
        refused("clickhouse://ch?cluster=a'b", "cluster");
        refused(&format!("clickhouse://{}", "a".repeat(3_000)), "longer");
    }

    #[test]
    fn plaintext_to_another_machine_takes_a_flag() {
        for url in ["clickhouse://ch?secure=0", "http://10.0.0.7:8123", "http://localhost.evil"] {
            refused(url, "without encryption");
            let settings = Settings::parse(url, Plaintext::Allowed).unwrap();
            assert!(!settings.is_secure() && !settings.is_local());
        }
        let settings = Settings::parse("clickhouse://ch", Plaintext::Allowed).unwrap();
        assert!(settings.is_secure(), "allowed is not asked for");
    }

    #[test]
    fn a_password_is_not_shown() {
        let settings = Settings::parse("clickhouse://me@ch", Plaintext::Refused).unwrap();
        let settings = settings.with_password(Secret::new("tiger"));
        let client = crate::clickhouse::Client::new(settings.clone()).unwrap();
        for shown in [format!("{settings:?}"), settings.to_string(), format!("{client:?}")] {
            assert!(!shown.contains("tiger"), "{shown}");
        }
        assert_eq!(settings.password().map(Secret::expose), Some("tiger"));
    }
}
