//! What the server's errors mean: try again, stop, or set the rows aside.

use clickhouse::error::Error;
use std::error::Error as _;

/// Characters kept of what the server says.
const MESSAGE_CHARS_MAX: usize = 600;
/// Codes of errors that lie in the rows, or in a question: values that cannot be read, types that do not
/// fit, what a constraint or a function refuses, syntax, what is unknown, limits of one answer. All
/// others may pass: timeouts, lost connections, no memory, a replica without its keeper, a disk or a
/// bucket that fails. What a server says tomorrow that nobody knows today is not the rows' fault.
const ROWS: [u32; 33] = [
    6, 10, 26, 27, 34, 36, 38, 39, 41, 42, 43, 44, 46, 53, 62, 63, 69, 70, 72, 80, 117, 130, 131,
    158, 184, 190, 215, 307, 321, 349, 396, 407, 469,
];
/// Codes of errors that are known to pass, so that a question which meets one is not to blame.
const PASSING: [u32; 20] = [
    159, 160, 173, 198, 202, 203, 209, 210, 236, 241, 242, 252, 285, 286, 319, 394, 425, 439, 745,
    999,
];
/// Codes of errors that lie in how the server is set up, never in the rows: unknown columns, tables,
/// databases, settings and users, missing rights, a full disk.
const SETUP: [u32; 15] = [16, 47, 60, 81, 115, 164, 192, 193, 194, 195, 243, 291, 452, 497, 516];

/// What the HTTP library says of an answer that is none.
const NO_HTTP: [&str; 4] = [
    "connection closed before",
    "invalid HTTP",
    "unexpected message from connection",
    "Connection reset",
];

/// What to do about an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remedy {
    /// The same bytes with the same token may be taken later.
    TryAgain,
    /// Nothing is taken until somebody mends the server or the settings.
    Stop,
    /// The server will never take these rows.
    SetAside,
}

/// An error of the server, or of the way to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    /// The server's code; none where the server said nothing of its own.
    pub(crate) code: Option<u32>,
    /// What was said: one line, safe on a terminal.
    pub(crate) said: String,
    pub(crate) remedy: Remedy,
}

impl Failure {
    /// A failure that says the server did not answer in time.
    pub(crate) fn timed_out() -> Self {
        Self::passing("it did not answer in time")
    }

    fn passing(said: &str) -> Self {
        Self { code: None, said: one_line(said), remedy: Remedy::TryAgain }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::BadResponse(text) => match code(text) {
                Some(code) => Self { code: Some(code), said: said(text), remedy: remedy(code) },
                // A proxy's words: nobody knows what became of the request.
                None => Self::passing(text),
            },
            Error::TimedOut => Self::timed_out(),
            Error::InvalidParams(_) | Error::Unsupported(_) => {
                Self { code: None, said: one_line(&error.to_string()), remedy: Remedy::Stop }
            }
            _ => Self::passing(&with_sources(&error)),
        }
    }
}

/// What helps when nobody answers who could be understood.
pub(crate) fn cure(said: &str, is_secure: bool) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["UnknownIssuer", "CaUsedAsEndEntity", "BadSignature"]) {
        "name the authority that signed its certificate in clickhouse.ca_file"
    } else if has(&["certificate expired", "Expired", "NotValidYet", "not valid yet"]) {
        "let its certificate be renewed, and check this machine's clock"
    } else if has(&["NotValidForName", "not valid for name"]) {
        "use the name that its certificate has in --store"
    } else if has(&["corrupt message", "InvalidContentType"]) {
        "no TLS is spoken there: use the port for HTTPS, mostly 8443, or secure=0"
    } else if !is_secure && has(&NO_HTTP) {
        "no HTTP is spoken there: use the port for HTTP, mostly 8123, or secure=1 for HTTPS"
    } else if is_secure && has(&["tls handshake eof", "invalid HTTP", "Connection reset"]) {
        "no HTTPS is spoken there: use the port for HTTPS, mostly 8443"
    } else {
        "check the address, and that it runs"
    }
}

fn remedy(code: u32) -> Remedy {
    if SETUP.contains(&code) {
        Remedy::Stop
    } else if ROWS.contains(&code) {
        Remedy::SetAside
    } else {
        Remedy::TryAgain
    }
}

