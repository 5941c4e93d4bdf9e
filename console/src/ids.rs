//! Ids as people type them: whole, or a beginning that only one of them has.

use crate::ask::{Row, Rows};
use crate::page::Problem;
use axum::http::StatusCode;

/// Characters of an id that is typed at least.
const CHARS_MIN: usize = 4;
/// Characters of an id at most.
const CHARS_MAX: usize = 40;

/// What has such an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Finding,
    Incident,
}

impl Kind {
    /// The column of the id.
    const fn column(self) -> &'static str {
        match self {
            Self::Finding => "finding_id",
            Self::Incident => "incident_id",
        }
    }

    /// The beginning to ask the store for: of what could be one.
    pub(crate) fn prefix(self, typed: &str) -> Result<String, Problem> {
        let prefix = typed.to_ascii_lowercase();
        let is_id = prefix.chars().all(|it| it.is_ascii_hexdigit() || it == '-');
        match prefix.len() {
            CHARS_MIN..=CHARS_MAX if is_id => Ok(prefix),
            0..CHARS_MIN if is_id => Err(self.problem(&format!(
                "This is too short for an id: give its first {CHARS_MIN} or more characters."
            ))),
            _ => Err(self.missing()),
        }
    }

    /// The one that is meant, of those whose ids begin so.
    pub(crate) fn chosen<'a>(self, rows: &'a Rows, typed: &str) -> Result<Row<'a>, Problem> {
        let column = self.column();
        let whole = rows.iter().find(|row| row.text(column).eq_ignore_ascii_case(typed));
        match (whole, rows.len()) {
            (Some(row), _) => Ok(row),
            (None, 1) => rows.first().ok_or_else(|| self.missing()),
            (None, 0) => Err(self.missing()),
            (None, _) => Err(self.problem(match self {
                Self::Finding => "More than one finding begins so: give more of its id.",
                Self::Incident => "More than one incident begins so: give more of its id.",
            })),
        }
    }

    fn missing(self) -> Problem {
        self.problem(match self {
            Self::Finding => {
                "The store has no finding of this id: the list of findings has all that there are."
            }
            Self::Incident => {
                "The store has no incident of this id: the list of incidents has the most severe."
            }
        })
    }

    fn problem(self, text: &str) -> Problem {
        let title = match self {
            Self::Finding => "No such finding",
            Self::Incident => "No such incident",
        };
        Problem::new(StatusCode::NOT_FOUND, title, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_meant_by_its_id_or_a_beginning_that_only_it_has() {
        let check = |ids: &[&str], typed: &str, expected: Result<&str, StatusCode>| {
            for kind in [Kind::Finding, Kind::Incident] {
                let cells: Vec<[&str; 1]> = ids.iter().map(|id| [*id]).collect();
                let cells: Vec<&[&str]> = cells.iter().map(|it| &it[..]).collect();
                let rows = Rows::made_of(&[kind.column()], &cells);
                let found = kind.chosen(&rows, typed).map(|row| row.text(kind.column()));
                assert_eq!(found.map_err(|it| it.status), expected, "{kind:?} {typed}");
            }
        };
        check(&["abcd-1"], "abcd", Ok("abcd-1"));
        check(&["abcd", "abcd-1"], "ABCD", Ok("abcd"));
        check(&["abcd-1", "abcd-2"], "abcd", Err(StatusCode::NOT_FOUND));
        check(&[], "abcd", Err(StatusCode::NOT_FOUND));
    }

    #[test]
    fn whoever_types_too_little_is_told_how_much_is_needed() {
        for kind in [Kind::Finding, Kind::Incident] {
            for (typed, is_short) in [("1", true), ("abc", true), ("xyz", false), ("abcg", false)] {
                let said = kind.prefix(typed).unwrap_err().text;
                assert_eq!(
                    said.contains("first 4 or more characters"),
                    is_short,
                    "{typed}: {said}"
                );
            }
        }
    }

    #[test]
    fn what_can_be_no_id_is_not_asked_for() {
        assert_eq!(Kind::Incident.prefix("00AB-1"), Ok("00ab-1".to_owned()));
        for wrong in ["", "abc", "abcg", "ab d", "ab%5f", &"a".repeat(41)] {
            assert_eq!(
                Kind::Incident.prefix(wrong).map_err(|it| it.status).err(),
                Some(StatusCode::NOT_FOUND),
                "{wrong}"
            );
        }
    }
}
