//! What of a typed text is no question. A server that only reads changes no table, but writes into what
//! functions stand for, such as files and other servers, and ends questions of the same user.

/// What a text begins with that only reads.
const READING: [&str; 6] = ["SELECT", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS"];
/// What puts several statements into one text.
const SEVERAL: &str = "PARALLEL";
/// What writes; it may stand behind WITH and EXPLAIN too.
const WRITES: &str = "INSERT";
/// What ends questions.
const ENDS: &str = "KILL";

/// The statement in a text that would do more than to read, if there may be one. Of texts that begin with
/// WITH, even the word in quotes is taken for it: what is in quotes, only the server knows for sure.
pub(super) fn refused(sql: &str) -> Option<&'static str> {
    let begun = begun(sql);
    let first = begun.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if first.eq_ignore_ascii_case(ENDS) {
        return Some(ENDS);
    }
    let is_reading =
        READING.iter().any(|it| first.eq_ignore_ascii_case(it)) && !has_word(begun, SEVERAL);
    (!is_reading && has_word(sql, WRITES)).then_some(WRITES)
}

fn has_word(text: &str, word: &str) -> bool {
    let ends = |c: char| !(c.is_ascii_alphabetic() || c == '_');
    text.split(ends).any(|it| it.eq_ignore_ascii_case(word))
}

/// The text from its first word on, without brackets and comments before it.
fn begun(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        if let Some(line) = rest.strip_prefix("--").or_else(|| rest.strip_prefix('#')) {
            rest = line.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(text) = rest.strip_prefix("/*") {
            rest = after_comment(text);
        } else {
            return rest;
        }
    }
}

/// What follows a comment, which may hold others.
fn after_comment(text: &str) -> &str {
    let (mut rest, mut depth) = (text, 1_u32);
    while depth > 0 {
        let Some((at, _)) = rest.char_indices().find(|(at, _)| {
            let here = rest.get(*at..).unwrap_or_default();
            here.starts_with("/*") || here.starts_with("*/")
        }) else {
            return "";
        };
        let here = rest.get(at..).unwrap_or_default();
        depth = if here.starts_with("/*") { depth.saturating_add(1) } else { depth - 1 };
        rest = here.get(2..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_more_than_to_read_is_no_question() {
        for (sql, expected) in [
            ("INSERT INTO FUNCTION file('a.csv') SELECT 1", Some("INSERT")),
            (
                "-- a\n /* b /* c */ SELECT */ ( insert INTO FUNCTION url('x') SELECT 1",
                Some("INSERT"),
            ),
            ("WITH 1 AS x INSERT INTO FUNCTION file('a.csv') SELECT x", Some("INSERT")),
            ("WITH (SELECT 1)INSERT INTO FUNCTION file('a.csv') SELECT 1", Some("INSERT")),
            ("EXPLAIN PIPELINE INSERT INTO FUNCTION file('a.csv') SELECT 1", Some("INSERT")),
            ("SELECT 1 PARALLEL WITH INSERT INTO FUNCTION file('a') SELECT 1", Some("INSERT")),
            ("/* open SELECT INSERT", Some("INSERT")),
            ("kill QUERY WHERE 1", Some("KILL")),
            ("SELECT * FROM windows WHERE entity = 'POST /insert'", None),
            ("-- INSERT\n# INSERT\n/* INSERT */ (SELECT 1)", None),
            ("WITH x AS (SELECT inserted_at, insert_errors FROM t) SELECT * FROM x", None),
            ("EXPLAIN SELECT 1", None),
            ("SELEKT 1", None),
            ("", None),
        ] {
            assert_eq!(refused(sql), expected, "{sql}");
        }
    }
}
