//! JSON taken apart without being read: where the members of an object or list begin and end.
//!
//! Nothing calls itself here, and every byte is looked at once, so that no line can use up the stack or
//! take more than linear time.

use memchr::memchr2;

/// What is split is not JSON, or goes on behind its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken;

/// The members of one object or list.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    text: &'a str,
    at: usize,
    is_object: bool,
    is_first: bool,
    is_done: bool,
}

/// A member: its name, raw and without quotes (empty in a list), and its raw value.
pub(crate) type Member<'a> = (&'a str, &'a str);

impl<'a> Members<'a> {
    /// The members of a text that begins with `{` or `[`.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let text = text.trim_ascii();
        let is_object = match text.as_bytes().first()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        Some(Self { text, at: 1, is_object, is_first: true, is_done: false })
    }

    fn member(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        self.at = spaces(bytes, self.at);
        if !self.is_first {
            if bytes.get(self.at) != Some(&b',') {
                return None;
            }
            self.at = spaces(bytes, self.at + 1);
        }
        self.is_first = false;
        let mut name = "";
        if self.is_object {
            let end = string(bytes, self.at)?;
            name = self.text.get(self.at + 1..end - 1)?;
            self.at = spaces(bytes, end);
            if bytes.get(self.at) != Some(&b':') {
                return None;
            }
            self.at = spaces(bytes, self.at + 1);
        }
        let end = value(bytes, self.at)?;
        let found = self.text.get(self.at..end)?;
        self.at = end;
        Some((name, found))
    }

    /// Whether this is the end, and nothing follows it.
    fn ends(&self) -> Option<bool> {
        let bytes = self.text.as_bytes();
        let at = spaces(bytes, self.at);
        let close = if self.is_object { b'}' } else { b']' };
        (bytes.get(at) == Some(&close)).then(|| at + 1 == bytes.len())
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        if let Some(is_whole) = self.ends() {
            self.is_done = true;
            return (!is_whole).then_some(Err(Broken));
        }
        let member = self.member();
        self.is_done = member.is_none();
        Some(member.ok_or(Broken))
    }
}

/// What follows the JSON value that a text begins with; `None` where it does not end.
pub(crate) fn after_value(text: &str) -> Option<&str> {
    text.get(value(text.as_bytes(), 0)?..)
}

/// The objects of a line that holds several, one after the other, as some deliver them; `None` unless
/// there are two at least and nothing else.
pub(crate) fn objects(line: &str) -> Option<Vec<&str>> {
    let bytes = line.as_bytes();
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes.get(at) != Some(&b'{') {
            return None;
        }
        let end = nested(bytes, at)?;
        all.push(line.get(at..end)?);
        at = spaces(bytes, end);
    }
    (all.len() > 1).then_some(all)
}

fn spaces(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|it| it.is_ascii_whitespace()).count()
}

/// The place after the string that begins at `from`.
fn string(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes.get(from) != Some(&b'"') {
        return None;
    }
    let mut at = from + 1;
    loop {
        let hit = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(hit) == Some(&b'"') {
            return Some(hit + 1);
        }
        at = hit + 2;
    }
}

/// The place after the value that begins at `from`.
fn value(bytes: &[u8], from: usize) -> Option<usize> {
    match bytes.get(from)? {
        b'"' => string(bytes, from),
        b'{' | b'[' => nested(bytes, from),
        _ => {
            let rest = bytes.get(from..)?;
            let ends = |it: &u8| matches!(it, b',' | b'}' | b']') || it.is_ascii_whitespace();
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            (length > 0).then_some(from + length)
        }
    }
}

fn nested(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, from);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)], is_whole: bool) {
        let mut found: Vec<_> = Members::of(text).expect("an object or a list").collect();
        let last = found.last().copied();
        found.retain(Result::is_ok);
        let found: Vec<_> = found.into_iter().filter_map(Result::ok).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!(last != Some(Err(Broken)), is_whole, "{text}");
    }

    #[test]
    fn members_are_found_without_being_read() {
        check(
            r#" { "a" : "}\"]" , "b":[1,{"c":"\\"}],"d":null} "#,
            &[("a", r#""}\"]""#), ("b", r#"[1,{"c":"\\"}]"#), ("d", "null")],
            true,
        );
        check(
            r#"[{"a":"\x41"}, 2 ,"x"]"#,
            &[("", r#"{"a":"\x41"}"#), ("", "2"), ("", r#""x""#)],
            true,
        );
        check("[]", &[], true);
        check("{}", &[], true);
    }

    #[test]
    fn objects_may_stand_one_after_the_other() {
        assert_eq!(
            objects(r#"{"a":"}{"}{} {"b":1}"#),
            Some(vec![r#"{"a":"}{"}"#, "{}", r#"{"b":1}"#])
        );
        for line in [r#"{"a":1}"#, r#"{"a":1},{"b":1}"#, r#"{"a":1}{"b":"#, r#"{"a":1} x"#, ""] {
            assert_eq!(objects(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_broken_ends_the_members() {
        check(r#"[{"a":1},{"b":"#, &[("", r#"{"a":1}"#)], false);
        check(r#"{"a":1} more"#, &[("a", "1")], false);
        check("[1,]", &[("", "1")], false);
        check("[1 2]", &[("", "1")], false);
        check(r#"{"a" 1}"#, &[], false);
        check(r#"{"a":"#, &[], false);
        check(r#"{"a"#, &[], false);
        check("[", &[], false);
        assert!(Members::of("x").is_none() && Members::of("").is_none());
    }
}
