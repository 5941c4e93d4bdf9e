//! Numbers and names as a person reads them.

use crate::detectors::{View, peers_of};
use crate::identity::Identity;
use crate::incidents::Incident;
pub(crate) use model::figures::bytes;
use model::figures::significant;
use model::{PrincipalType, Time};

/// A whole number with a thin space between thousands: `11 204`; small fractions keep a decimal, and what is
/// far below one two of its digits: `0.049`, `0.00046`.
pub(crate) fn number(value: f64) -> String {
    if value.abs() > 0.0 && value.abs() < 0.1 {
        return significant(value, 2);
    }
    if value.abs() < 10.0 && value.fract().abs() > 0.05 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value <= -0.5 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A span of time: `40 s`, `6 min`, `2.5 h`, `61 d`.
pub(crate) fn span(ns: i64) -> String {
    let seconds = ns.max(0) as f64 / 1e9;
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1_000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 2.0 * 3_600.0 => format!("{:.0} min", s / 60.0),
        s if s < 2.0 * 86_400.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// The UTC day that begins at a time: `2026-04-14`.
pub(crate) fn day(start: Time) -> String {
    let (year, month, day) = start.date();
    format!("{year:04}-{month:02}-{day:02}")
}

/// A number of seconds, as exactly as a clock's beat is worth: `300.0 s`, `0.31 s`.
pub(crate) fn seconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.2} s") } else { format!("{value:.1} s") }
}

