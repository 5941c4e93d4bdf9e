//! What operations are called now: a template that was learned takes over the names it stands for.

use super::OfDay;
use ingest::endpoint::stands_for;
use model::EndpointSource;
use std::collections::BTreeMap;

/// Names of operations, and the numbers of the first and the last day on which they were used.
#[derive(Debug, Default)]
pub(crate) struct Names<'a>(BTreeMap<&'a str, (EndpointSource, i64, i64)>);

impl<'a> Names<'a> {
    /// Notes that a name was used from one day to another.
    pub(crate) fn add(&mut self, name: &'a str, source: EndpointSource, (first, last): (i64, i64)) {
        let (_, from, to) = self.0.entry(name).or_insert((source, first, last));
        *from = first.min(*from);
        *to = last.max(*to);
    }

    /// Names that a template took over, and what they are called now.
    ///
    /// Whatever is called by its own name after the template began is not one of them.
    pub(crate) fn taken_over(&self) -> BTreeMap<String, String> {
        let learned = |it: &EndpointSource| *it == EndpointSource::Learned;
        let templates: Vec<(&str, i64)> = self
            .0
            .iter()
            .filter_map(|(name, (source, first, _))| learned(source).then_some((*name, *first)))
            .collect();
        let mut all = BTreeMap::new();
        for name in self.0.keys() {
            let mut now = *name;
            // A template may be part of a later one; each has more variables than the one before.
            while let Some(next) = self.successor(now, &templates) {
                now = next;
            }
            if now != *name {
                all.insert((*name).to_owned(), now.to_owned());
            }
        }
        all
    }

    /// The template that took over a name; of several the one with the fewest variables.
    fn successor(&self, name: &str, templates: &[(&'a str, i64)]) -> Option<&'a str> {
        let (source, _, last) = self.0.get(name)?;
        if !matches!(source, EndpointSource::Lexical | EndpointSource::Learned) {
            return None;
        }
        templates
            .iter()
            .filter(|(template, first)| last <= first && stands_for(template, name))
            .map(|(template, _)| *template)
            .min_by_key(|template| (template.matches("{var}").count(), *template))
    }
}

/// The same rows under the names of now, one for each operation and day.
pub(crate) fn renamed(rows: Vec<OfDay>, now: &BTreeMap<String, String>) -> Vec<OfDay> {
    if now.is_empty() {
        return rows;
    }
    let mut sums: BTreeMap<(i64, String), OfDay> = BTreeMap::new();
    for mut row in rows {
        if let Some(name) = now.get(&row.operation) {
            row.operation.clone_from(name);
            row.source = EndpointSource::Learned;
        }
        let key = (row.day, row.operation.clone());
        if let Some(sum) = sums.get_mut(&key) {
            sum.calls += row.calls;
            sum.accepted += row.accepted;
            sum.in_findings += row.in_findings;
        } else {
            sums.insert(key, row);
        }
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{day, whose};
    use super::super::{Suggestion, profile};
    use super::*;

    fn learned(operation: &str, number: i64) -> OfDay {
        OfDay { source: EndpointSource::Learned, ..day(operation, number, (5, 5, 0)) }
    }

    /// The rows under the names of now.
    fn folded(rows: Vec<OfDay>) -> Vec<OfDay> {
        let mut names = Names::default();
        for row in &rows {
            names.add(&row.operation, row.source, (row.day, row.day));
        }
        let now = names.taken_over();
        renamed(rows, &now)
    }

    #[test]
    fn a_template_takes_over_what_was_called_by_its_name_before() {
        let mut rows: Vec<_> =
            (0..51).map(|page| day(&format!("GET /products/p{page}"), 80, (2, 2, 1))).collect();
        rows.push(learned("GET /products/{var}", 80));
        rows.push(learned("GET /products/{var}", 100));
        // Another method, a word with a meaning of its own, and one that goes on.
        rows.push(day("POST /products/p1", 80, (1, 1, 0)));
        rows.push(day("GET /products/search", 80, (1, 1, 0)));
        rows.push(day("GET /products/gone-on", 81, (1, 1, 0)));
        let rows = folded(rows);
        let done = profile(&rows, &(0..110));
        let names: Vec<_> = done.keys().copied().collect();
        let expected = [
            "GET /products/gone-on",
            "GET /products/search",
            "GET /products/{var}",
            "POST /products/p1",
        ];
        assert_eq!(names, expected);
        let template = done["GET /products/{var}"];
        assert_eq!((template.days, template.calls, template.in_findings), (2, 112, 51));
    }

    #[test]
    fn a_template_of_templates_takes_over_all_of_them() {
        let rows = folded(vec![
            day("GET /u/jane/repos/habits", 10, (1, 1, 0)),
            learned("GET /u/{var}/repos/habits", 20),
            learned("GET /u/{var}/repos/{var}", 30),
        ]);
        assert!(rows.iter().all(|it| it.operation == "GET /u/{var}/repos/{var}"), "{rows:?}");
        assert_eq!(rows.len(), 3, "a row for each day");
    }

    #[test]
    fn a_policy_that_was_made_before_knows_the_template() {
        let rows = folded(vec![day("GET /a/b", 75, (5, 5, 0)), learned("GET /a/{var}", 100)]);
        let whose = whose("app-7");
        let made = Suggestion::of(&whose, &rows, &(70..110), &(0..110), |_, _| true);
        let before = made.made_before_would_have_blocked.unwrap();
        assert_eq!((before.calls, before.blocked_calls), (5, 0));
    }
}
