//! Query strings: keys stay, secret and personal values go.

use super::text;
use crate::envelope::split;

/// Names whose values are secret or personal, without regard to case and separators.
const SECRET_NAMES: [&str; 89] = [
    "accesscode",
    "accesskey",
    "accesskeyid",
    "accesstoken",
    "apikey",
    "apitoken",
    "assertion",
    "auth",
    "authcode",
    "authkey",
    "authorization",
    "authtoken",
    "awsaccesskeyid",
    "bearer",
    "card",
    "clientassertion",
    "clientsecret",
    "code",
    "codeverifier",
    "connectsid",
    "cookie",
    "credential",
    "credentials",
    "csrf",
    "cvc",
    "cvv",
    "devicecode",
    "email",
    "encryptionkey",
    "hmac",
    "iban",
    "idtoken",
    "invite",
    "jsessionid",
    "jwt",
    "key",
    "licensekey",
    "login",
    "magic",
    "mcpsessionid",
    "mobile",
    "msisdn",
    "nonce",
    "otp",
    "otpcode",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "phone",
    "phonenumber",
    "phpsessid",
    "pin",
    "privatekey",
    "proxyauthorization",
    "pwd",
    "refreshtoken",
    "relaystate",
    "samlrequest",
    "samlresponse",
    "sas",
    "secret",
    "sessid",
    "session",
    "sessionid",
    "sessionkey",
    "setcookie",
    "sid",
    "sig",
    "signature",
    "ssn",
    "state",
    "subscriptionkey",
    "tel",
    "ticket",
    "token",
    "usercode",
    "username",
    "usersession",
    "verificationcode",
    "xamzcredential",
    "xamzsecuritytoken",
    "xamzsignature",
    "xapikey",
    "xauthkey",
    "xfunctionskey",
    "xgoogsignature",
];
/// Parts of a name that make it one of those, wherever they stand.
const SECRET_PARTS: [&str; 10] = [
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "passw",
    "password",
    "secret",
    "sessionid",
    "signature",
    "token",
];
/// Names whose values are prompts, answers and bodies: nothing of them is kept.
const BODY_NAMES: [&str; 22] = [
    "answer",
    "arguments",
    "body",
    "completion",
    "content",
    "input",
    "llmrequest",
    "llmresponsetext",
    "messages",
    "originaltext",
    "output",
    "params",
    "payload",
    "postdata",
    "prompt",
    "prompts",
    "rawrequest",
    "rawresponse",
    "requestbody",
    "responsebody",
    "sanitizeditems",
    "text",
];
/// Bytes of a name that are looked at.
const NAME_BYTES_MAX: usize = 48;
/// What stands for a secret value.
const REDACTED: &str = "REDACTED";

/// Whether the value under a name is secret: `X-API-Key`, `access_token`, `user[password]`.
pub(super) fn is_secret(name: &str) -> bool {
    let mut folded = [0_u8; NAME_BYTES_MAX];
    let folded = fold(name, &mut folded);
    SECRET_NAMES.binary_search(&folded).is_ok()
        || (folded.len() > 4 && SECRET_PARTS.iter().any(|part| folded.contains(part)))
}

/// Whether the value under a name is a prompt or a body: `request_body`, `messages`.
fn is_body(name: &str) -> bool {
    let mut folded = [0_u8; NAME_BYTES_MAX];
    let name = name.rsplit_once('.').map_or(name, |(_, last)| last);
    BODY_NAMES.binary_search(&fold(name, &mut folded)).is_ok()
}

/// A name in small letters and digits alone.
fn fold<'f>(name: &str, folded: &'f mut [u8; NAME_BYTES_MAX]) -> &'f str {
    let mut length = 0;
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { escaped(&mut bytes) } else { byte };
        if byte.is_ascii_alphanumeric() && length < NAME_BYTES_MAX {
            folded[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    folded.get(..length).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or("")
}

/// Whether what a field of that name says is a credential itself: neither a person's name or address, nor
/// the id of one, by which it may be called.
pub(crate) fn is_credential_name(name: &str) -> bool {
    const OPEN: [&str; 5] = ["code", "email", "login", "phone", "state"];
    let is_of = |end: &str| {
        let start = name.len().checked_sub(end.len());
        start.and_then(|at| name.get(at..)).is_some_and(|it| it.eq_ignore_ascii_case(end))
    };
    let is_session = ["sid", "sessionid", "session_id", "session-id"].into_iter().any(is_of);
    let is_id = is_of("id") && !is_session;
    is_secret(name) && !is_id && !OPEN.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// The byte of an escape whose `%` was taken.
fn escaped(bytes: &mut std::str::Bytes<'_>) -> u8 {
    let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return b'%' };
    crate::json::hex(high) << 4 | crate::json::hex(low)
}

/// Appends a query with secret values replaced; returns whether anything was.
///
/// Without `keep_values` no value stays: only whether it is a number.
pub(crate) fn query(query: &str, keep_values: bool, out: &mut String) -> bool {
    let mut changed = false;
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            out.push('&');
        }
        let mut under = Under::Nothing;
        for part in pair.split_inclusive(SEPARATORS) {
            let bare = part.trim_end_matches(SEPARATORS);
            let mut text_of = bare;
            if let Some((name, value)) = bare.split_once('=') {
                changed |= text(name, out);
                out.push('=');
                under = if is_secret(name) { Under::Secret } else { Under::Name };
                text_of = value;
            }
            changed |= match under {
                _ if text_of.is_empty() => false,
                Under::Nothing => text(text_of, out),
                Under::Name => value(text_of, keep_values, out),
                Under::Secret => {
                    out.push_str(REDACTED);
                    text_of != REDACTED
                }
            };
            out.push_str(part.get(bare.len()..).unwrap_or(""));
        }
    }
    changed
}