/// A share: `97 %`, `0.2 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A share that may be very small, with two of its digits: `0.031 %`.
pub(crate) fn fine_percent(share: f64) -> String {
    if share >= 0.001 || share <= 0.0 {
        return percent(share);
    }
    let decimals = (1.0 - (share * 100.0).log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{:.decimals$} %", share * 100.0)
}

/// Fewer judged windows than this are no ground for odds.
const JUDGED_MIN: f64 = 100.0;

/// How often that is seen, as far as the `judged` windows can tell: `about 1 in 20 000 windows`; nothing
/// where they are too few to tell.
pub(crate) fn odds(score: f64, judged: f64) -> String {
    if judged < JUDGED_MIN {
        return "few windows like it were judged so far".to_owned();
    }
    if score > judged {
        return format!("not expected once in the {} windows judged so far", number(judged));
    }
    format!("about 1 in {} windows of ordinary traffic", one_in(score))
}

/// A score in the two digits that a tail knows: `4 100`.
pub(crate) fn one_in(score: f64) -> String {
    let scale = 10_f64.powf(score.max(1.0).log10().floor() - 1.0).max(1.0);
    number((score / scale).round() * scale)
}

/// The identity as the subject of a sentence: `consumer acme-mobile`, `address 203.0.113.9`.
pub(crate) fn subject(identity: &Identity) -> String {
    let kind = match identity.kind {
        PrincipalType::User => "user",
        PrincipalType::Service => "service",
        PrincipalType::Consumer => "consumer",
        PrincipalType::Application => "application",
        PrincipalType::ApiKey => "key",
        PrincipalType::Client => "client",
        PrincipalType::Mtls => "certificate",
        PrincipalType::Session => "session",
        PrincipalType::Ip => "address",
        PrincipalType::Anonymous => "callers without any identity",
    };
    match (&identity.label, identity.kind) {
        (_, PrincipalType::Anonymous) => kind.to_owned(),
        (Some(label), _) => format!("{kind} {label} ({})", identity.name),
        (None, _) => format!("{kind} {}", identity.name),
    }
}

/// What the statement rests on: own history before this hour, what of it was left out, and peers.
pub(crate) fn history(view: &View<'_>) -> String {
    let identity = view.identity;
    let peers = counted(u64::from(peers_of(view)), "peer");
    let withheld = match identity.withheld {
        0 => String::new(),
        some => format!("{} left out as odd or unlike it", counted(u64::from(some), "hour")),
    };
    if identity.learned == 0 {
        let why = if withheld.is_empty() { String::new() } else { format!(" ({withheld})") };
        return format!("it has no history of its own{why}; {peers} stand for it");
    }
    let withheld = if withheld.is_empty() { withheld } else { format!(", {withheld}") };
    format!(
        "this rests on {} of its own ({} over {}{withheld}) and {peers}",
        counted(u64::from(identity.learned), "active hour"),
        counted(identity.calls_learned(view.open), "call"),
        span(view.open.start.since(identity.first_seen)),
    )
}

/// When something was: `at …`, or `between … and …`.
pub(crate) fn clock(first: Time, last: Time) -> String {
    if first == last { format!("at {first}") } else { format!("between {first} and {last}") }
}

/// A number of things: `1 hour`, `2 hours`.
pub(crate) fn counted(value: u64, thing: &str) -> String {
    let count = number(value as f64);
    match thing.strip_suffix('y') {
        _ if value == 1 => format!("{count} {thing}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ if thing.ends_with('s') => format!("{count} {thing}es"),
        _ => format!("{count} {thing}s"),
    }
}

/// The most that an identity had, in words that stay true when hours of it were left out.
pub(crate) fn own_most(identity: &Identity, what: &str, most: &str) -> String {
    match (identity.learned, identity.withheld) {
        (0, 0) => "it was never seen before".to_owned(),
        (0, _) => "none of its hours before was learned".to_owned(),
        (_, 0) => format!("{what} so far is {most}"),
        _ => format!("{what} in the hours that were learned is {most}"),
    }
}

/// What is to be added to a first time, where not all that an identity ever called is kept.
pub(crate) fn as_far_as_kept(identity: &Identity) -> &'static str {
    if identity.profile.is_partial() { ", as far as is kept" } else { "" }
}

/// A text as SQL that means the same in every store.
///
/// A backslash is itself in standard SQL, and escapes in ClickHouse's, where it could end the literal
/// early. So each is written twice, which the one reads as two and the other as one, and two become one.
pub(crate) fn quote(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if !quoted.contains('\\') {
        return format!("'{quoted}'");
    }
    format!(r"replace('{}', '\\', substr('\\', 1, 1))", quoted.replace('\\', r"\\"))
}

/// The condition of a query for the rows of one identity: what it is called is a tenant's own matter.
pub(crate) fn whose(tenant: &str, principal: &str) -> String {
    format!("tenant_id = {} AND principal_id = {}", quote(tenant), quote(principal))
}

/// An incident in one sentence; of whom it is stands in its findings.
pub(crate) fn incident(incident: &Incident) -> String {
    let findings = counted(incident.findings() as u64, "finding");
    let of = match incident.identities() {
        0 => String::new(),
        count => format!(" of {}", counted(count as u64, "identity")),
    };
    let within = match incident.last.since(incident.first) {
        0 => format!("at {}", incident.first),
        length => format!("within {}, from {} on", span(length), incident.first),
    };
    let detectors = incident.detectors().collect::<Vec<_>>().join(", ");
    let connected = incident.connected().collect::<Vec<_>>().join(", ");
    let by = if connected.is_empty() { String::new() } else { format!("; they share {connected}") };
    format!("{findings}{of} {within}: {detectors}{by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        assert_eq!(number(11_204.0), "11\u{202f}204");
        assert_eq!(number(0.2), "0.2");
        assert_eq!(number(999.0), "999");
        assert_eq!([0.0, 0.0494, 0.0504, 4.57e-4].map(number), ["0", "0.049", "0.05", "0.00046"]);
        assert_eq!(bytes(2.31e9), "2.3 GB");
        assert_eq!(bytes(12.0), "12 B");
        assert_eq!(span(41_000_000_000), "41 s");
        assert_eq!(percent(0.002), "0.2 %");
        assert_eq!(odds(23_456.0, 1e5), "about 1 in 23\u{202f}000 windows of ordinary traffic");
        assert_eq!(odds(6e7, 900.0), "not expected once in the 900 windows judged so far");
    }

    #[test]
    fn a_literal_does_not_end_early_in_any_dialect() {
        assert_eq!(quote("o'brien"), "'o''brien'");
        assert_eq!(whose("o'b", "a"), "tenant_id = 'o''b' AND principal_id = 'a'");
        let quoted = quote(r"x\' OR 1=1 --");
        assert_eq!(quoted, r"replace('x\\'' OR 1=1 --', '\\', substr('\\', 1, 1))");
    }
}
