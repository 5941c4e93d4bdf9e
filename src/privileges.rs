//! What an identity used of what it may use, and what would be enough for it.

mod envoy;
mod names;
mod path;
mod rego;

pub(crate) use names::{Names, renamed};

use model::time::NS_PER_D;
use model::{EndpointSource, Time};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// Days at whose calls a suggestion is held.
pub(crate) const HELD_DAYS: i64 = 30;
/// What stands for the operations of a day that were not told apart.
const OTHERS: &str = "(others)";
/// Blocked operations that a policy's comment names, the most called first.
const NAMED_MAX: usize = 50;
/// Characters of an operation in a comment.
const NAMED_CHARS_MAX: usize = 200;

/// What an identity did at one endpoint on one UTC day.
#[derive(Clone, Debug)]
pub(crate) struct OfDay {
    pub(crate) operation: String,
    pub(crate) source: EndpointSource,
    /// The number of the day.
    pub(crate) day: i64,
    pub(crate) calls: u64,
    pub(crate) accepted: u64,
    /// Of the accepted ones those in hours with findings.
    pub(crate) in_findings: u64,
}

/// What an identity did at one endpoint, over several days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    source: EndpointSource,
    pub(crate) days: u64,
    pub(crate) calls: u64,
    pub(crate) accepted: u64,
    pub(crate) in_findings: u64,
    /// The number of the last day.
    pub(crate) last_day: i64,
}

impl Done {
    /// Whether it is one operation, and not many under one name.
    const fn is_one(&self) -> bool {
        !matches!(self.source, EndpointSource::Unrouted | EndpointSource::Overflow)
    }

    /// Whether it was used: called, and not refused.
    pub(crate) const fn is_used(&self) -> bool {
        self.is_one() && self.accepted > 0
    }

    /// Whether it was used outside of hours with findings.
    const fn is_allowed(&self) -> bool {
        self.is_one() && self.accepted > self.in_findings
    }

    /// Why it is not allowed.
    const fn why_not(&self) -> &'static str {
        if !self.is_one() {
            "several operations under one name"
        } else if self.accepted == 0 {
            "never accepted"
        } else {
            "accepted only in hours with findings"
        }
    }
}

/// What was done on some days, by operation.
pub(crate) type Profile<'a> = BTreeMap<&'a str, Done>;

/// Sums up the days of a span; the end is exclusive.
pub(crate) fn profile<'a>(rows: &'a [OfDay], days: &Range<i64>) -> Profile<'a> {
    let mut profile = Profile::new();
    for row in rows.iter().filter(|row| days.contains(&row.day)) {
        let name = if row.operation.is_empty() { OTHERS } else { &row.operation };
        let done = profile.entry(name).or_insert(Done {
            source: row.source,
            days: 0,
            calls: 0,
            accepted: 0,
            in_findings: 0,
            last_day: row.day,
        });
        done.days += 1;
        done.calls += row.calls;
        done.accepted += row.accepted;
        done.in_findings += row.in_findings;
        done.last_day = done.last_day.max(row.day);
    }
    profile
}

/// Whose privileges.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Whose {
    pub(crate) tenant_id: String,
    pub(crate) principal_id: String,
    pub(crate) principal_name: Option<String>,
}

/// What would be enough for an identity, and what that would have blocked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Suggestion<'a> {
    #[serde(flatten)]
    pub(crate) whose: &'a Whose,
    /// The first day that it rests on, and the last.
    pub(crate) from: String,
    pub(crate) to: String,
    /// What it used and was not refused, outside of hours with findings.
    pub(crate) allow: Vec<Allowed<'a>>,
    /// What it called besides.
    pub(crate) left_out: Vec<Blocked<'a>>,
    pub(crate) would_have_blocked: Held<'a>,
    /// The same of a suggestion that rests on nothing of those days; none without earlier ones.
    pub(crate) made_before_would_have_blocked: Option<Held<'a>>,
}

/// An operation that is allowed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Allowed<'a> {
    pub(crate) operation: &'a str,
    /// Of an operation that is a method and a path.
    pub(crate) method: Option<&'a str>,
    /// The paths that it stands for, as a regular expression.
    pub(crate) path: Option<String>,
    /// What is refused although it fits: an expression that is looked for anywhere in the path.
    pub(crate) except: Option<&'static str>,
    pub(crate) days: u64,
    pub(crate) calls: u64,
    pub(crate) last_day: String,
}