/// What stands between the parts of a pair: some servers take `;` for `&`, and a fragment follows `#`.
const SEPARATORS: [char; 2] = [';', '#'];

/// What a part of a pair stands behind.
#[derive(Clone, Copy)]
enum Under {
    Nothing,
    /// A name, whose value may hold separators.
    Name,
    /// A secret one.
    Secret,
}

/// Appends a value that stands under no secret name.
fn value(value: &str, keep_values: bool, out: &mut String) -> bool {
    if !keep_values {
        let is_number = value == "{int}" || value.bytes().all(|it| it.is_ascii_digit());
        out.push_str(if is_number { "{int}" } else { "{text}" });
        return false;
    }
    if holds_secret(value) {
        out.push_str(REDACTED);
        return true;
    }
    text(value, out)
}

/// Whether a value is itself a query, an object or a URL that holds something secret.
fn holds_secret(value: &str) -> bool {
    if !value.bytes().any(|it| matches!(it, b'%' | b'=' | b'"')) {
        return false;
    }
    let decoded = decoded(value);
    let mut clean = String::new();
    if decoded.contains(['=', '"']) {
        named_values(&decoded, &mut clean);
        if clean != decoded {
            return true;
        }
    }
    decoded.contains([':', '=']) && decoded != value && !super::is_clean(&decoded)
}

