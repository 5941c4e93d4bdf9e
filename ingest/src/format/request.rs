//! Requests: the request line, the target, percent-decoding, hosts and methods.

use super::field::{Raw, Slot};
use super::record::Record;
use model::{Int, Text};

/// The methods that keep their name; all others are `_OTHER`.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY"];

/// What stands for a method that is not known.
pub(crate) const OTHER: &str = "_OTHER";

/// The known method of that name, in capitals.
#[inline]
pub(crate) fn method(name: &str) -> Option<&'static str> {
    METHODS.iter().copied().find(|it| it.eq_ignore_ascii_case(name))
}

/// Whether a text can be a method at all.
pub(crate) fn is_method(name: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphabetic() || matches!(it, b'-' | b'_');
    (1..=32).contains(&name.len()) && name.bytes().all(is_part)
}

/// The parts of a request line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    /// `HTTP/1.1`
    pub(crate) protocol: Option<&'a str>,
    /// It is not `METHOD target PROTOCOL`.
    pub(crate) is_bad: bool,
}

/// Splits a request line; what cannot be one has neither method nor target.
pub(crate) fn line(text: &str) -> Line<'_> {
    let bad = Line { is_bad: true, ..Line::default() };
    let Some((name, rest)) = text.split_once(' ') else { return bad };
    if name == "-" && rest.starts_with('-') {
        return Line { protocol: rest.strip_prefix("- "), ..Line::default() };
    }
    if !is_method(name) {
        return bad;
    }
    match rest.rsplit_once(' ') {
        // The target may hold spaces that somebody did not escape: the protocol is the last word.
        Some((target, protocol)) if protocol.starts_with("HTTP/") && !target.is_empty() => Line {
            method: Some(name),
            target: Some(target),
            protocol: Some(protocol),
            is_bad: target.contains(' '),
        },
        _ if method(name).is_some() && rest.starts_with(['/', '*']) || rest.contains("://") => {
            Line { method: Some(name), target: Some(rest), protocol: None, is_bad: true }
        }
        _ => bad,
    }
}

/// The parts of a request target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

/// Splits `/path?query` or `scheme://host/path?query`.
#[inline]
pub(crate) fn target(text: &str) -> Target<'_> {
    let (scheme, host, rest) = if text.starts_with('/') { (None, None, text) } else { url(text) };
    // No server is sent a fragment: what stands behind `#` is like a query, and may hold tokens.
    let (path, query) = match memchr::memchr2(b'?', b'#', rest.as_bytes()) {
        Some(at) => (rest.get(..at).unwrap_or(""), rest.get(at + 1..).filter(|it| !it.is_empty())),
        None => (rest, None),
    };
    // A URL without a path means the root.
    Target { scheme, host, path: if path.is_empty() && host.is_some() { "/" } else { path }, query }
}

