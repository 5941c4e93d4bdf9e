//! Tests of the learned tier, call by call.

use super::*;
use crate::endpoint::template;
use model::{Int, Time};

/// The templates after calls of the form `GET 200 /path`.
struct Seen(Templates);

impl Seen {
    fn new() -> Self {
        Self(Templates::new(Settings::default()))
    }

    fn call(&mut self, method: &str, status: i64, path: &str) -> Event {
        let mut event = Event::at(Time::from_ns(0));
        let mut name = method.to_owned() + " ";
        let lexical = template(path, &mut name);
        (event.object, event.object_kind) = (lexical.object, lexical.object_kind);
        event.endpoint_source = EndpointSource::Lexical;
        event.endpoint_hash = hash(&name);
        event.set_int(Int::HttpResponseStatusCode, status);
        self.0.assign(&mut event, &name);
        event
    }

    fn calls(&mut self, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            self.call("GET", 200, &path);
        }
    }

    fn name(&mut self, path: &str) -> String {
        let event = self.call("GET", 200, path);
        self.0.endpoints().name(event.endpoint_id).to_owned()
    }
}

/// A word of letters only, another one for every number.
fn word(number: usize) -> String {
    let letter = |shift: u32| char::from(b'a' + (number / 26_usize.pow(shift) % 26) as u8);
    ['w', letter(3), letter(2), letter(1), letter(0)].into_iter().collect()
}

#[test]
fn slugs_are_folded_at_the_boundary_and_not_before() {
    let mut seen = Seen::new();
    seen.calls((0..60).map(|n| format!("/blog/{}", word(n))));
    assert_eq!(seen.name("/blog/waaaa"), "GET /blog/waaaa");
    let old = seen.call("GET", 200, "/blog/waaab").endpoint_id;

    assert_eq!(seen.0.apply_folds(), 60);
    assert_eq!(seen.name("/blog/waaaa"), "GET /blog/{var}");
    assert_eq!(seen.name("/blog/never-seen-before"), "GET /blog/{var}");
    let new = seen.call("GET", 200, "/blog/waaab");
    assert_eq!(seen.0.endpoints().resolve(old), new.endpoint_id, "a fold moves the ids");
    assert_eq!(new.endpoint_source, EndpointSource::Learned);
    assert_eq!(seen.0.apply_folds(), 0, "there is nothing left to fold");
}

#[test]
fn what_follows_a_folded_word_is_kept_apart() {
    let mut seen = Seen::new();
    for n in 0..60 {
        let user = word(n);
        seen.calls([format!("/u/{user}"), format!("/u/{user}/repos")]);
        seen.calls((0..3).map(|repo| format!("/u/{user}/repos/{user}{}", word(repo))));
        seen.call("POST", 201, &format!("/u/{user}/keys"));
    }
    let (get, post, again) = (60 * 5, 60, 60 * 3);
    assert_eq!(seen.0.apply_folds(), get + post + again, "a repository is folded twice");
    assert_eq!(seen.name("/u/jane"), "GET /u/{var}");
    assert_eq!(seen.name("/u/jane/repos"), "GET /u/{var}/repos");
    assert_eq!(seen.name("/u/jane/repos/habits"), "GET /u/{var}/repos/{var}");
    assert_eq!(seen.name("/u/jane/repos/habits/issues"), "GET /u/{var}/repos/{var}/issues");
    assert_eq!(seen.name("/u/me/repos"), "GET /u/me/repos", "a reserved word stays");
}

#[test]
fn static_siblings_stay() {
    let mut seen = Seen::new();
    seen.calls((0..40).map(|n| format!("/users/{}", word(n))));
    seen.calls(["/users/list".to_owned(), "/users/export".to_owned()]);
    // The operations of sixty services have nothing in common.
    seen.calls((0..60).map(|n| format!("/api/{}/{}", word(n), word(n + 100))));
    // One of sixty pages has nearly all the calls.
    seen.calls((0..60).map(|n| format!("/pages/{}", word(n))));
    seen.calls((0..900).map(|_| "/pages/waaaa".to_owned()));
    assert_eq!(seen.0.apply_folds(), 0);
}

#[test]
fn files_are_folded_by_their_extension() {
    let mut seen = Seen::new();
    seen.calls((0..60).map(|n| format!("/img/{}.png", word(n))));
    seen.calls((0..9).map(|n| format!("/img/{}.css", word(n))));
    assert_eq!(seen.0.apply_folds(), 60);
    assert_eq!(seen.name("/img/cat.png"), "GET /img/{var}.png");
    assert_eq!(seen.name("/img/site.css"), "GET /img/site.css");
}

#[test]
fn scanners_teach_nothing() {
    let mut seen = Seen::new();
    seen.call("GET", 200, "/orders/1");
    for n in 0..100_000 {
        let event = seen.call("GET", 404, &format!("/{}/{}", word(n), word(n / 7)));
        assert_eq!(event.endpoint_source, EndpointSource::Unrouted);
    }
    let refused = seen.call("GET", 403, "/orders/2");
    assert_eq!(seen.0.endpoints().name(refused.endpoint_id), "GET /orders/{int}");
    assert_eq!(seen.0.endpoints().len(), 2);
    assert_eq!((seen.0.known.len(), seen.0.trie.len()), (1, 3));
    assert_eq!(seen.0.apply_folds(), 0);
}

