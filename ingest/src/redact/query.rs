//! Query strings: keys stay, secret and personal values go.

use super::text;

/// Names whose values are secret or personal, without regard to case and separators.
const SECRET_NAMES: [&str; 86] = [
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
    "xfunctionskey",
    "xgoogsignature",
];
/// Parts of a name that make it one of those, wherever they stand.
const SECRET_PARTS: [&str; 8] =
    ["apikey", "credential", "passw", "password", "secret", "sessionid", "signature", "token"];
/// Bytes of a name that are looked at.
const NAME_BYTES_MAX: usize = 48;
/// What stands for a secret value.
const REDACTED: &str = "REDACTED";

/// Whether the value under a name is secret: `X-API-Key`, `access_token`, `user[password]`.
pub(super) fn is_secret(name: &str) -> bool {
    // Most names are short words that are on no list: a look at their first bytes is enough.
    let mut folded = [0_u8; NAME_BYTES_MAX];
    let mut length = 0;
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { escaped(&mut bytes) } else { byte };
        if byte.is_ascii_alphanumeric() && length < NAME_BYTES_MAX {
            folded[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    let Some(Ok(folded)) = folded.get(..length).map(std::str::from_utf8) else { return false };
    SECRET_NAMES.binary_search(&folded).is_ok()
        || (length > 4 && SECRET_PARTS.iter().any(|part| folded.contains(part)))
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
            Some(value) if is_secret(name) => value,
            None if is_bearer => value,
            _ => continue,
        };
        let value = value.trim_start_matches(['"', '\'', '\\', ' ']);
        out.push_str("=REDACTED");
        // `Authorization: Bearer x` is two words.
        let stop = |it: char| matches!(it, '"' | '&' | ',' | ';' | '}');
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
        assert!(SECRET_NAMES.is_sorted());
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
    }
}