/// An operation that is not allowed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Blocked<'a> {
    pub(crate) operation: &'a str,
    pub(crate) days: u64,
    pub(crate) calls: u64,
    pub(crate) why: &'static str,
}

/// What a suggestion would have blocked on some days.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Held<'a> {
    /// The first day, and the last.
    pub(crate) from: String,
    pub(crate) to: String,
    /// All calls of those days.
    pub(crate) calls: u64,
    pub(crate) blocked_calls: u64,
    /// Of the others those of routes: what was called below one, if it is a prefix, is not known.
    pub(crate) route_calls: u64,
    /// The most called first.
    pub(crate) operations: Vec<Blocked<'a>>,
}

/// Whether a form of a suggestion can tell an operation that it allows from others.
pub(crate) type Tells = fn(&str, EndpointSource) -> bool;

/// Whether an operation is a method and a path, which is all that some forms can tell apart.
pub(crate) fn is_path(operation: &str, source: EndpointSource) -> bool {
    path::of(operation, source).is_some()
}

impl<'a> Suggestion<'a> {
    /// What would be enough, by the days of a span, in a form that tells some operations apart; `known` are
    /// the days that the store has.
    pub(crate) fn of(
        whose: &'a Whose,
        rows: &'a [OfDay],
        days: &Range<i64>,
        known: &Range<i64>,
        tells: Tells,
    ) -> Self {
        let done = profile(rows, days);
        let held = known.start.max(known.end - HELD_DAYS)..known.end;
        let before = days.start..days.end.min(held.start);
        let made_before = (!before.is_empty()).then(|| profile(rows, &before));
        let is_known = |it: &Profile<'_>| it.values().any(Done::is_allowed);
        Self {
            whose,
            from: date(days.start),
            to: date(days.end - 1),
            allow: allowed(&done),
            left_out: blocked(&done, &done, tells),
            would_have_blocked: Held::of(rows, &held, &done, tells),
            made_before_would_have_blocked: made_before
                .filter(is_known)
                .map(|before| Held::of(rows, &held, &before, tells)),
        }
    }

    /// As JSON, over several lines.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// A name that follows from whose it is, of small letters and digits.
    fn name(&self) -> String {
        let (tenant, id) = (&self.whose.tenant_id, &self.whose.principal_id);
        format!("p{}", detect::short_hash(&format!("{}:{tenant}{id}", tenant.len())))
    }

    /// What a policy says of itself, line by line.
    fn words(&self) -> Vec<String> {
        let (id, tenant) = (ascii(&self.whose.principal_id), ascii(&self.whose.tenant_id));
        let mut lines = vec![
            format!(
                "Least privilege for {id} of the tenant {tenant}, as Habitus suggests it: what it"
            ),
            format!("used from {} to {} and was not refused,", self.from, self.to),
            "outside of hours with findings.".to_owned(),
            String::new(),
        ];
        lines.extend(self.would_have_blocked.words("It"));
        if let Some(held) = &self.made_before_would_have_blocked {
            lines.extend(held.words("One that was made before those days"));
        }
        lines
    }

    /// Those that are no method and path.
    fn without_path(&self) -> impl Iterator<Item = &Allowed<'a>> {
        self.allow.iter().filter(|it| it.path.is_none())
    }
}

fn allowed<'a>(done: &Profile<'a>) -> Vec<Allowed<'a>> {
    let each = done.iter().filter(|(_, done)| done.is_allowed());
    each.map(|(name, done)| {
        let (method, path) = path::of(name, done.source).unzip();
        Allowed {
            operation: name,
            method,
            except: path.as_deref().and_then(path::except),
            path,
            days: done.days,
            calls: done.calls,
            last_day: date(done.last_day),
        }
    })
    .collect()
}

