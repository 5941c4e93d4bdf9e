//! What a listener does with an unencrypted client: the Kafka client does not say why it was hung up on.

use super::settings::Client;
use super::trouble::Kind;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a broker may take to accept a connection, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a read is begun again after a signal.
const INTERRUPTIONS_MAX: usize = 10;
/// Asks which versions of the protocol there are: what every listener answers before it wants to
/// know who asks. Length, key 18, version 0, a number of ours, and no name of a client.
const VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255];
/// The first byte of an alert of TLS, and of its handshake.
const TLS: [u8; 2] = [0x15, 0x16];

/// What is wrong with the first broker; `None` where nothing more is known.
pub(super) fn examine(client: &Client) -> Option<(Kind, String)> {
    let protocol = client.config.get("security.protocol")?;
    let server = client.servers().split(',').next()?;
    if protocol.ends_with("ssl") {
        return None;
    }
    // One name may have several addresses, not all of which are listened on.
    let mut addresses = server.to_socket_addrs().ok()?;
    let connected = addresses.find_map(|it| TcpStream::connect_timeout(&it, CONNECT_TIMEOUT).ok());
    let mut stream = connected?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    stream.write_all(&VERSIONS).ok()?;
    let mut answer = [0; 8];
    match read(&mut stream, &mut answer) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Some((Kind::Away, format!("{server} takes connections and does not answer")))
        }
        Ok(1..) if TLS.contains(answer.first()?) => {
            Some((Kind::WantsTls, format!("{server} answers with TLS")))
        }
        Ok(0) | Err(_) => Some((Kind::WantsTls, format!("{server} hangs up without an answer"))),
        // It speaks Kafka, and hung up on whoever did not say who they are.
        Ok(8..) if answer.get(4..8)? == VERSIONS.get(8..12)? => {
            let said = format!("{server} speaks Kafka, but not with us");
            (protocol == "plaintext").then_some((Kind::WantsTls, said))
        }
        Ok(_) => Some((Kind::NotKafka, format!("{server} answers something else"))),
    }
}

/// One read that is not ended by a signal: a process that was stopped and goes on is told
/// `Interrupted` by a socket with a time limit (signal(7)), which says nothing of the listener.
fn read(stream: &mut TcpStream, answer: &mut [u8]) -> std::io::Result<usize> {
    for _ in 0..INTERRUPTIONS_MAX {
        match stream.read(answer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
    Err(ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Settings;
    use std::net::TcpListener;

    /// What is made of a listener that answers with these bytes, and then hangs up if it shall.
    fn check(answer: &'static [u8], hangs_up: bool, expected: Kind) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let held = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; VERSIONS.len()];
            stream.read_exact(&mut asked).unwrap();
            assert_eq!(asked, VERSIONS);
            stream.write_all(answer).unwrap();
            if hangs_up { None } else { Some(stream) }
        });
        let settings = Settings { bootstrap_servers: vec![server.clone()], ..Settings::default() };
        let (kind, said) = examine(&settings.client().unwrap()).unwrap();
        assert!(said.starts_with(&server), "{said}");
        assert_eq!(kind, expected);
        drop(held.join().unwrap());
    }

    #[test]
    fn a_listener_is_known_by_what_it_does() {
        check(&[0x15, 3, 3, 0, 2, 2, 80, 0], true, Kind::WantsTls);
        check(b"", true, Kind::WantsTls);
        check(b"", false, Kind::Away);
        check(&[0, 0, 1, 0, 0, 0, 0, 1], false, Kind::WantsTls);
        check(b"SSH-2.0-OpenSSH", false, Kind::NotKafka);
    }
}
