//! The paths that an operation stands for, as a regular expression that RE2 and its kin read alike.
//!
//! It is anchored at both ends and meant for a path as it is on the wire, without its query: what
//! no client needs to escape stands for itself, anything else may be escaped.

use model::EndpointSource;

/// The methods that a policy can name.
const METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
/// What the parser puts in the place of values.
const PLACEHOLDERS: [&str; 19] = [
    "{uuid}",
    "{int}",
    "{date}",
    "{ulid}",
    "{hex}",
    "{jwt}",
    "{email}",
    "{ip}",
    "{phone}",
    "{num}",
    "{list}",
    "{id}",
    "{token}",
    "{slug}",
    "{invalid}",
    "{var}",
    "{key}",
    "{card}",
    "{userinfo}",
];
/// What it puts in the place of segments beyond its limit.
const MORE: &str = "/{more}";
/// Any one segment, or what is left of one.
const SEGMENT: &str = "[^/]+";
/// What a server may take for another path than the one that was allowed: empty segments, and `.` and
/// `..` in any way of writing them.
const ODD: &str = concat!(
    r"/[/;]|",
    r"(?:[/\\]|%2[Ff]|%5[Cc])(?:\.|%2[Ee]){1,2}(?:[/\\;]|%2[Ff]|%5[Cc]|%3[Bb]|$)",
);
/// The same, and whatever may separate segments beside the slash.
const ODD_OR_ESCAPED: &str =
    concat!(r"/[/;]|\\|%2[Ff]|%5[Cc]|", r"/(?:\.|%2[Ee]){1,2}(?:[/;]|%3[Bb]|$)",);

/// The method of an operation and the paths that it stands for; `None` if it is not a method and a path.
pub(super) fn of(operation: &str, source: EndpointSource) -> Option<(&str, String)> {
    let (method, path) = operation.split_once(' ')?;
    if !METHODS.contains(&method) || !path.starts_with('/') {
        return None;
    }
    let mut pattern = String::from("^");
    let is_open = match source {
        EndpointSource::Route | EndpointSource::Operation => route(path, &mut pattern),
        EndpointSource::Lexical | EndpointSource::Learned => template(path, &mut pattern),
        EndpointSource::Rpc | EndpointSource::Unrouted | EndpointSource::Overflow => return None,
    };
    // A slash at the end is no other operation.
    pattern.push_str(if is_open || path == "/" { "$" } else { "/?$" });
    Some((method, pattern))
}

/// What is refused although it fits the expression of a path: another one, which is looked for anywhere
/// in the path. `None` where the path has no room for it.
pub(super) fn except(pattern: &str) -> Option<&'static str> {
    // What stands for itself is written otherwise than these: dots, brackets and stars are escaped.
    if ![SEGMENT, ".*", "/.+"].iter().any(|it| pattern.contains(it)) {
        return None;
    }
    let pattern = pattern.to_ascii_lowercase();
    let is_escaped = ["%2f", "%5c", "%5[cc]"].iter().any(|it| pattern.contains(it));
    Some(if is_escaped { ODD } else { ODD_OR_ESCAPED })
}

/// Whether it is the gateway's route and has no tail: a gateway may take that for a prefix.
pub(super) fn may_be_prefix(operation: &str, source: EndpointSource) -> bool {
    source == EndpointSource::Route
        && of(operation, source).is_some_and(|(_, pattern)| !pattern.ends_with(".*$"))
}