/// What of some days the privileges of others do not cover, the most called first.
fn blocked<'a>(of: &Profile<'a>, by: &Profile<'_>, tells: Tells) -> Vec<Blocked<'a>> {
    let mut all: Vec<_> = of
        .iter()
        .filter_map(|(name, done)| {
            let why = match by.get(name) {
                Some(known) if known.is_allowed() && done.is_one() => {
                    if tells(name, known.source) {
                        return None;
                    }
                    "no method and path"
                }
                Some(known) => known.why_not(),
                None if !done.is_one() => done.why_not(),
                None => "not called before",
            };
            Some(Blocked { operation: name, days: done.days, calls: done.calls, why })
        })
        .collect();
    all.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.operation.cmp(b.operation)));
    all
}

impl<'a> Held<'a> {
    fn of(rows: &'a [OfDay], days: &Range<i64>, by: &Profile<'_>, tells: Tells) -> Self {
        let done = profile(rows, days);
        let operations = blocked(&done, by, tells);
        let mut routes: BTreeMap<&str, u64> = done
            .iter()
            .filter(|(name, it)| path::may_be_prefix(name, it.source))
            .map(|(name, it)| (*name, it.calls))
            .collect();
        for it in &operations {
            routes.remove(it.operation);
        }
        Self {
            from: date(days.start),
            to: date(days.end - 1),
            calls: done.values().map(|it| it.calls).sum(),
            blocked_calls: operations.iter().map(|it| it.calls).sum(),
            route_calls: routes.values().sum(),
            operations,
        }
    }

    fn words(&self, subject: &str) -> Vec<String> {
        let (blocked, calls) = (self.blocked_calls, self.calls);
        let colon = if self.operations.is_empty() { "." } else { ":" };
        let first = format!(
            "{subject} would have blocked {blocked} of {calls} calls from {} to {}{colon}",
            self.from, self.to
        );
        let one = |it: &Blocked<'_>| {
            let name: String = ascii(it.operation).chars().take(NAMED_CHARS_MAX).collect();
            format!("  {name}: {} calls on {} days ({})", it.calls, it.days, it.why)
        };
        let named = self.operations.iter().take(NAMED_MAX).map(one);
        let rest = self.operations.len().saturating_sub(NAMED_MAX);
        let rest = (rest > 0).then(|| format!("  and {rest} other operations"));
        let routes = self.route_calls;
        let routes = (routes > 0).then(|| {
            format!(
                "  not known: {routes} of the other calls went to routes, or to paths below them"
            )
        });
        std::iter::once(first).chain(named).chain(rest).chain(routes).collect()
    }
}

/// The date of a day's number.
pub(crate) fn date(day: i64) -> String {
    let text = Time::from_ns(day.saturating_mul(NS_PER_D)).to_string();
    text.split_once('T').map_or(text.clone(), |(date, _)| date.to_owned())
}