fn url(text: &str) -> (Option<&str>, Option<&str>, &str) {
    let Some((scheme, rest)) = text.split_once("://") else {
        // `CONNECT user:password@host:443`
        let end = text.find(['/', '?', '#']).unwrap_or(text.len());
        let named = text.get(..end).and_then(|it| it.rsplit_once('@'));
        let user = named.map_or("", |(user, _)| user);
        let behind = if user.contains(':') { text.get(user.len() + 1..) } else { None };
        return (None, None, behind.unwrap_or(text));
    };
    if scheme.is_empty()
        || scheme.len() > 16
        || !scheme.bytes().all(|it| it.is_ascii_alphanumeric())
    {
        return (None, None, text);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // User and password of the URL are dropped here.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (Some(scheme), Some(host).filter(|it| !it.is_empty()), path)
}

/// Appends a path percent-decoded once; `%2F`, `%25`, control characters and what would not be
/// UTF-8 stay escaped. Decoding what was decoded changes nothing.
pub(crate) fn decode(path: &str, out: &mut String) {
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest.as_bytes()) {
        let (plain, escapes) = rest.split_at(at);
        out.push_str(plain);
        let mut bytes = [0_u8; 4];
        let decoded = character(escapes.as_bytes(), &mut bytes);
        let text = bytes.get(..decoded).and_then(|it| std::str::from_utf8(it).ok());
        match text.and_then(|it| it.chars().next()) {
            Some(it) if !it.is_control() && it != '/' && it != '%' => {
                out.push(it);
                rest = escapes.get(decoded * 3..).unwrap_or("");
            }
            _ => {
                out.push('%');
                rest = escapes.get(1..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
}

/// A text with all its escapes taken out: what a log escaped that is no path, such as a user agent.
pub(crate) fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let decoded = escape(rest, 0);
        out.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { rest.get(3..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads the escapes of one character; how many bytes it has, 0 if there is none.
fn character(escapes: &[u8], bytes: &mut [u8; 4]) -> usize {
    let Some(first) = escape(escapes, 0) else { return 0 };
    let length = match first {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return 0,
    };
    for (index, slot) in bytes.iter_mut().enumerate().take(length) {
        let Some(byte) = escape(escapes, index) else { return 0 };
        *slot = byte;
    }
    length
}

fn escape(escapes: &[u8], index: usize) -> Option<u8> {
    match escapes.get(index * 3..index * 3 + 3)? {
        [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some(crate::json::hex(*high) << 4 | crate::json::hex(*low))
        }
        _ => None,
    }
}

/// `HTTP/1.1` or `1.1` as `1.1`; `HTTP/2.0` as `2`. `None` for what is no version.
pub(crate) fn version(protocol: &str) -> Option<&str> {
    let protocol = protocol.trim();
    let version = protocol.get(..5).filter(|it| it.eq_ignore_ascii_case("http/"));
    let version = if version.is_some() { protocol.get(5..)? } else { protocol };
    let version = match version {
        "2.0" => "2",
        "3.0" => "3",
        other => other,
    };
    let is_version = version.len() <= 3 && version.starts_with(|it: char| it.is_ascii_digit());
    is_version.then_some(version)
}

/// Fills method, target and protocol from the request line where the format gave no others.
pub(crate) fn split<'r>(record: &'r Record<'_>) -> (Parts<'r>, bool) {
    let whole = record.text(Slot::Raw(Raw::RequestLine)).map(line);
    let from_line = whole.unwrap_or_default();
    let parts = Parts {
        method: record.text(Slot::Text(Text::HttpRequestMethod)).or(from_line.method),
        target: record.text(Slot::Raw(Raw::Target)).or(from_line.target),
        protocol: record.text(Slot::Raw(Raw::Protocol)).or(from_line.protocol),
    };
    (parts, from_line.is_bad)
}

/// The parts of a request, wherever they came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'r> {
    pub(crate) method: Option<&'r str>,
    pub(crate) target: Option<&'r str>,
    pub(crate) protocol: Option<&'r str>,
}

/// Whether a record says what was asked or what was answered.
pub(crate) fn is_there(record: &mut Record<'_>) -> bool {
    let status = record.int(Slot::Int(Int::HttpResponseStatusCode));
    if status.is_some_and(|it| (100..600).contains(&it) || it == 0) {
        return true;
    }
    let (parts, _) = split(record);
    let path = parts.target.or_else(|| record.text(Slot::Text(Text::UrlPath)));
    let has_tool = record.has(Slot::Text(Text::McpMethodName)) || !record.calls.is_empty();
    let target = path.or_else(|| record.text(Slot::Text(Text::HttpRoute)));
    has_tool
        || (parts.method.is_some_and(is_method)
            && target.is_some_and(|it| it.starts_with(['/', '*']) || it.contains('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let it = line(input);
        let bad = if it.is_bad { " bad" } else { "" };
        let shown = format!(
            "{} {} {}{bad}",
            it.method.unwrap_or("none"),
            it.target.unwrap_or("none"),
            it.protocol.unwrap_or("none")
        );
        assert_eq!(shown, expected, "{input}");
    }

    #[test]
    fn a_request_line_is_split_and_garbage_is_not() {
        check("GET /a?b=c HTTP/1.1", "GET /a?b=c HTTP/1.1");
        check("GET /a b c HTTP/1.1", "GET /a b c HTTP/1.1 bad");
        check("GET /a", "GET /a none bad");
        check("PROPFIND /a HTTP/1.1", "PROPFIND /a HTTP/1.1");
        check("GET http://h/ HTTP/1.0", "GET http://h/ HTTP/1.0");
        check("", "none none none bad");
        check("]&x", "none none none bad");
        check("hello there", "none none none bad");
        check("- - HTTP/1.1", "none none HTTP/1.1");
    }

    #[test]
    fn a_target_is_a_path_or_a_url() {
        let it = target("https://user:pw@h:8443/a/b?c=d?e");
        assert_eq!(
            (it.scheme, it.host, it.path, it.query),
            (Some("https"), Some("h:8443"), "/a/b", Some("c=d?e"))
        );
        assert_eq!(target("/a?").query, None);
        assert_eq!(target("bob:hunter2@h:443").path, "h:443");
        let it = target("/a#access_token=x");
        assert_eq!((it.path, it.query), ("/a", Some("access_token=x")));
        assert_eq!(target("*").path, "*");
        assert_eq!(target("http://h?x=1").path, "/");
    }

    #[test]
    fn a_path_is_decoded_once() {
        let decoded = |path| {
            let mut out = String::new();
            decode(path, &mut out);
            let mut again = String::new();
            decode(&out, &mut again);
            assert_eq!(out, again, "decoding what was decoded changes nothing");
            out
        };
        assert_eq!(decoded("/caf%C3%A9"), "/café");
        assert_eq!(decoded("/a%2Fb%20c%zz%"), "/a%2Fb c%zz%");
        assert_eq!(decoded("/%FF%0a%252e%e2%82"), "/%FF%0a%252e%e2%82");
    }

    #[test]
    fn a_text_loses_all_its_escapes() {
        assert_eq!(unescape("Mozilla%2F5.0%20(caf%C3%A9)%"), "Mozilla/5.0 (café)%");
        assert_eq!(unescape("%ff%2"), "\u{fffd}%2");
    }

    #[test]
    fn a_version_is_short() {
        assert_eq!(version("HTTP/2.0"), Some("2"));
        assert_eq!(version("1.1"), Some("1.1"));
        assert_eq!(version("tls"), None);
    }
}
