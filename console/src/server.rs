//! The server: which page is where, and limits on connections, on what is asked and on how long it takes.

use crate::ask::{AskError, Asker};
use crate::guard::{self, Guard, TOKEN_CHARS_MIN};
use crate::page::Problem;
use crate::{
    Commands, coverage, finding, findings, identities, identity, incidents, login, sql, verdict,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::Reader;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time; further ones are closed at once.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take from its first byte to the last of the answer.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(90);
/// How long a request's head may take.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request's head: room for the longest SQL, three characters for a byte of it.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long a form may take.
const FORM_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a form.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// How long the server waits when the system gives it no connection, such as without descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the first page is waited for before anybody is served.
const FIRST_TIME_MAX: Duration = Duration::from_secs(10);
/// How often the server looks whether the store has changed, to read the first page again.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/console.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// What a console needs to know.
pub struct Settings {
    /// Where to listen, such as `127.0.0.1:8484`; port 0 is any.
    pub listen: String,
    /// What others have to type first; needed where they can reach it.
    pub token: Option<String>,
    /// 32 random bytes, new at every start.
    pub secret: [u8; 32],
    /// The store.
    pub reader: Reader,
    /// What is done as commands do it.
    pub commands: Arc<dyn Commands>,
}

/// Neither the token nor the secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Why nobody can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is none, or is not to be had.
    #[error("cannot listen on {listen} ({source}): name another address with --listen")]
    Listen {
        /// What was typed.
        listen: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others could reach it.
    #[error(
        "{listen} can be reached by others, and findings are not for everybody: give --token-file, \
         or listen on 127.0.0.1"
    )]
    Open {
        /// What was typed.
        listen: String,
    },
    /// The token can be guessed.
    #[error(
        "the token has {chars} characters, and at least {TOKEN_CHARS_MIN}: write a longer one, such as `openssl rand -hex 32` makes"
    )]
    Token {
        /// Its characters.
        chars: usize,
    },
    /// The store does not answer.
    #[error("{0}")]
    Store(String),
}

/// What all pages share.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) asker: Asker,
    pub(crate) commands: Arc<dyn Commands>,
    pub(crate) guard: Guard,
}

pub(crate) type Shared = Arc<Console>;

/// A console that has its address, and serves nobody yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    console: Shared,
}

/// Takes the address, and reads the first page, so that whoever opens it need not wait.
///
/// # Errors
///
/// The address can be reached by others and there is no token, it is taken, or the store does not
/// answer.
pub async fn bind(settings: Settings) -> Result<Bound, ServeError> {
    let listen = settings.listen;
    let failed = |source| ServeError::Listen { listen: listen.clone(), source };
    let addresses: Vec<_> = lookup_host(&listen).await.map_err(failed)?.collect();
    match settings.token.as_ref().map(|it| it.chars().count()) {
        None if addresses.iter().any(|it| !it.ip().is_loopback()) => {
            return Err(ServeError::Open { listen });
        }
        Some(chars) if chars < TOKEN_CHARS_MIN => return Err(ServeError::Token { chars }),
        _ => {}
    }
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let guard = Guard::new(&settings.secret, settings.token.as_deref(), address);
    let commands = settings.commands;
    let asker = Asker::new(settings.reader, Arc::clone(&commands));
    let console = Arc::new(Console { asker, commands, guard });
    // Of a large store it takes longer: whoever opens the page first waits for it then.
    let first = timeout(FIRST_TIME_MAX, findings::read_first(&console)).await;
    if let Ok(Err(AskError::Store(error))) = first {
        return Err(ServeError::Store(error.to_string()));
    }
    Ok(Bound { listener, address, console })
}

impl Bound {
    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What others type instead of an address that stands for all of the machine's, and is no place to
    /// go to; nothing where the address is one.
    pub fn elsewhere(&self) -> Option<String> {
        elsewhere(self.address)
    }

    /// Whether a token has to be typed.
    pub fn wants_token(&self) -> bool {
        self.console.guard.wants_token()
    }

    /// Serves until `stop` is there.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) {
        let looks = tokio::spawn(look(Arc::clone(&self.console)));
        tokio::select! {
            () = stop => {}
            () = accept(&self.listener, routes(self.console)) => {}
        }
        looks.abort();
    }
}

/// See [`Bound::elsewhere`].
fn elsewhere(address: SocketAddr) -> Option<String> {
    let (ip, port) = (address.ip(), address.port());
    ip.is_unspecified().then(|| {
        format!(
            "{ip} stands for every address of this machine: others open http://NAME:{port} with its name \
             or one of its addresses"
        )
    })
}

/// Reads the first page again whenever the store has changed.
async fn look(console: Shared) {
    loop {
        sleep(LOOK_EVERY).await;
        if console.asker.is_behind() {
            // What is wrong with the store is said to whoever opens a page.
            findings::read_first(&console).await.ok();
        }
    }
}

async fn accept(listener: &TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let routes = routes.clone();
        drop(tokio::spawn(async move {
            // Whoever is slow, or speaks no HTTP, has hung up or is hung up on: nobody is to be told.
            timeout(CONNECTION_TIME_MAX, converse(stream, routes)).await.ok();
            drop(place);
        }));
    }
}

async fn converse(stream: TcpStream, routes: Router) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .await
}

fn routes(console: Shared) -> Router {
    let guarded = from_fn_with_state(Arc::clone(&console), guard::guarded);
    Router::new()
        .route("/", get(findings::page))
        .route("/findings/{id}", get(finding::page))
        .route("/findings/{id}/verdict", post(verdict::give))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{id}", get(incidents::one))
        .route("/identities", get(identities::page))
        .route("/identity", get(identity::page))
        .route("/coverage", get(coverage::page))
        .route("/sql", get(sql::page))
        .route("/login", get(login::page).post(login::open))
        .route("/logout", post(login::close))
        .route("/health", get(|| async { "ok\n" }))
        .route("/static/style.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route(
            "/static/console.js",
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/static/icon.svg", get(|| async { file("image/svg+xml", ICON) }))
        .fallback(|| async { missing() })
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(received))
        .layer(guarded)
        .with_state(console)
}

/// Reads a form before its page is asked for: whoever is slow holds a place that others wait for.
async fn received(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let wrong = |status, text: &str| Problem::new(status, "Not received", text).into_response();
    match timeout(FORM_TIME_MAX, to_bytes(body, FORM_BYTES_MAX)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => {
            let text = format!("A form has at most {FORM_BYTES_MAX} bytes.");
            wrong(StatusCode::PAYLOAD_TOO_LARGE, &text)
        }
        Err(_) => {
            wrong(StatusCode::REQUEST_TIMEOUT, "The form did not come in time: send it again.")
        }
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "No such page", "There is no page at this address.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_no_place_to_go_to_is_explained() {
        for (address, is_explained) in [
            ("0.0.0.0:8498", true),
            ("[::]:8498", true),
            ("127.0.0.1:8498", false),
            ("192.0.2.7:8498", false),
        ] {
            let said = elsewhere(address.parse().unwrap());
            assert_eq!(said.is_some(), is_explained, "{address}: {said:?}");
            assert!(said.is_none_or(|it| it.contains("http://NAME:8498")), "{address}");
        }
    }
}
