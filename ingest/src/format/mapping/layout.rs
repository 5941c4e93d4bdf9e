//! How a declared format's line of text is laid out: columns with something between them, or a template.
//!
//! A template is read from its left end up to the value marked `*`, and from its right end down to it,
//! so that whatever stands in that one shifts no other. A value in quotes ends at a quote that no
//! backslash escapes.

/// Values that a line may have.
pub(super) const COLUMNS_MAX: usize = 64;
/// Bytes of a template.
pub(super) const TEMPLATE_BYTES_MAX: usize = 2_048;
/// Bytes of what stands between columns.
pub(super) const DELIMITER_BYTES_MAX: usize = 8;
/// The name of a value that is passed over.
pub(super) const PASSED_OVER: &str = "_";

/// How a line is laid out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    /// Columns, and what stands between them.
    Delimited(String, Vec<String>),
    /// A text with values in it.
    Template(Template),
}

/// A text with values in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Template {
    /// What the line begins with.
    head: String,
    /// The values, each with what follows it.
    parts: Vec<Part>,
    /// The value that may hold anything.
    wide: Option<usize>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Part {
    name: String,
    after: String,
    /// It stands in double quotes.
    is_quoted: bool,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Split {
    /// Every value was there.
    pub(super) is_whole: bool,
    /// Something follows the last value.
    pub(super) has_more: bool,
}

impl Layout {
    /// The names of the values, in their order.
    pub(super) fn columns(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Delimited(_, columns) => Box::new(columns.iter().map(String::as_str)),
            Self::Template(template) => Box::new(template.parts.iter().map(|it| it.name.as_str())),
        }
    }

    /// Gives each value with its place, and whether it stood in quotes; `None` if the line is another.
    pub(super) fn split<'a>(
        &self,
        line: &'a str,
        each: &mut dyn FnMut(usize, &'a str, bool),
    ) -> Option<Split> {
        match self {
            Self::Delimited(delimiter, columns) => {
                Some(delimited(line, delimiter, columns.len(), each))
            }
            Self::Template(template) => template.split(line, each),
        }
    }
}

fn delimited<'a>(
    line: &'a str,
    delimiter: &str,
    columns: usize,
    each: &mut dyn FnMut(usize, &'a str, bool),
) -> Split {
    let mut rest = Some(line);
    for column in 0..columns {
        let Some(text) = rest else { return Split { is_whole: false, has_more: false } };
        let (value, is_quoted, after) = first(text, delimiter);
        each(column, value, is_quoted);
        rest = after;
    }
    Split { is_whole: true, has_more: rest.is_some() }
}

/// The first column, whether it stood in quotes, and what follows the delimiter.
fn first<'a>(text: &'a str, delimiter: &str) -> (&'a str, bool, Option<&'a str>) {
    if let Some(inner) = text.strip_prefix('"') {
        for at in quotes(inner) {
            let Some((value, tail)) = inner.split_at_checked(at) else { continue };
            let tail = tail.strip_prefix('"').unwrap_or(tail);
            if tail.is_empty() {
                return (value, true, None);
            }
            if let Some(after) = tail.strip_prefix(delimiter) {
                return (value, true, Some(after));
            }
        }
    }
    match text.split_once(delimiter) {
        Some((value, after)) => (value, false, Some(after)),
        None => (text, false, None),
    }
}

/// The places of the quotes that no backslash escapes.
fn quotes(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'"', bytes).filter(move |at| is_open(bytes, *at))
}

/// Whether an even number of backslashes stands before a place.
fn is_open(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|it| **it == b'\\').count().is_multiple_of(2)
}

/// Resolves `\"`, `\\` and `""`.
pub(super) fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        let next = chars.peek().copied();
        match (char, next) {
            ('\\', Some(escaped @ ('"' | '\\'))) | ('"', Some(escaped @ '"')) => {
                out.push(escaped);
                chars.next();
            }
            _ => out.push(char),
        }
    }
    out
}

