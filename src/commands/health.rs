//! `habitus health`: asks a running service whether it is well, for health checks of containers.

use super::{Ended, Failure, Setting};
use crate::cli::Health;
use crate::render::plain;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// How long the service may take to answer, all in all.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer; what comes after them is not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Characters of an answer's text that are repeated.
const SAID_CHARS_MAX: usize = 200;

/// Succeeds if the service answers that it is well.
pub(crate) fn run(setting: &Setting, args: &Health) -> Result<Ended, Failure> {
    let path = if args.ready { "/health/ready" } else { "/health/live" };
    let listen = &setting.config.run.listen;
    let address = address(listen)?;
    let answer = ask(setting, address, path).map_err(|error| {
        format!(
            "nobody answers at http://{address}{path} within {} s: {error}; start `habitus run`, or \
             set run.listen to where it listens",
            PATIENCE.as_secs()
        )
    })?;
    let (status, said) = read(&answer).ok_or_else(|| {
        format!("what answers at http://{address}{path} speaks no HTTP: set run.listen right")
    })?;
    let said: String = plain(said.trim()).chars().take(SAID_CHARS_MAX).collect();
    if status == 200 {
        let state = if args.ready { "ready" } else { "live" };
        writeln!(std::io::stdout().lock(), "{state}")?;
        Ok(Ended::Done)
    } else {
        Err(format!("http://{address}{path} answers {status}: {said}").into())
    }
}

/// Where the service can be asked: what listens everywhere is asked on this machine.
fn address(listen: &str) -> Result<SocketAddr, Failure> {
    if listen.is_empty() {
        return Err("run.listen is empty, so that the service cannot be asked: set it".into());
    }
    let wrong = |why: &str| format!("run.listen is `{listen}`: {why}");
    let found = listen.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
    let mut found: Vec<_> = found.collect();
    // An IPv6 address of a name may be one that nobody listens on.
    found.sort_by_key(SocketAddr::is_ipv6);
    let mut address = *found.first().ok_or_else(|| wrong("it has no address"))?;
    if address.port() == 0 {
        return Err(wrong("a port that is chosen at the start cannot be asked: name one").into());
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

/// Asks, and reads the answer until it ends or is long enough.
fn ask(setting: &Setting, address: SocketAddr, path: &str) -> std::io::Result<Vec<u8>> {
    let deadline = setting.now() + PATIENCE;
    let left = |now: Instant| {
        let left = deadline.saturating_duration_since(now);
        if left.is_zero() { Err(std::io::Error::from(ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(left(setting.now())?))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1_024]);
    while answer.len() < ANSWER_BYTES_MAX {
        stream.set_read_timeout(Some(left(setting.now())?))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// The status and the text of an answer; `None` if it is no HTTP.
fn read(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next().filter(|status| status.len() == 3)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, expected: &str) {
        let found = address(listen).map_or_else(|error| error.to_string(), |it| it.to_string());
        assert!(found.contains(expected), "{listen}: {found}");
    }

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        check("127.0.0.1:9464", "127.0.0.1:9464");
        check("0.0.0.0:9464", "127.0.0.1:9464");
        check("[::]:9464", "[::1]:9464");
        check("", "run.listen is empty");
        check("127.0.0.1:0", "name one");
        check("9464", "run.listen is `9464`");
    }

    #[test]
    fn an_answer_is_its_status_and_its_text() {
        let whole = b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nthe store\n";
        assert_eq!(read(whole), Some((503, "the store\n".to_owned())));
        for broken in
            [&b""[..], b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"]
        {
            assert_eq!(read(broken), None);
        }
    }
}