/// A template of the parser's own: whatever is no placeholder of it stands for itself, since whoever
/// calls writes the paths. Whether any end fits.
fn template(path: &str, out: &mut String) -> bool {
    let (path, is_open) = match path.strip_suffix(MORE) {
        Some(path) => (path, true),
        None => (path, false),
    };
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        if let Some(found) = PLACEHOLDERS.iter().find(|it| rest.starts_with(**it)) {
            out.push_str(SEGMENT);
            rest = rest.get(found.len()..).unwrap_or_default();
        } else {
            literal(c, out);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    if is_open {
        out.push_str("/.+");
    }
    is_open
}

/// A route as a gateway writes it: `{x}`, `:x` and `<x>` are a segment, `*`, `{x+}`, `{x...}` all the
/// rest. Whether any end fits.
fn route(path: &str, out: &mut String) -> bool {
    let mut rest = path;
    let mut is_start = false;
    while let Some(c) = rest.chars().next() {
        let parameter = match c {
            '{' => closing(rest),
            '<' if is_start => rest.find('>').map(|at| at + 1),
            ':' | '*' if is_start => Some(rest.find('/').unwrap_or(rest.len())),
            _ => None,
        };
        let Some(len) = parameter else {
            literal(c, out);
            is_start = c == '/';
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (given, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
        let is_tail = c == '*' || ["+}", "...}", "*}"].iter().any(|end| given.ends_with(end));
        if is_tail && behind.is_empty() {
            out.push_str(".*");
            return true;
        }
        out.push_str(if is_tail { ".*" } else { SEGMENT });
        is_start = false;
        rest = behind;
    }
    false
}

/// The bytes up to the brace that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + 1),
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// One character that stands for itself.
fn literal(c: char, out: &mut String) {
    match c {
        // A template keeps an escape that it must not undo.
        'a'..='z' | 'A'..='Z' | '0'..='9' | '/' | '-' | '_' | '~' | '%' => out.push(c),
        '.' => out.push_str("\\."),
        '!'..='~' => {
            out.push_str("(?:");
            if "\\+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
            out.push('|');
            escaped(c, out);
            out.push(')');
        }
        _ => escaped(c, out),
    }
}

/// A character as a client escapes it, in large or small letters.
fn escaped(c: char, out: &mut String) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        out.push('%');
        for digit in [byte >> 4, byte & 15] {
            match char::from_digit(u32::from(digit), 16) {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    out.extend(['[', letter.to_ascii_uppercase(), letter, ']']);
                }
                Some(digit) => out.push(digit),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operation: &str, source: EndpointSource, expected: Option<&str>) {
        let found = of(operation, source).map(|(_, pattern)| pattern);
        assert_eq!(found.as_deref(), expected, "{operation}");
    }

    #[test]
    fn a_placeholder_is_one_segment_and_all_else_stands_for_itself() {
        let lexical = EndpointSource::Lexical;
        check("GET /", lexical, Some("^/$"));
        check("GET /v1.2/orders/{int}", lexical, Some(r"^/v1\.2/orders/[^/]+/?$"));
        check("GET /img/{var}.png", EndpointSource::Learned, Some(r"^/img/[^/]+\.png/?$"));
        check("GET /a/{int}/{more}", lexical, Some(r"^/a/[^/]+/.+$"));
        check("GET /a/.*", lexical, Some(r"^/a/\.(?:\*|%2[Aa])/?$"));
        check("GET /a/{.*}", lexical, Some(r"^/a/(?:\{|%7[Bb])\.(?:\*|%2[Aa])(?:\}|%7[Dd])/?$"));
        check("GET /a|b$", lexical, Some(r"^/a(?:\||%7[Cc])b(?:\$|%24)/?$"));
        check("GET /a b\u{e9}%2F", lexical, Some("^/a%20b%[Cc]3%[Aa]9%2F/?$"));
        check("GET /a:b", lexical, Some("^/a(?::|%3[Aa])b/?$"));
    }

    #[test]
    fn a_route_has_the_parameters_of_gateways() {
        let route = EndpointSource::Route;
        check("GET /users/{id}", route, Some("^/users/[^/]+/?$"));
        check("GET /users/:id/posts/<int:n>", route, Some("^/users/[^/]+/posts/[^/]+/?$"));
        check("GET /users/{id:[0-9]{2}}.json", route, Some(r"^/users/[^/]+\.json/?$"));
        check("GET /files/*", route, Some("^/files/.*$"));
        check("GET /files/{proxy+}", route, Some("^/files/.*$"));
        check("GET /files/{path...}", route, Some("^/files/.*$"));
        check("GET /a/*/b", route, Some("^/a/.*/b/?$"));
        check("GET /a/{b", route, Some("^/a/(?:\\{|%7[Bb])b/?$"));
        check("GET ~/users/(?<id>.*)$", route, None);
    }

    #[test]
    fn what_is_no_method_and_path_has_none() {
        check("mcp tools/call search", EndpointSource::Rpc, None);
        check("GET {unrouted}", EndpointSource::Unrouted, None);
        check("_OTHER /a", EndpointSource::Lexical, None);
        check("listOrders", EndpointSource::Operation, None);
    }

    #[test]
    fn a_path_with_room_for_anything_has_an_exception() {
        let found = |operation: &str, source| {
            let (_, pattern) = of(operation, source).unwrap();
            except(&pattern)
        };
        let (lexical, route) = (EndpointSource::Lexical, EndpointSource::Route);
        for operation in ["GET /", "GET /v1.2/a", "GET /a/.*", "GET /a/[^b]+", "GET /a%2Fb\\c"] {
            assert_eq!(found(operation, lexical), None, "{operation}");
        }
        for operation in ["GET /a/{int}", "GET /img/{var}.png", "GET /a/{more}"] {
            assert_eq!(found(operation, lexical), Some(ODD_OR_ESCAPED), "{operation}");
        }
        for operation in ["GET /a/:b", "GET /a/{b+}", "GET /a/*/b"] {
            assert_eq!(found(operation, route), Some(ODD_OR_ESCAPED), "{operation}");
        }
        // Where what was used has escaped slashes itself, only the segments are looked at.
        for operation in ["GET /a%2Fb/{int}", "GET /a\\b/{int}", "GET /%5Ca/{int}/{more}"] {
            assert_eq!(found(operation, lexical), Some(ODD), "{operation}");
        }
    }
}