/// A text for a comment: one line, and nothing that an editor or a parser would obey.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// The text as a string of JSON, all of it ASCII: whatever reads JSON reads the same text.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.extend([format!("\\u{unit:04x}")]);
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn day(
        operation: &str,
        day: i64,
        (calls, accepted, in_findings): (u64, u64, u64),
    ) -> OfDay {
        let source = match operation {
            "" => EndpointSource::Overflow,
            _ if operation.ends_with("{unrouted}") => EndpointSource::Unrouted,
            _ if operation.contains('/') => EndpointSource::Lexical,
            _ => EndpointSource::Rpc,
        };
        OfDay { operation: operation.to_owned(), source, day, calls, accepted, in_findings }
    }

    pub(super) fn whose(id: &str) -> Whose {
        Whose { tenant_id: "default".to_owned(), principal_id: id.to_owned(), principal_name: None }
    }

    fn rows() -> Vec<OfDay> {
        vec![
            day("GET /orders/{int}", 100, (40, 38, 0)),
            day("GET /orders/{int}", 120, (10, 10, 4)),
            day("GET /invoices", 101, (3, 3, 0)),
            day("GET /admin", 120, (9, 9, 9)),
            day("POST /login", 121, (2, 0, 0)),
            day("POST /pay", 122, (5, 5, 0)),
            day("GET {unrouted}", 122, (70, 0, 0)),
            day("", 122, (4, 0, 0)),
        ]
    }

    #[test]
    fn allowed_is_what_was_accepted_outside_of_hours_with_findings() {
        let (whose, rows) = (whose("app-7"), rows());
        let made = Suggestion::of(&whose, &rows, &(95..123), &(0..123), |_, _| true);
        let names: Vec<_> = made.allow.iter().map(|it| it.operation).collect();
        assert_eq!(names, ["GET /invoices", "GET /orders/{int}", "POST /pay"]);
        let left: Vec<_> =
            made.left_out.iter().map(|it| (it.operation, it.calls, it.why)).collect();
        let expected = [
            ("GET {unrouted}", 70, "several operations under one name"),
            ("GET /admin", 9, "accepted only in hours with findings"),
            ("(others)", 4, "several operations under one name"),
            ("POST /login", 2, "never accepted"),
        ];
        assert_eq!(left, expected);
        let held = &made.would_have_blocked;
        assert_eq!((held.calls, held.blocked_calls), (143, 85));
        assert_eq!((held.from.as_str(), held.to.as_str()), ("1970-04-04", "1970-05-03"));
        let young = Suggestion::of(&whose, &rows, &(100..123), &(100..123), |_, _| true);
        let held = &young.would_have_blocked;
        assert_eq!(
            (held.calls, held.from.as_str()),
            (143, "1970-04-11"),
            "no day before the store's"
        );
    }

    #[test]
    fn a_suggestion_that_knows_nothing_of_the_days_is_held_at_them_too() {
        let (whose, mut rows) = (whose("app-7"), rows());
        rows.iter_mut().take(3).for_each(|row| row.day -= 60);
        let made = Suggestion::of(&whose, &rows, &(33..123), &(0..123), |_, _| true);
        assert_eq!(made.would_have_blocked.blocked_calls, 85);
        let before = made.made_before_would_have_blocked.unwrap();
        assert_eq!((before.calls, before.blocked_calls), (90, 90), "nothing of then is called now");
        assert!(before.operations.iter().any(|it| it.why == "not called before"));
        let late = Suggestion::of(&whose, &rows, &(93..123), &(0..123), |_, _| true);
        assert!(late.made_before_would_have_blocked.is_none(), "there is nothing earlier in it");
    }

    #[test]
    fn what_a_form_cannot_tell_apart_is_blocked_by_it() {
        let whose = whose("app-7");
        let rows = vec![
            day("GET /orders/{int}", 120, (7, 7, 0)),
            day("mcp tools/call search", 121, (5, 5, 0)),
        ];
        let blocked = |tells: Tells| {
            let held =
                Suggestion::of(&whose, &rows, &(95..123), &(0..123), tells).would_have_blocked;
            let why: Vec<_> = held.operations.iter().map(|it| it.why).collect();
            (held.blocked_calls, why)
        };
        assert_eq!(blocked(|_, _| true), (0, vec![]));
        assert_eq!(blocked(is_path), (5, vec!["no method and path"]));
    }

    #[test]
    fn what_was_called_below_a_route_is_not_known() {
        let whose = whose("app-7");
        let route = |operation: &str, calls| OfDay {
            source: EndpointSource::Route,
            ..day(operation, 120, (calls, calls, 0))
        };
        let rows = vec![
            route("GET /orders", 7),
            route("GET /files/*", 20),
            OfDay { accepted: 0, ..route("GET /refused", 300) },
            day("GET /about", 121, (4_000, 4_000, 0)),
        ];
        let made = Suggestion::of(&whose, &rows, &(95..123), &(0..123), is_path);
        let held = &made.would_have_blocked;
        assert_eq!((held.blocked_calls, held.route_calls), (300, 7));
        let words = made.words().join("\n");
        assert!(words.contains("not known: 7 of the other calls went to routes"), "{words}");
    }

    #[test]
    fn no_text_leaves_its_quotes_or_its_line() {
        for text in ["a\"b\\", "a\nb\u{2028}\u{202e}", "\u{1f511}\u{7f}\u{85}", "${x}#{y}"] {
            let quoted = quoted(text);
            assert!(quoted.bytes().all(|it| (b' '..=b'~').contains(&it)), "{quoted}");
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            assert!(ascii(text).bytes().all(|it| (b' '..=b'~').contains(&it)));
        }
    }
}
