//! Mentions: where a text names somebody, found and taken out in the same way wherever texts are kept.

/// What stands in the place of a name that was taken out.
pub const FORGOTTEN: &str = "[forgotten]";

/// The names of somebody who is to be forgotten.
///
/// A name counts where it stands as a word of its own: `shop-7` is not mentioned by `shop-71`, but
/// by `/users/shop-7/orders` and at the end of a sentence.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mentions {
    /// As they stand in texts, the longest first: a name may begin with another.
    forms: Vec<String>,
}

impl Mentions {
    /// The mentions of any of `names`, also as they stand inside of JSON and of SQL.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = Vec::new();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            forms.push(name.to_owned());
            forms.push(in_json(name));
            forms.push(in_sql(name));
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// Whether a text names them.
    pub fn are_in(&self, text: &str) -> bool {
        self.next(text, 0).is_some()
    }

    /// The text without the names; nothing if it has none.
    pub fn replaced(&self, text: &str) -> Option<String> {
        let mut next = self.next(text, 0);
        next?;
        let (mut out, mut from) = (String::with_capacity(text.len()), 0);
        while let Some((start, end)) = next {
            out.push_str(text.get(from..start).unwrap_or_default());
            out.push_str(FORGOTTEN);
            from = end;
            next = self.next(text, end);
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Some(out)
    }

    /// The same as a regular expression of RE2, whose first and second group stand around a name.
    ///
    /// What stands between two names belongs to the first of them: it is applied twice.
    pub fn pattern(&self) -> String {
        let forms: Vec<_> = self.forms.iter().map(|form| quoted(form)).collect();
        format!(
            "(^|[^A-Za-z0-9_.@-])(?:{})($|[^A-Za-z0-9_.@-]|[.](?:$|[^A-Za-z0-9_]))",
            forms.join("|")
        )
    }

    /// The first mention at or after `from`.
    fn next(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let first = |form: &String| {
            let mut at = from;
            loop {
                let start = at + text.get(at..)?.find(form.as_str())?;
                let end = start + form.len();
                if is_word(text.as_bytes(), start, end) {
                    return Some((start, end));
                }
                at = start + text.get(start..)?.chars().next()?.len_utf8();
            }
        };
        // Of those that begin together the longest.
        let found = self.forms.iter().filter_map(first);
        found.min_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)))
    }
}

/// Whether what stands there is a word of its own.
fn is_word(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte);
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let (after, then) = (text.get(end), text.get(end + 1));
    if before.is_some_and(|byte| joins(*byte)) {
        return false;
    }
    match (after, then) {
        // The end of a sentence.
        (Some(b'.'), then) => !then.is_some_and(|it| it.is_ascii_alphanumeric() || *it == b'_'),
        (Some(after), _) => !joins(*after),
        (None, _) => true,
    }
}

/// The text as it stands between the quotes of JSON.
fn in_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.extend(format!("\\u{:04x}", c as u32).chars()),
            c => out.push(c),
        }
    }
    out
}

/// The text as it stands between the quotes of a query that shows evidence.
fn in_sql(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', "''")
}

/// The text as a regular expression that stands for itself.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
            out.extend(format!("\\x{{{:x}}}", c as u32).chars());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mentions = Mentions::of(["shop-7", "Jo \"B\"", "ann"]);
        assert_eq!(mentions.replaced(text).as_deref().unwrap_or(text), expected);
        assert_eq!(mentions.are_in(text), text != expected);
    }

    #[test]
    fn a_name_is_taken_out_where_it_stands_as_a_word() {
        check("as shop-7, ann and shop-71", "as [forgotten], [forgotten] and shop-71");
        check("shop-7", "[forgotten]");
        check("followed, as ann.", "followed, as [forgotten].");
        check("GET /users/ann/orders?x=ann", "GET /users/[forgotten]/orders?x=[forgotten]");
        check("ann,ann ann", "[forgotten],[forgotten] [forgotten]");
        check(r#"[{"name":"claimed Jo \"B\""}]"#, r#"[{"name":"claimed [forgotten]"}]"#);
        check("Jo \"B\" (ann)", "[forgotten] ([forgotten])");
        for other in ["joann", "ann.smith", "ann@home", "x-ann", "my.ann", "annex", ""] {
            check(other, other);
        }
    }

    #[test]
    fn a_name_with_quotes_is_taken_out_of_a_query_too() {
        let mentions = Mentions::of([r"o'br\ien"]);
        let without = mentions.replaced(r"WHERE principal_id = 'o''br\\ien'");
        assert_eq!(without.as_deref(), Some("WHERE principal_id = '[forgotten]'"));
    }

    #[test]
    fn the_longest_of_two_names_is_taken() {
        let mentions = Mentions::of(["ann", "ann lee"]);
        assert_eq!(mentions.replaced("x ann lee y").as_deref(), Some("x [forgotten] y"));
        assert_eq!(Mentions::of([""]).replaced("anything"), None);
    }

    #[test]
    fn a_pattern_has_nothing_that_an_engine_would_obey() {
        let pattern = Mentions::of(["a.*|(b)"]).pattern();
        assert!(pattern.contains(r"(?:a\x{2e}\x{2a}\x{7c}\x{28}b\x{29})"), "{pattern}");
    }
}
