//! An identity provider's token endpoint, asked with the client credentials grant (RFC 6749, 4.4).

use super::oauth::{Oauth, TokenError};
use crate::Secret;
use crate::http::{self, Http, causes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use std::time::Duration;

/// How long the endpoint may take for all of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// Bytes of its answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters that are shown of what it says is wrong.
const REASON_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<f64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// A token, and how long the endpoint says it lasts.
pub(super) fn ask(oauth: &Oauth) -> Result<(Secret, Option<Duration>), TokenError> {
    let secret = oauth.client_secret.read("kafka.oauth.client_secret")?;
    let is_secure = oauth.token_url.starts_with("https://");
    let http = http::client(is_secure.then(|| oauth.authorities()))?;
    let failed = |why: String| TokenError::Endpoint { url: oauth.token_url.clone(), why };
    let asked = http::apart(ANSWER_TIMEOUT, exchange(&http, oauth, &secret));
    let asked = asked
        .unwrap_or_else(|| Err(format!("did not answer within {} s", ANSWER_TIMEOUT.as_secs())));
    let (status, body) = asked.map_err(failed)?;
    read(status, &body).map_err(failed)
}

async fn exchange(
    http: &Http<String>,
    oauth: &Oauth,
    secret: &Secret,
) -> Result<(StatusCode, Vec<u8>), String> {
    let mut form = "grant_type=client_credentials".to_owned();
    if !oauth.scope.is_empty() {
        form = format!("{form}&scope={}", encoded(&oauth.scope));
    }
    let pair = format!("{}:{}", encoded(&oauth.client_id), encoded(secret.expose()));
    let request = Request::builder()
        .method(Method::POST)
        .uri(&oauth.token_url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .body(form)
        .map_err(|error| format!("is no address: {error}"))?;
    let answer = http.request(request).await;
    let answer = answer.map_err(|error| format!("does not answer: {}", causes(&error)))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| format!("broke off its answer: {error}"))?;
    Ok((status, body.to_bytes().to_vec()))
}

fn read(status: StatusCode, body: &[u8]) -> Result<(Secret, Option<Duration>), String> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let Some(answer) = answer else {
        return Err(format!("answers {status} and no JSON: is it the token endpoint?"));
    };
    if let Some(token) = answer.access_token.filter(|it| status.is_success() && !it.is_empty()) {
        let lifetime = answer.expires_in.map(|s| Duration::from_secs_f64(s.clamp(0.0, 1e9)));
        return Ok((Secret::new(token), lifetime));
    }
    let said: Vec<_> = [answer.error, answer.error_description].into_iter().flatten().collect();
    let said: String = said.join(": ").chars().take(REASON_CHARS_MAX).collect();
    Err(format!(
        "gives no token ({status}, {said}): check kafka.oauth.client_id, client_secret and scope"
    ))
}

/// A text as it stands in a form.
fn encoded(text: &str) -> String {
    let one = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretSource;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Asks an endpoint that gives this answer; what it was asked, and what came of it.
    fn check(answer: &'static str) -> (String, Result<(Secret, Option<Duration>), TokenError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut piece = [0; 4096];
            while !String::from_utf8_lossy(&asked).contains("grant_type") {
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0);
                asked.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        let command = vec!["printf".to_owned(), "ti:ger".to_owned()];
        let oauth = Oauth {
            token_url: format!("http://127.0.0.1:{port}/token"),
            client_id: "me".to_owned(),
            client_secret: SecretSource { file: None, command },
            scope: "a b".to_owned(),
            ..Oauth::default()
        };
        let given = ask(&oauth);
        (served.join().unwrap(), given)
    }

    fn refused(answer: &'static str, words: &str) {
        let error = check(answer).1.unwrap_err().to_string();
        assert!(error.starts_with("kafka.oauth.token_url: http://127.0.0.1:"), "{error}");
        assert!(error.contains(words) && !error.contains("ti:ger"), "{error}");
    }

    #[test]
    fn a_client_shows_its_secret_and_is_given_a_token() {
        let (asked, given) = check(
            "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"access_token\":\"opaque\",\"expires_in\":3600}\n",
        );
        let (token, lifetime) = given.unwrap();
        assert_eq!((token.expose(), lifetime), ("opaque", Some(Duration::from_hours(1))));
        assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
        assert!(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=a%20b"), "{asked}");
        let basic = BASE64_STANDARD.encode("me:ti%3Ager");
        assert!(
            asked.to_lowercase().contains(&format!("authorization: basic {basic}").to_lowercase())
        );
    }

    #[test]
    fn what_the_endpoint_refuses_is_said() {
        refused(
            "HTTP/1.1 401 No\r\nContent-Length: 26\r\n\r\n{\"error\":\"invalid_client\"}",
            "gives no token (401 Unauthorized, invalid_client)",
        );
        refused("HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\n<html>", "is it the token endpoint?");
        refused("SSH-2.0-OpenSSH_9\r\n", "does not answer");
        refused("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "broke off its answer");
    }
}