/// A value percent-decoded once.
fn decoded(value: &str) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' { escaped(&mut bytes) } else { byte });
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends any text with what follows a secret name (`name=…`, `"name": "…"`) replaced.
pub(super) fn named_values(record: &str, out: &mut String) {
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    let mut rest = record;
    while let Some(start) = rest.find(is_name) {
        let (before, from_name) = rest.split_at(start);
        let end = from_name.find(|it| !is_name(it)).unwrap_or(from_name.len());
        let (name, after) = from_name.split_at(end);
        out.push_str(before);
        out.push_str(name);
        rest = after;
        let value = after.trim_start_matches(['"', '\'', '\\', ' ']);
        let is_bearer = ["bearer", "basic"].iter().any(|it| name.eq_ignore_ascii_case(it));
        let value = match value.strip_prefix(['=', ':']) {
            Some(value) if is_body(name) => {
                out.push_str("=REDACTED");
                // Of JSON inside a text, and of what was cut, nothing tells the end.
                let end = split::after_value(value.trim_ascii_start());
                rest = end.filter(|_| !after.starts_with('\\')).unwrap_or("");
                continue;
            }
            Some(value) if is_secret(name) => value,
            None if is_bearer => value,
            _ => continue,
        };
        let value = value.trim_start_matches(['"', '\'', '\\', ' ']);
        out.push_str("=REDACTED");
        // `Authorization: Bearer x` is two words, and cookies are as many as there are.
        let is_list = ["cookie", "cookies"].into_iter().any(|it| {
            let end = name.len().checked_sub(it.len()).and_then(|at| name.get(at..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(it))
        });
        let stop = |it: char| matches!(it, '"' | '&' | '}') || !is_list && matches!(it, ',' | ';');
        rest = value.find(stop).and_then(|at| value.get(at..)).unwrap_or("");
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let mut out = String::new();
        query(input, true, &mut out);
        assert_eq!(out, expected, "{input}");
    }

    #[test]
    fn the_lists_can_be_searched() {
        assert!(SECRET_NAMES.is_sorted() && BODY_NAMES.is_sorted());
    }

    #[test]
    fn a_name_of_a_credential_is_none_of_a_person_or_an_id() {
        for name in ["X-Api-Key", "api_key", "authorization", "Mcp-Session-Id", "sid", "token"] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in ["email", "login", "api_key_id", "credentialId", "user", "sub", "who"] {
            assert!(!is_credential_name(name), "{name}");
        }
    }

    #[test]
    fn keys_stay_and_secret_values_go() {
        check("ids=1&ids=2&verbose&token=eyJhbGciOi.J.x", "ids=1&ids=2&verbose&token=REDACTED");
        check(
            "Access_Token=a&X-Amz-Signature=b&page=2",
            "Access_Token=REDACTED&X-Amz-Signature=REDACTED&page=2",
        );
        check(
            "user[password]=x&to%6ben=y&api%5Fkey=z",
            "user[password]=REDACTED&to%6ben=REDACTED&api%5Fkey=REDACTED",
        );
        check("q=jane%40example.com&next=%2Fx", "q={email}&next=%2Fx");
        check("token=&a=", "token=&a=");
        check("", "");
        check("eyJhbGciOi.J.x", "{jwt}");
    }

    #[test]
    fn secrets_behind_other_separators_and_in_values_go() {
        check("a=1;sid=x;b=2", "a=1;sid=REDACTED;b=2");
        check("a=1#access_token=x&state=y", "a=1#access_token=REDACTED&state=REDACTED");
        check("token=a;b#c", "token=REDACTED;REDACTED#REDACTED");
        check("next=%2Fcb%3Faccess_token%3Dabc", "next=REDACTED");
        check("next=/cb?access_token=abc&a=1", "next=REDACTED&a=1");
        check("q=%7B%22password%22%3A%22x%22%7D", "q=REDACTED");
        check("u=https%3A%2F%2Fbob%3Ahunter2%40h.example%2F", "u=REDACTED");
        check("from=10%3A30&sort=state:asc&x=a%3Db", "from=10%3A30&sort=state:asc&x=a%3Db");
        for name in ["PHPSESSID", "ASPSESSIONIDQQAABB", "connect.sid", "pass", "SAMLRequest"] {
            check(&format!("{name}=x"), &format!("{name}=REDACTED"));
        }
        let mut out = String::new();
        query("q=shoes;red&page=2", false, &mut out);
        assert_eq!(out, "q={text};{text}&page={int}");
    }

    #[test]
    fn what_was_redacted_stays_as_it_is() {
        check("token=REDACTED&q={email}", "token=REDACTED&q={email}");
    }

    #[test]
    fn without_values_only_their_shape_stays() {
        let mut out = String::new();
        query("page=2&q=shoes&token=x", false, &mut out);
        assert_eq!(out, "page={int}&q={text}&token=REDACTED");
    }

    #[test]
    fn secret_names_are_found_in_any_notation() {
        let mut out = String::new();
        named_values(
            r#"{"apikey":"c4n4ry","a":1} Authorization: Bearer c4n4ry, x password=c4n4ry"#,
            &mut out,
        );
        assert!(!out.contains("c4n4ry"), "{out}");
        assert!(out.contains(r#""a":1"#), "{out}");
        out.clear();
        named_values("Cookie: a=c4n4ry; b=c4n4ry, c=c4n4ry X-Auth-Key=c4n4ry&n=1", &mut out);
        assert!(!out.contains("c4n4ry") && out.ends_with("&n=1"), "{out}");
        out.clear();
        named_values("cookies=a=c4n4ry; b=c4n4ry&http_authorization=c4n4ry&n=1", &mut out);
        assert!(!out.contains("c4n4ry") && out.ends_with("&n=1"), "{out}");
    }

    #[test]
    fn of_prompts_and_bodies_nothing_stays() {
        for record in [
            r#"{"a":1,"messages":[{"role":"user","content":"c4n4ry } ] \" c4n4ry"}],"b":2}"#,
            r#"{"a":1,"request":{"body":"c4n4ry","raw_request":"c4n4ry"},"b":2}"#,
            r#"{"a":1,"ai.proxy.payload":{"request":"c4n4ry"},"b":2}"#,
            r#"{"a":1,"b":2,"params":{"name":"t","arguments":{"x":"c4n4ry"}}}"#,
            r#"{"a":1,"b":2,"message":"{\"prompt\":\"c4n4ry\",\"c\":\"c4n4ry\"}"}"#,
            r#"{"a":1,"b":2,"response_body":"c4n4ry c4n4ry, c4n4ry"#,
        ] {
            let mut out = String::new();
            named_values(record, &mut out);
            assert!(!out.contains("c4n4ry"), "{out}");
            assert!(out.contains(r#""a":1"#) && out.contains(r#""b":2"#), "{out}");
        }
    }
}
