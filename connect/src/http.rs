//! HTTP with TLS: which authorities are believed, and how long a connection may take.

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a file of authorities; that of a whole operating system has a quarter of it.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How long it may take until somebody accepts a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it still is one.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// How long a connection is kept that nobody uses; ClickHouse closes it after 3 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The machine has no authorities to believe.
    #[error(
        "this machine has no certificates of authorities: install ca-certificates, or name a file of them in SSL_CERT_FILE or as {setting}"
    )]
    NoRoots {
        /// The setting that could name a file.
        setting: &'static str,
    },
    /// The file of authorities cannot be read.
    #[error("{setting}: cannot read {path}: {source}")]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of authorities holds none.
    #[error(
        "{setting}: {path} {what}: it takes certificates in PEM, `-----BEGIN CERTIFICATE-----`"
    )]
    Malformed {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// An HTTP client whose bodies are of type `B`.
pub type Http<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Whom an encrypted connection believes; `None` where none will be encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Authorities<'a> {
    /// The file of their certificates, PEM, and no others; the system's where there is none.
    pub file: Option<&'a Path>,
    /// The setting that names the file, for errors.
    pub setting: &'static str,
}

/// An HTTP client: with authorities it speaks `https` only, without them `http` only.
pub fn client<B>(authorities: Option<Authorities<'_>>) -> Result<Http<B>, TlsError>
where
    B: Body + Send,
    B::Data: Send,
{
    let roots = authorities.map_or_else(|| Ok(RootCertStore::empty()), roots)?;
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    let builder =
        if authorities.is_some() { builder.https_only() } else { builder.https_or_http() };
    let connector = builder.enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector))
}

/// What an error and all of its causes say: what a network error says first is never what went wrong.
pub(crate) fn causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Waits for an answer on a thread of its own: whoever asks may be in a runtime, which must not be
/// blocked in. `None` where it takes too long, or there can be no thread.
pub(crate) fn apart<T: Send>(limit: Duration, answer: impl Future<Output = T> + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let wait = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { tokio::time::timeout(limit, answer).await.ok() })
        };
        scope.spawn(wait).join().ok()?
    })
}

fn roots(authorities: Authorities<'_>) -> Result<RootCertStore, TlsError> {
    let setting = authorities.setting;
    let mut roots = RootCertStore::empty();
    let Some(path) = authorities.file else {
        // What a system has of broken ones does not matter as long as there are others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(TlsError::NoRoots { setting }) } else { Ok(roots) };
    };
    let unreadable = |source| TlsError::File { setting, path: path.into(), source };
    let malformed =
        |what: &str| TlsError::Malformed { setting, path: path.into(), what: what.to_owned() };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(CA_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > CA_FILE_BYTES_MAX {
        return Err(malformed(&format!("is longer than {CA_FILE_BYTES_MAX} bytes")));
    }
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| malformed("is not PEM"))?;
        roots.add(certificate).map_err(|_| malformed("holds a certificate that is none"))?;
    }
    if roots.is_empty() { Err(malformed("holds no certificate")) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], words: &str) {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, bytes).unwrap();
        let authorities = Authorities { file: Some(&path), setting: "clickhouse.ca_file" };
        let roots = roots(authorities).map_err(|error| error.to_string());
        match roots {
            Ok(roots) => assert_eq!(format!("{} authorities", roots.len()), words),
            Err(error) => {
                assert!(error.starts_with("clickhouse.ca_file: "), "{error}");
                assert!(error.contains(words), "{error}");
            }
        }
    }

    #[test]
    fn a_file_of_authorities_holds_some_and_nothing_broken() {
        let ca = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem();
        check(ca.as_bytes(), "1 authorities");
        check(format!("a comment\n{ca}\n{ca}").as_bytes(), "2 authorities");
        check(b"", "holds no certificate");
        check(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "that is none");
        check(b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", "is not PEM");
        check(&vec![b'a'; CA_FILE_BYTES_MAX as usize + 1], "is longer than");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let file = Some(Path::new("/no/such.pem"));
        let error = roots(Authorities { file, setting: "clickhouse.ca_file" }).unwrap_err();
        assert!(error.to_string().contains("cannot read /no/such.pem"), "{error}");
    }
}
