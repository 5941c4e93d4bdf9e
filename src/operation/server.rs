//! The HTTP server of metrics, health and the deny feed: a few paths, one answer a connection, and limits on everything.

use super::Operation;
use super::metrics::Metric;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Where the server listens if nothing else is said.
pub(crate) const DEFAULT: &str = "127.0.0.1:9464";
/// Connections at a time; further ones are closed at once.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take from its first byte to the last of the answer.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request's head may take.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long the server waits when the system gives it no connection, such as without descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What Prometheus calls its text.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
const JSON_TYPE: &str = "application/json";

/// Why nobody can be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "run.listen: cannot listen on {address}: {source}; name another address, or leave it empty"
)]
pub(crate) struct ListenError {
    address: String,
    source: std::io::Error,
}

/// Where it is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Served {
    /// Nowhere, as it was wished.
    Off,
    /// Nowhere, since another process has the default address.
    Taken,
    /// Here.
    At(SocketAddr),
}

impl Served {
    /// Says it.
    pub(crate) fn say(self) {
        match self {
            Self::Off => {}
            Self::Taken => super::log::warn(&format!(
                "another process has {DEFAULT}: no metrics and no health of this one; name another address in run.listen"
            )),
            Self::At(address) => {
                super::log::info(&format!("metrics and health are at http://{address}"), &[]);
            }
        }
    }
}

/// Serves at an address until the process ends; says at which, as port 0 is any. An empty address
/// switches the server off.
///
/// # Errors
///
/// The address is none, or is taken. If it is the default one and another process has it, that is
/// not an error, so that two processes may run side by side.
pub(crate) fn serve(
    runtime: &Handle,
    listen: &str,
    operation: &Arc<Operation>,
) -> Result<Served, ListenError> {
    if listen.is_empty() {
        return Ok(Served::Off);
    }
    let bound = runtime.block_on(TcpListener::bind(listen));
    let bound = bound.and_then(|it| it.local_addr().map(|address| (it, address)));
    match bound {
        Ok((listener, address)) => {
            drop(runtime.spawn(accept(listener, Arc::clone(operation))));
            Ok(Served::At(address))
        }
        Err(source) if listen == DEFAULT && source.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(Served::Taken)
        }
        Err(source) => Err(ListenError { address: listen.to_owned(), source }),
    }
}

async fn accept(listener: TcpListener, operation: Arc<Operation>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            operation.metrics.add(Metric::HttpRefused, &[], 1);
            continue;
        };
        let operation = Arc::clone(&operation);
        drop(tokio::spawn(async move {
            // Whoever is slow, or speaks no HTTP, has hung up or is hung up on: nobody is to be told.
            timeout(CONNECTION_TIME_MAX, converse(stream, operation)).await.ok();
            drop(place);
        }));
    }
}

async fn converse(stream: TcpStream, operation: Arc<Operation>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request| {
        let response = answer(&request, &operation);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, operation: &Operation) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path == "/deny" && is_reading(request.method()) && operation.deny.get().is_some() {
        return deny(request.headers(), operation);
    }
    respond(request.method(), path, operation)
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Whom to deny, with a mark of its content, so that it need not be sent again.
fn deny(asked: &HeaderMap, operation: &Operation) -> Response<Full<Bytes>> {
    let Some(list) = operation.deny.get().and_then(|served| served.borrow().clone()) else {
        let mut response = Response::new(Full::from("the store was not read yet\n"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    };
    let mark = asked.get(IF_NONE_MATCH).map_or(&b""[..], HeaderValue::as_bytes);
    let is_known = mark.split(|it| *it == b',').any(|it| {
        let it = it.trim_ascii();
        it.strip_prefix(b"W/").unwrap_or(it) == list.mark.as_bytes() || it == b"*"
    });
    let body = if is_known { Bytes::new() } else { list.body.clone() };
    let mut response = Response::new(Full::new(body));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(mark) = HeaderValue::from_str(&list.mark) {
        headers.insert(ETAG, mark);
    }
    response
}

/// The answer to a request; a body that it may have is not read.
fn respond(method: &Method, path: &str, operation: &Operation) -> Response<Full<Bytes>> {
    let mut known = vec!["/metrics", "/health/live", "/health/ready"];
    known.extend(operation.deny.get().map(|_| "/deny"));
    let (status, kind, text) = if !known.contains(&path) {
        (StatusCode::NOT_FOUND, TEXT_TYPE, format!("there are {}\n", known.join(", ")))
    } else if !is_reading(method) {
        (StatusCode::METHOD_NOT_ALLOWED, TEXT_TYPE, "ask with GET or HEAD\n".to_owned())
    } else if path == "/metrics" {
        super::metrics::at_scrape(operation);
        (StatusCode::OK, METRICS_TYPE, operation.metrics.text())
    } else {
        let (outcome, good) = if path == "/health/live" {
            (operation.health.is_live(), "live\n")
        } else {
            (operation.health.is_ready(), "ready\n")
        };
        match outcome {
            Ok(()) => (StatusCode::OK, TEXT_TYPE, good.to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT_TYPE, format!("{why}\n")),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
