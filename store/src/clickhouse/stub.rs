//! A server of a few lines that answers as it is told: for tests of what happens between two tries.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// What the server does with a request, after it read all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Status, the error code of a header, and the body.
    Says(u16, Option<u32>, &'static str),
    /// Closes the connection: nobody knows what became of the request.
    Hangs,
    /// Takes longer than any client of these tests waits.
    Sleeps,
}

/// A request: what follows the host in its address, and its body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A parameter of the address, as it is written there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.split_once('=').filter(|it| it.0 == name))?.1.into()
    }
}

/// Serves the replies in turn, one request each; yields the port and what was asked.
pub(crate) fn serve(replies: &[Reply]) -> (u16, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, receive) = sync_channel(64);
    let replies = replies.to_vec();
    thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            if send.send(read(&stream)).is_err() {
                return;
            }
            answer(&mut stream, reply);
        }
    });
    (port, receive)
}

fn answer(stream: &mut TcpStream, reply: Reply) {
    match reply {
        Reply::Hangs => {}
        Reply::Sleeps => thread::sleep(Duration::from_secs(3)),
        Reply::Says(status, code, body) => {
            let code = code.map(|code| format!("X-ClickHouse-Exception-Code: {code}\r\n"));
            let head = format!(
                "HTTP/1.1 {status} x\r\n{}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
                code.unwrap_or_default(),
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
        }
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let line = |reader: &mut BufReader<&TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let target = line(&mut reader).split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    loop {
        let header = line(&mut reader).to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut body = Vec::new();
    let mut take = |reader: &mut BufReader<&TcpStream>, length: u64| {
        reader.take(length).read_to_end(&mut body).unwrap();
    };
    if let Some(length) = length {
        take(&mut reader, length);
    } else {
        loop {
            let size = u64::from_str_radix(&line(&mut reader), 16).unwrap_or_default();
            take(&mut reader, size);
            line(&mut reader);
            if size == 0 {
                break;
            }
        }
    }
    Request { target, body }
}