/// Whether an error is known to pass, whatever was asked.
pub(crate) fn passes(code: u32) -> bool {
    PASSING.contains(&code)
}

/// The code that a message of the server starts with; later ones may be quoted from anywhere.
fn code(text: &str) -> Option<u32> {
    let rest = text.trim_start().strip_prefix("Code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The message without its code, the server's version, what a parser might have liked, the question
/// that was asked, and the stack.
fn said(text: &str) -> String {
    let text = text.split("Stack trace:").next().unwrap_or(text);
    let text = text.split(" (version ").next().unwrap_or(text);
    let text = text.split(" Expected one of: ").next().unwrap_or(text);
    let text = text.split(": While executing ").next().unwrap_or(text);
    let text = text.split(" In scope ").next().unwrap_or(text);
    let message = text.split_once("Exception: ").map_or(text, |(_, message)| message);
    one_line(message)
}

/// The error and its causes: what a network error says first is never what went wrong.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// One line of limited length that is safe on a terminal: an error may quote what a caller chose.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.trim_end_matches(['.', ',', ':', ' ']);
    let safe = |c: char| match c {
        // These turn text around on a terminal.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    words.chars().take(MESSAGE_CHARS_MAX).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: Option<u32>, remedy: Remedy, said: &str) {
        let failure = Failure::from(Error::BadResponse(text.to_owned()));
        assert_eq!(failure, Failure { code, said: said.to_owned(), remedy });
    }

    #[test]
    fn a_message_becomes_one_line_that_says_what_to_do() {
        check(
            "Code: 62. DB::Exception: Syntax error: failed at position 7 (1): 1. Expected one of: \
             token, Dot. (SYNTAX_ERROR) (version 26.9.2.1)",
            Some(62),
            Remedy::SetAside,
            "Syntax error: failed at position 7 (1): 1",
        );
        check(
            "Code: 252. DB::Exception: Too many parts.\n\nStack trace:\n0. x\n (TOO_MANY_PARTS)",
            Some(252),
            Remedy::TryAgain,
            "Too many parts",
        );
        check(
            "Code: 516. DB::Exception: me: Authentication failed (AUTHENTICATION_FAILED) (version 1)",
            Some(516),
            Remedy::Stop,
            "me: Authentication failed (AUTHENTICATION_FAILED)",
        );
        check("<html>502</html>", None, Remedy::TryAgain, "<html>502</html>");
    }

    #[test]
    fn a_quoted_code_is_not_believed_and_hostile_text_is_harmless() {
        check(
            "Code: 27. DB::Exception: Cannot parse 'Code: 159. \u{1b}[2J\u{202e}x'",
            Some(27),
            Remedy::SetAside,
            "Cannot parse 'Code: 159. \u{fffd}[2J\u{fffd}x'",
        );
        let long = format!("Code: 6. DB::Exception: {}", "ä".repeat(9_000));
        let failure = Failure::from(Error::BadResponse(long));
        assert_eq!(failure.said.chars().count(), MESSAGE_CHARS_MAX);
    }

    #[test]
    fn a_network_error_passes_and_names_its_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "nobody listens");
        let failure = Failure::from(Error::Network(Box::new(cause)));
        assert_eq!(failure.remedy, Remedy::TryAgain);
        assert_eq!(failure.said, "network error: nobody listens");
        assert_eq!(Failure::from(Error::TimedOut).remedy, Remedy::TryAgain);
    }

    #[test]
    fn no_code_has_two_remedies() {
        assert!(ROWS.iter().all(|code| !SETUP.contains(code) && !PASSING.contains(code)));
        assert!(PASSING.iter().all(|code| !SETUP.contains(code)));
    }

    #[test]
    fn rows_are_set_aside_for_what_is_known_to_be_theirs_and_for_nothing_else() {
        // Without its keeper, a bucket that fails, an exception of nobody's, a code of tomorrow.
        for code in [225, 244, 279, 499, 201, 76, 1_000, 1_001, 1_002, 49, 695, 9_999] {
            assert_eq!(remedy(code), Remedy::TryAgain, "{code}");
        }
        assert_eq!(remedy(349), Remedy::SetAside);
    }
}
