//! The endpoint: its URL, how it is reached, and one try of a post.

use super::signature::Signer;
use super::spool::Letter;
use super::{Settings, WebhookError};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::Time;
use model::time::NS_PER_S;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of an answer that are read, so that the connection can be used again; nothing is done with
/// them.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest pause that an endpoint may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Where events are posted.
#[derive(Debug)]
pub(super) struct Endpoint {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

/// What came of a try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// The endpoint has it.
    Done,
    /// It may have it at another time; no sooner than it said, if it said so.
    Again { why: String, after: Option<Duration> },
    /// It will never have it.
    GivenUp { why: String },
}

impl Endpoint {
    /// Checks the URL; nothing connects yet.
    pub(super) fn open(settings: &Settings) -> Result<Self, WebhookError> {
        let uri: Uri = settings.url.parse().map_err(|_| WebhookError::Url("it is no URL"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(WebhookError::Url("it names no host"))?;
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(WebhookError::Url("it holds a user, which headers would show"));
        }
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WebhookError::Url("it is neither https nor http")),
        };
        let is_local = connect::is_loopback(host);
        if !is_encrypted && !is_local && !settings.allow_plaintext {
            return Err(WebhookError::Plaintext { host: host.to_owned() });
        }
        let roots = if is_encrypted {
            authorities(settings.ca_file.as_deref())?
        } else {
            RootCertStore::empty()
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| WebhookError::Authorities { why: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { uri, client, timeout: Duration::from_millis(settings.timeout_ms) })
    }

    /// The host, for notes: the path may hold a secret.
    pub(super) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// Posts an event once. Redirects are not followed, and no answer's content is used.
    pub(super) async fn post(&self, letter: &Letter, signer: &Signer, now: Time) -> Outcome {
        let timestamp_s = now.ns().div_euclid(NS_PER_S);
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("habitus/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &letter.id)
            .header("webhook-timestamp", timestamp_s)
            .header("webhook-signature", signer.sign(&letter.id, timestamp_s, &letter.body))
            .body(Full::new(Bytes::from(letter.body.clone())));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Outcome::GivenUp { why: format!("it is no request: {error}") },
        };
        let exchange = async {
            let response = self.client.request(request).await?;
            let (head, body) = response.into_parts();
            drain(body).await;
            Ok::<_, hyper_util::client::legacy::Error>(Response::from_parts(head, ()))
        };
        match timeout(self.timeout, exchange).await {
            Err(_) => again(format!("no answer within {} ms", self.timeout.as_millis())),
            Ok(Err(error)) => again(crate::full(&error)),
            Ok(Ok(response)) => judge(&response, now),
        }
    }
}

fn again(why: String) -> Outcome {
    Outcome::Again { why, after: None }
}

async fn drain(body: Incoming) {
    // A longer or broken answer only costs the connection.
    Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok();
}

/// What a status means.
fn judge(response: &Response<()>, now: Time) -> Outcome {
    let status = response.status();
    let why = format!("it answered {}", status.as_u16());
    if status.is_success() {
        return Outcome::Done;
    }
    let may_pass =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_client_error() && !may_pass.contains(&status) {
        return Outcome::GivenUp { why };
    }
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|text| pause_of(text, now));
    Outcome::Again { why, after: after.map(|it| it.min(RETRY_AFTER_MAX)) }
}

/// The pause that a `Retry-After` asks for: seconds, or a date.
fn pause_of(text: &str, now: Time) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    let seconds = date.timestamp() - now.ns().div_euclid(NS_PER_S);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Whose certificates are believed.
fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, WebhookError> {
    let mut roots = RootCertStore::empty();
    let mut why = String::from("none was found");
    if let Some(path) = ca_file {
        let failed = |error: &dyn std::fmt::Display| WebhookError::Authorities {
            why: format!("{}: {error}", path.display()),
        };
        for one in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            let one = one.map_err(|error| failed(&error))?;
            roots.add(one).map_err(|error| failed(&error))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        if let Some(error) = found.errors.first() {
            why = error.to_string();
        }
        // Some that a system has are not understood; the others serve.
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() { Err(WebhookError::Authorities { why }) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str) -> Result<Endpoint, WebhookError> {
        Endpoint::open(&Settings { url: url.to_owned(), ..Settings::default() })
    }

    #[test]
    fn a_url_is_https_or_on_this_machine() {
        for url in ["http://127.0.0.1:8080/hook", "http://localhost/", "http://[::1]:1/"] {
            assert!(open(url).is_ok(), "{url}");
        }
        for (url, words) in [
            ("http://siem.example/secret-path", "allow_plaintext"),
            ("http://user:tiger@localhost/", "a user"),
            ("ftp://localhost/", "neither https nor http"),
            ("/hook", "no host"),
            ("http://", "no URL"),
        ] {
            let error = open(url).unwrap_err().to_string();
            assert!(error.contains(words), "{url}: {error}");
            assert!(!error.contains("tiger") && !error.contains("secret-path"), "{error}");
        }
        let url = "http://siem.example/".to_owned();
        let allowed = Settings { url, allow_plaintext: true, ..Settings::default() };
        assert!(Endpoint::open(&allowed).is_ok());
    }

    #[test]
    fn certificates_come_from_the_file_that_is_named() {
        let url = "https://siem.example/".to_owned();
        let missing = Settings { url, ca_file: Some("/no/such.pem".into()), ..Settings::default() };
        let error = Endpoint::open(&missing).unwrap_err().to_string();
        assert!(error.contains("/no/such.pem") && error.contains("ca_file"), "{error}");
    }

    #[test]
    fn a_status_says_whether_another_try_makes_sense() {
        let now = Time::from_ns(784_111_777 * NS_PER_S);
        let outcome = |status: u16, after: Option<&str>| {
            let mut response = Response::builder().status(status);
            if let Some(after) = after {
                response = response.header(RETRY_AFTER, after);
            }
            judge(&response.body(()).unwrap(), now)
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(outcome(status, None), Outcome::Done);
        }
        for status in [400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(outcome(status, None), Outcome::GivenUp { .. }), "{status}");
        }
        for status in [301, 302, 307, 408, 425, 429, 500, 502, 503, 504] {
            assert!(
                matches!(outcome(status, None), Outcome::Again { after: None, .. }),
                "{status}"
            );
        }
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999", Some(3_600)),
            ("soon", None),
            ("-1", None),
        ] {
            let Outcome::Again { after, .. } = outcome(503, Some(text)) else { panic!("{text}") };
            assert_eq!(after.map(|it| it.as_secs()), seconds, "{text}");
        }
    }
}