#[test]
fn a_probe_cannot_make_a_variable_segment() {
    let mut seen = Seen::new();
    seen.calls(["/api/orders".to_owned(), "/api/{var}".to_owned()]);
    assert_eq!(seen.name("/api/users"), "GET /api/users");
    assert_eq!(seen.name("/api/{var}"), "GET {unrouted}");
}

#[test]
fn too_many_endpoints_share_one() {
    let mut seen = Seen::new();
    // Every path has its own words, so that nothing can be folded.
    seen.calls((0..70_000).map(|n| format!("/{}/{}/{n}", word(n / 300), word(n))));
    assert_eq!(seen.name("/never/seen/before"), "GET {overflow}");
    assert!(seen.0.endpoints().len() <= ENDPOINTS_MAX);
    assert_eq!(seen.0.overflowed() as usize, 70_001 - (ENDPOINTS_MAX - ENDPOINTS_RESERVED));
}

#[test]
fn a_crowd_waits_for_the_fold() {
    let mut seen = Seen::new();
    seen.calls((0..10_000).map(|n| format!("/blog/{}", word(n))));
    assert_eq!(seen.0.overflowed(), 10_000 - 4_096);
    assert_eq!(seen.0.apply_folds(), 4_096);
    assert_eq!(seen.name("/blog/another"), "GET /blog/{var}");
}

#[test]
fn the_object_takes_in_what_was_folded() {
    let mut seen = Seen::new();
    seen.calls((0..60).map(|n| format!("/u/{}/posts/{n}", word(n))));
    let before = seen.call("GET", 200, "/u/waaaa/posts/7");
    seen.0.apply_folds();
    let [jane, joe, jane_8] = ["/u/jane/posts/7", "/u/joe/posts/7", "/u/jane/posts/8"]
        .map(|path| seen.call("GET", 200, path));
    assert_eq!(before.object, seen.call("GET", 200, "/x/7").object);
    assert_ne!(jane.object, joe.object);
    assert_ne!(jane.object, jane_8.object);
    assert_eq!(jane_8.object_kind, Kind::Number(8));
    seen.calls((0..60).map(|n| format!("/blog/{}", word(n))));
    seen.0.apply_folds();
    assert_eq!(seen.call("GET", 404, "/blog/x").object_kind, Kind::Opaque);
}

#[test]
fn a_route_is_taken_as_it_is() {
    let mut seen = Seen::new();
    for n in 0..60 {
        let name = format!("GET /v1/{}", word(n));
        let mut event = Event::at(Time::from_ns(0));
        event.endpoint_source = EndpointSource::Route;
        event.endpoint_hash = hash(&name);
        seen.0.assign(&mut event, &name);
        assert_eq!(seen.0.endpoints().name(event.endpoint_id), name);
    }
    assert_eq!(seen.0.apply_folds(), 0);
}

#[test]
fn the_same_calls_give_the_same_endpoints() {
    let run = || {
        let mut seen = Seen::new();
        let mut ids = Vec::new();
        for n in 0..5_000_usize {
            let (a, b) = (word(n * 7 % 90), word(n * 13 % 77));
            let path = format!("/a/{a}/{}/{b}", ["x", "y", "z"][n % 3]);
            ids.push(seen.call("GET", 200, &path).endpoint_id);
            if n % 1_000 == 999 {
                seen.0.apply_folds();
            }
        }
        let endpoints = seen.0.endpoints();
        let name = |n: usize| endpoints.name(EndpointId(n as u32)).to_owned();
        (ids, (0..endpoints.len()).map(name).collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_template_stands_for_the_words_that_it_took_over() {
    for (template, name, expected) in [
        ("GET /blog/{var}", "GET /blog/hello", true),
        ("GET /blog/{var}/{int}", "GET /blog/hello/{int}", true),
        ("GET /img/{var}.png", "GET /img/cat.png", true),
        ("GET /u/{var}/repos/{var}", "GET /u/{var}/repos/habits", true),
        ("GET /blog/{var}", "GET /blog/{var}", false),
        ("GET /blog/{var}", "POST /blog/hello", false),
        ("GET /blog/{var}", "GET /blog/search", false),
        ("GET /blog/{var}", "GET /blog/{int}", false),
        ("GET /blog/{var}", "GET /blog/hello/more", false),
        ("GET /blog/{var}", "GET /blog", false),
        ("GET /img/{var}.png", "GET /img/cat.jpg", false),
        ("GET /{var}", "GET {unrouted}", false),
        ("GET /{var}", "listOrders", false),
    ] {
        let found = crate::endpoint::stands_for(template, name);
        assert_eq!(found, expected, "{template} for {name}");
    }
}