impl Template {
    /// Reads a template; an error says what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err("write at most 2048 bytes");
        }
        let mut head = String::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut wide = None;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let literal = parts.last_mut().map_or(&mut head, |part| &mut part.after);
            literal.push_str(before);
            // Two of them are one that stands for itself.
            if let Some(after) = after.strip_prefix('<') {
                literal.push('<');
                rest = after;
                continue;
            }
            if literal.is_empty() && !parts.is_empty() {
                return Err("write something between two values, or nobody can tell them apart");
            }
            let (name, after) = after
                .split_once('>')
                .ok_or("end each name with `>`, and write `<<` for one `<`")?;
            let (name, is_wide) = name.strip_suffix('*').map_or((name, false), |it| (it, true));
            if !is_name(name) {
                return Err("name values in letters, digits, `_`, `-` and `.`, such as `<status>`");
            }
            if is_wide && wide.replace(parts.len()).is_some() {
                return Err("mark one value with `*`: that which may hold anything");
            }
            parts.push(Part { name: name.to_owned(), after: String::new(), is_quoted: false });
            rest = after;
        }
        parts.last_mut().map_or(&mut head, |part| &mut part.after).push_str(rest);
        if parts.is_empty() || parts.len() > COLUMNS_MAX {
            return Err(
                "write 1 to 64 values, such as `<client> [<time>] \"<request*>\" <status>`",
            );
        }
        let mut before = head.clone();
        for part in &mut parts {
            part.is_quoted = before.ends_with('"') && part.after.starts_with('"');
            before.clone_from(&part.after);
        }
        Ok(Self { head, parts, wide })
    }

    fn split<'a>(
        &self,
        line: &'a str,
        each: &mut dyn FnMut(usize, &'a str, bool),
    ) -> Option<Split> {
        let mut rest = line.strip_prefix(self.head.as_str())?;
        let lefts = self.wide.unwrap_or(self.parts.len());
        for (place, part) in self.parts.iter().enumerate().take(lefts) {
            let before = self.before(place);
            let is_last = place + 1 == self.parts.len();
            let (value, after) = if is_last { part.last(rest, before) } else { part.left(rest) }?;
            each(place, value, part.is_quoted);
            rest = after;
        }
        let Some(wide) = self.wide else {
            return Some(Split { is_whole: true, has_more: !rest.trim_ascii().is_empty() });
        };
        for (place, part) in self.parts.iter().enumerate().skip(wide + 1).rev() {
            let held = rest.strip_suffix(part.after.as_str())?;
            let value = part.right(held, self.before(place))?;
            each(place, value, part.is_quoted);
            // What stands before the value closes the one to its left.
            rest = held.get(..held.len() - value.len())?;
        }
        let part = self.parts.get(wide)?;
        each(wide, rest.strip_suffix(part.after.as_str())?, part.is_quoted);
        Some(Split { is_whole: true, has_more: false })
    }

    /// What stands before a value.
    fn before(&self, place: usize) -> &str {
        let part = place.checked_sub(1).and_then(|it| self.parts.get(it));
        part.map_or(&self.head, |it| &it.after)
    }
}

impl Part {
    /// The value that a text begins with, and what follows it.
    fn left<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if !self.is_quoted {
            return text.split_once(self.after.as_str());
        }
        let bytes = text.as_bytes();
        let (at, _) =
            text.match_indices(self.after.as_str()).find(|(at, _)| is_open(bytes, *at))?;
        let (value, after) = text.split_at_checked(at)?;
        Some((value, after.strip_prefix(self.after.as_str())?))
    }

    /// The same for the last value of a line. One that nothing follows ends where the white space or
    /// the sign before it comes again, so that a gateway may add values.
    fn last<'a>(&self, text: &'a str, before: &str) -> Option<(&'a str, &'a str)> {
        if !self.after.is_empty() {
            return self.left(text);
        }
        let divides = |it: &char| it.is_ascii_whitespace() || matches!(it, ',' | ';' | '|');
        let end = before.chars().next_back().filter(divides).and_then(|it| text.find(it));
        text.split_at_checked(end.unwrap_or(text.len()))
    }

    /// The value that a text ends with.
    fn right<'a>(&self, text: &'a str, before: &str) -> Option<&'a str> {
        if !self.is_quoted {
            return text.rsplit_once(before).map(|(_, value)| value);
        }
        let bytes = text.as_bytes();
        // What stands before ends with the quote that opens the value.
        let (at, found) = text
            .rmatch_indices(before)
            .find(|(at, found)| is_open(bytes, at + found.len().saturating_sub(1)))?;
        text.get(at + found.len()..)
    }
}

