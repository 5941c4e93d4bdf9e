//! What is wrong with a text that the engine cannot read as one question: where, and what to do about it.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use model::plain;

/// What the parser's own words begin with.
const PARSER: &str = "sql parser error: ";
/// What stands there between what is wrong and where.
const PLACE: &str = " at Line: ";
/// What it says where the text ends too early.
const END: &str = "found: EOF";
/// Characters of what is wrong: the parser may quote a long literal, and the cure stands behind it.
const WHAT_CHARS_MAX: usize = 300;

/// What the parser says, as whoever typed the text can use it.
pub(crate) fn misread(said: &str) -> String {
    let said = said.strip_prefix(PARSER).unwrap_or(said);
    let (what, place) = match said.rsplit_once(PLACE) {
        Some((what, at)) => {
            (what, format!(" at line {}", at.replacen(", Column: ", ", column ", 1)))
        }
        None if said.ends_with(END) => (said, " at its end".to_owned()),
        None => (said, String::new()),
    };
    let what = what.replacen("Expected: ", "expected ", 1).replacen(", found: ", ", found ", 1);
    let what = what.replace("found EOF", "found nothing more");
    let cure = cure(&what);
    format!("the SQL cannot be read{place} ({}): {cure}", plain::cut(&what, WHAT_CHARS_MAX))
}

/// What may help.
fn cure(what: &str) -> &'static str {
    if what.starts_with("expected an SQL statement") {
        "begin with SELECT, WITH, EXPLAIN, SHOW or DESCRIBE"
    } else if what.contains("Unterminated") {
        "close the quote that begins there"
    } else if what.contains("recursion limit") {
        "nest it less"
    } else if what.starts_with("expected end of statement") {
        "look for a misspelt word or a missing comma just before it, and ask one statement at a time"
    } else {
        "look at what stands there and just before it"
    }
}

/// Where the second statement of a text begins, from line 1 and column 1; none where it has only one.
pub(crate) fn second(sql: &str) -> Option<(u64, u64)> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let behind = tokens.iter().skip_while(|it| it.token != Token::SemiColon);
    let is_text =
        |token: &Token| !matches!(token, Token::SemiColon | Token::Whitespace(_) | Token::EOF);
    let start = behind.map(|it| (&it.token, it.span.start)).find(|(it, _)| is_text(it))?.1;
    Some((start.line, start.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_says_has_a_place_and_a_cure() {
        let check = |said: &str, expected: &str| assert_eq!(misread(said), expected, "{said}");
        check(
            "sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1",
            "the SQL cannot be read at line 1, column 1 (expected an SQL statement, found SELEC): \
             begin with SELECT, WITH, EXPLAIN, SHOW or DESCRIBE",
        );
        check(
            "sql parser error: Expected: ), found: EOF",
            "the SQL cannot be read at its end (expected ), found nothing more): look at what \
             stands there and just before it",
        );
        check(
            "sql parser error: Unterminated string literal at Line: 2, Column: 8",
            "the SQL cannot be read at line 2, column 8 (Unterminated string literal): close the \
             quote that begins there",
        );
        check(
            "sql parser error: Expected: end of statement, found: FORM at Line: 1, Column: 31",
            "the SQL cannot be read at line 1, column 31 (expected end of statement, found FORM): \
             look for a misspelt word or a missing comma just before it, and ask one statement at \
             a time",
        );
        check(
            "sql parser error: recursion limit exceeded",
            "the SQL cannot be read (recursion limit exceeded): nest it less",
        );
        let long = format!("sql parser error: Expected: x, found: {}", "y".repeat(9_000));
        assert!(misread(&long).ends_with("): look at what stands there and just before it"));
    }

    #[test]
    fn the_second_statement_is_where_it_begins() {
        for (sql, expected) in [
            ("SELECT 1; SELECT 2", Some((1, 11))),
            ("SELECT ';';\n-- then\n  DROP TABLE findings", Some((3, 3))),
            ("SELECT 1;; ", None),
            ("SELECT 1 -- ; SELECT 2", None),
            ("SELECT ';", None),
            ("", None),
        ] {
            assert_eq!(second(sql), expected, "{sql}");
        }
    }
}
