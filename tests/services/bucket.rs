//! S3 without Amazon: the Python package `moto`, which answers as S3 does, on the loopback.

use super::install;
use super::watchdog::Watched;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PACKAGES: [&str; 1] = ["moto[server]==5.1.*"];
/// Whoever is named may do everything, however it signs: the server does not check.
const NAMED: &str = "AWS4-HMAC-SHA256 Credential=habitus-tests/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=0";
/// Looks at a starting server, and the time between two.
const LOOKS_MAX: usize = 1200;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(1);

/// A server of buckets that answers.
#[derive(Debug)]
pub(crate) struct Buckets {
    address: SocketAddr,
    pub(crate) version: String,
    _process: Watched,
}

impl Buckets {
    /// Installs it where it is missing, and starts it.
    pub(super) fn start() -> Result<Self, String> {
        let home = install::installed("s3-moto-5.1", fill)?;
        let dir = tempfile::Builder::new().prefix("habitus-s3-").tempdir();
        let dir = dir.map_err(|err| format!("no temporary directory: {err}"))?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|err| err.to_string())?;
        let address = listener.local_addr().map_err(|err| err.to_string())?;
        drop(listener);
        let mut command = Command::new(python(&home));
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let process = Watched::start(&dir.keep(), &mut command)?;
        let version = "moto 5.1".to_owned();
        let server = Self { address, version, _process: process };
        for _ in 0..LOOKS_MAX {
            if server.request("GET", "/").is_ok() {
                return Ok(server);
            }
            if server._process.has_ended() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!("the server at {address} does not answer, and says\n{}", server._process.log()))
    }

    /// What a client's environment says, so that it speaks to this server.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address).as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "habitus-tests"),
            ("AWS_SECRET_ACCESS_KEY", "canary-of-the-secret-key"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Makes an empty bucket.
    #[track_caller]
    pub(crate) fn make(&self, bucket: &str) {
        self.request("PUT", &format!("/{bucket}")).unwrap();
    }

    /// What lies in a bucket, as S3 lists it.
    #[track_caller]
    pub(crate) fn listing(&self, bucket: &str) -> String {
        self.request("GET", &format!("/{bucket}?list-type=2")).unwrap()
    }

    /// Takes an object away.
    #[track_caller]
    pub(crate) fn remove(&self, bucket: &str, key: &str) {
        self.request("DELETE", &format!("/{bucket}/{key}")).unwrap();
    }

    fn request(&self, method: &str, path: &str) -> Result<String, String> {
        let failed = |err: std::io::Error| err.to_string();
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {NAMED}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        )
        .map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') { Ok(answer) } else { Err(answer) }
    }
}

fn python(home: &Path) -> PathBuf {
    home.join("bin/python")
}

/// Makes a Python environment with the server in it.
fn fill(home: &Path) -> Result<(), String> {
    let path = home.to_str().ok_or("the cache folder's name is no text")?;
    install::run(&["python3", "-m", "venv", path])?;
    let python = python(home);
    let python = python.to_str().ok_or("the cache folder's name is no text")?;
    let pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    install::run(&[&pip[..], &PACKAGES].concat())
}
