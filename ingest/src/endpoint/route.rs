//! The object of a path whose route the gateway logged.

use super::lexical::{Object, Segments};
use model::Kind;

/// The fingerprint of what stands in a path where its route has a parameter, and the last one's
/// kind; `None` where the route has no parameter or the path is shorter.
///
/// Parameters are written `{x}`, `:x` or `<x>`; a tail (`*`, `{proxy+}`) is not one. `path` is
/// percent-decoded. A path may start with what the gateway stripped: then the route is its end.
pub fn route_object(route: &str, path: &str) -> (Option<u64>, Kind) {
    // A route may be written with its method: `GET /users/{id}`.
    let route = route.find('/').and_then(|at| route.get(at..)).unwrap_or(route);
    let (route, path) = (Segments::of(route), Segments::of(path));
    let (wanted, given) = (route.kept(), path.kept());
    let fits = |skipped: usize| {
        let given = given.iter().skip(skipped);
        wanted.iter().zip(given).all(|(want, have)| is_open(want.text) || want.text == have.text)
    };
    let stripped = given.len().saturating_sub(wanted.len());
    let skipped = if !fits(0) && fits(stripped) { stripped } else { 0 };
    let mut object = Object::new();
    for (want, have) in wanted.iter().zip(given.iter().skip(skipped)) {
        if is_open(want.text) && !is_tail(want.text) {
            object.add(have.text);
        }
    }
    object.finish()
}

/// Whether any value may stand in the place of a route's segment.
fn is_open(segment: &str) -> bool {
    segment.starts_with([':', '*', '<']) || segment.contains('{')
}

fn is_tail(segment: &str) -> bool {
    segment.contains('*') || segment.ends_with("+}") || segment.ends_with("...}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(route: &str, path: &str, values: &[&str]) {
        let mut expected = Object::new();
        for value in values {
            expected.add(value);
        }
        assert_eq!(route_object(route, path), expected.finish(), "{route} {path}");
    }

    #[test]
    fn the_values_stand_where_the_route_has_parameters() {
        check("/users/{id}", "/users/jane", &["jane"]);
        check("/users/:id/posts/<int:post>", "/users/42/posts/7", &["42", "7"]);
        check("GET /users/{id}", "/users/42", &["42"]);
        check("/users/{id:[0-9]+}.json", "/users/42.json", &["42.json"]);
        check("/users", "/users", &[]);
    }

    #[test]
    fn a_tail_is_no_parameter() {
        check("/files/{owner}/*", "/files/jane/a/b", &["jane"]);
        check("/{proxy+}", "/a/b/c", &[]);
        check("/files/{path...}", "/files/a/b", &[]);
    }

    #[test]
    fn a_prefix_that_the_gateway_stripped_is_passed_over() {
        check("/users/{id}", "/prod/users/42", &["42"]);
        check("/users/{id}", "/users", &[]);
        check("/{tenant}/users/{id}", "/acme/users/42", &["acme", "42"]);
    }
}