/// Whether a text can name a value.
pub(super) fn is_name(name: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(layout: &Layout, line: &str, expected: &str) {
        let names: Vec<String> = layout.columns().map(str::to_owned).collect();
        let mut shown: Vec<(usize, String)> = Vec::new();
        let split = layout.split(line, &mut |place, value, is_quoted| {
            let value = if is_quoted { unescaped(value) } else { value.to_owned() };
            shown.push((place, format!("{}={value}", names[place])));
        });
        shown.sort();
        let mut text: Vec<String> = shown.into_iter().map(|(_, it)| it).collect();
        match split {
            None => text = vec!["another".to_owned()],
            Some(Split { is_whole: false, .. }) => text.push("short".to_owned()),
            Some(Split { has_more: true, .. }) => text.push("more".to_owned()),
            Some(_) => {}
        }
        assert_eq!(text.join(" | "), expected, "{line}");
    }

    fn template(text: &str) -> Layout {
        Layout::Template(Template::parse(text).expect("a template"))
    }

    #[test]
    fn a_template_reads_what_stands_between_its_words() {
        let layout = template(r#"<client> [<time>] "<request*>" <status> "<agent>" <size>"#);
        check(
            &layout,
            r#"10.0.0.1 [now] "GET / HTTP/1.1" 200 "curl/8" 17"#,
            "client=10.0.0.1 | time=now | request=GET / HTTP/1.1 | status=200 | agent=curl/8 | size=17",
        );
        // Whatever the request holds, nothing around it moves.
        check(
            &layout,
            r#"10.0.0.1 [now] "GET /" 500 "x" 1" 200 "a \" b" 17"#,
            r#"client=10.0.0.1 | time=now | request=GET /" 500 "x" 1 | status=200 | agent=a " b | size=17"#,
        );
        check(&layout, "10.0.0.1 now", "another");
    }

    #[test]
    fn a_template_without_a_mark_is_read_from_the_left_and_may_have_more() {
        let layout = template(r#"<<a> <user> "<agent>" <status>"#);
        check(&layout, r#"<a> jo "x \" y" 200"#, r#"user=jo | agent=x " y | status=200"#);
        check(&layout, r#"<a> jo "x" 200 0.01 new"#, "user=jo | agent=x | status=200 | more");
        check(&layout, r#"<b> jo "x" 200"#, "another");
    }

    #[test]
    fn columns_may_stand_in_quotes_and_be_more() {
        let names = ["time", "agent", "status"].map(str::to_owned).to_vec();
        let layout = Layout::Delimited(",".to_owned(), names);
        check(&layout, "now,curl,200", "time=now | agent=curl | status=200");
        check(&layout, r#"now,"a, ""b""",200"#, r#"time=now | agent=a, "b" | status=200"#);
        check(&layout, "now,curl,200,9", "time=now | agent=curl | status=200 | more");
        check(&layout, "now,curl", "time=now | agent=curl | short");
        check(&layout, r#"now,"curl,200"#, r#"time=now | agent="curl | status=200"#);
    }

    #[test]
    fn a_template_that_cannot_be_read_is_refused() {
        for (text, cure) in [
            ("", "1 to 64 values"),
            ("no value", "1 to 64 values"),
            ("<a><b>", "between two values"),
            ("<a", "end each name"),
            ("<a b>", "name values"),
            ("<a*> <b*>", "mark one value"),
        ] {
            let said = Template::parse(text).expect_err("no template");
            assert!(said.contains(cure), "{text}: {said}");
        }
    }

    #[test]
    fn a_hostile_line_takes_no_longer_than_its_length_says() {
        let layouts = [
            template(r#"<a> "<b*>" <c> "<d>""#),
            Layout::Delimited(",".to_owned(), vec!["a".to_owned(); COLUMNS_MAX]),
        ];
        let lines = ["\"", "\\", "\",", "\\\"", " \"", "<"].map(|it| it.repeat(32 * 1024));
        for layout in &layouts {
            for line in &lines {
                layout.split(line, &mut |_, _, _| {});
            }
        }
    }
}
