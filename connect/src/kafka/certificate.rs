//! Why a broker's certificate is not believed: librdkafka keeps that to itself, so it is looked at again.

use super::settings::Client;
use super::trouble::Kind;
use crate::http::{self, Authorities, causes};
use hyper::Request;
use std::path::Path;
use std::time::Duration;

/// How long a broker may take to show its certificate.
const SHOW_TIMEOUT: Duration = Duration::from_secs(2);
/// Brokers that are looked at.
const BROKERS_MAX: usize = 2;

/// What is wrong with the certificate of a broker that is asked first; `None` where nothing is.
pub(super) fn examine(client: &Client) -> Option<(Kind, String)> {
    let file = client.config.get("ssl.ca.location").map(Path::new);
    let authorities = Authorities { file, setting: "kafka.ssl_ca_file" };
    let http = http::client::<String>(Some(authorities)).ok()?;
    client.servers().split(',').take(BROKERS_MAX).find_map(|server| {
        let request = Request::get(format!("https://{server}/")).body(String::new()).ok()?;
        // The broker does not speak HTTP; what matters comes before that.
        let said = http::apart(SHOW_TIMEOUT, async { http.request(request).await.err() })??;
        let said = causes(&said);
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let (_, why) = said.split_once("invalid peer certificate: ")?;
        let kind = if has(&["expired", "Expired", "NotValidYet", "not valid yet"]) {
            Kind::Expired
        } else if has(&["NotValidForName", "not valid for name"]) {
            Kind::OtherName
        } else {
            Kind::Untrusted
        };
        Some((kind, format!("{server}: {why}")))
    })
}
