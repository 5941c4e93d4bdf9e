//! The template of one path by the looks of its segments: `/users/42` is `/users/{int}`.

use super::seen;
use super::segment::{SegmentKind, classify, classify_seen};
use model::Kind;
use model::limit::PATH_SEGMENTS_MAX;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// Bytes of the name before an `OData` key, as in `Products(42)`.
const ODATA_NAME_BYTES_MAX: usize = 64;
/// Bytes of a file name's extension.
const EXTENSION_BYTES_MAX: usize = 8;
/// What stands for the segments beyond [`PATH_SEGMENTS_MAX`].
const MORE: &str = "/{more}";

/// What the template left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lexical {
    /// How many parameters the path has.
    pub params: u32,
    /// A fingerprint of the parameters' values, `None` without any.
    pub object: Option<u64>,
    /// What the last parameter is.
    pub object_kind: Kind,
    /// Whether the path changed when it was normalised: dot segments, doubled slashes, matrix
    /// parameters, segments beyond [`PATH_SEGMENTS_MAX`]. A trailing slash is no change.
    pub changed: bool,
}

/// A fixed hash of a text, the same in every run: the hash of an endpoint's name.
pub fn hash(text: &str) -> u64 {
    fixed().hash(text.as_bytes())
}

fn fixed() -> SipHasher13 {
    SipHasher13::new_with_keys(0x6861_6269_7475_7300, 1)
}

/// The values of a path's parameters, one after the other.
#[derive(Debug)]
pub(super) struct Object {
    hasher: SipHasher13,
    params: u32,
    last: Kind,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { hasher: fixed(), params: 0, last: Kind::None }
    }

    pub(super) fn add(&mut self, value: &str) {
        self.params += 1;
        self.hasher.write(value.as_bytes());
        // No segment has a slash, so two lists of values never look alike.
        self.hasher.write_u8(b'/');
        let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok());
        self.last = number.flatten().map_or(Kind::Opaque, Kind::Number);
    }

    pub(super) fn add_fingerprint(&mut self, of_values: u64) {
        self.params += 1;
        self.hasher.write_u64(of_values);
    }

    pub(super) fn finish(&self) -> (Option<u64>, Kind) {
        ((self.params > 0).then(|| self.hasher.finish()), self.last)
    }
}

/// One segment of a path and the classes of bytes in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segment<'a> {
    pub(super) text: &'a str,
    seen: u16,
}

/// The segments of a path after normalisation.
#[derive(Debug)]
pub(super) struct Segments<'a> {
    kept: [Segment<'a>; PATH_SEGMENTS_MAX],
    depth: usize,
    changed: bool,
}

impl<'a> Segments<'a> {
    /// Splits a path: `//`, `.`, `..` and what follows a `;` in a segment are resolved.
    pub(super) fn of(path: &'a str) -> Self {
        let empty = Segment { text: "", seen: 0 };
        let mut found = Self { kept: [empty; PATH_SEGMENTS_MAX], depth: 0, changed: false };
        let mut start = usize::from(path.starts_with('/'));
        let (mut matrix, mut seen) = (None, 0);
        // One pass: this runs for every event.
        for (at, byte) in path.bytes().enumerate().skip(start) {
            match byte {
                b'/' => {
                    let end = matrix.take().unwrap_or(at);
                    found.push(Segment { text: path.get(start..end).unwrap_or(""), seen }, false);
                    (start, seen) = (at + 1, 0);
                }
                b';' if matrix.is_none() => {
                    matrix = Some(at);
                    found.changed = true;
                }
                _ if matrix.is_none() => seen |= seen::CLASS[byte as usize],
                _ => {}
            }
        }
        let end = matrix.unwrap_or(path.len());
        found.push(Segment { text: path.get(start..end).unwrap_or(""), seen }, true);
        found
    }

    fn push(&mut self, segment: Segment<'a>, is_last: bool) {
        match segment.text {
            "" => self.changed |= !is_last,
            "." => self.changed = true,
            ".." => {
                self.changed = true;
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {
                if let Some(slot) = self.kept.get_mut(self.depth) {
                    *slot = segment;
                }
                self.depth += 1;
            }
        }
    }

    /// The segments that remain, [`PATH_SEGMENTS_MAX`] at most.
    pub(super) fn kept(&self) -> &[Segment<'a>] {
        self.kept.get(..self.depth).unwrap_or(&self.kept)
    }
}

/// Appends the template of a path to `out`.
///
/// The path is percent-decoded, once; `%2F`, `%25` and broken escapes are left in. What is
/// appended is at most four bytes per segment and eight bytes longer than the path.
pub fn template(path: &str, out: &mut String) -> Lexical {
    let segments = Segments::of(path);
    let mut object = Object::new();
    let absolute = path.starts_with('/');
    for (n, segment) in segments.kept().iter().enumerate() {
        if n > 0 || absolute {
            out.push('/');
        }
        write(*segment, out, &mut object);
    }
    let too_deep = segments.depth > PATH_SEGMENTS_MAX;
    if too_deep {
        out.push_str(MORE);
    } else if segments.depth == 0 && absolute {
        out.push('/');
    }
    let (fingerprint, object_kind) = object.finish();
    Lexical {
        params: object.params,
        object: fingerprint,
        object_kind,
        changed: segments.changed || too_deep,
    }
}

fn write(segment: Segment<'_>, out: &mut String, object: &mut Object) {
    let Segment { text: segment, seen } = segment;
    match classify_seen(segment, seen) {
        SegmentKind::Literal if seen & seen::PAREN != 0 && segment.ends_with(')') => {
            odata(segment, out, object);
        }
        SegmentKind::Literal if seen & seen::DOT != 0 => file(segment, out, object),
        SegmentKind::Literal | SegmentKind::Version => out.push_str(segment),
        kind => {
            if kind.is_parameter() {
                object.add(segment);
            }
            out.push_str(kind.placeholder());
        }
    }
}

/// `Products(42)`, `Products('red')`, `Lines(order=1,line=2)`.
fn odata(segment: &str, out: &mut String, object: &mut Object) {
    let key =
        segment.strip_suffix(')').and_then(|text| text.split_once('(')).filter(|(name, key)| {
            (1..=ODATA_NAME_BYTES_MAX).contains(&name.len())
                && !key.is_empty()
                && !key.contains(['{', '('])
        });
    let Some((name, key)) = key else { return out.push_str(segment) };
    let key = key.trim_matches('\'');
    object.add(key);
    out.push_str(name);
    out.push('(');
    out.push_str(match classify(key) {
        SegmentKind::Literal if key.contains(['=', ',']) => "{list}",
        SegmentKind::Literal | SegmentKind::Version | SegmentKind::Invalid => "{key}",
        kind => kind.placeholder(),
    });
    out.push(')');
}

/// `42.json`, `app.4b15624544f97cf0bb8f.js`: the extension is part of the API.
fn file(segment: &str, out: &mut String, object: &mut Object) {
    let is_extension = |text: &str| {
        (1..=EXTENSION_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && text.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let Some((stem, extension)) = segment.rsplit_once('.').filter(|(_, it)| is_extension(it))
    else {
        return out.push_str(segment);
    };
    let whole = !stem.contains('.');
    for (n, piece) in stem.split('.').enumerate() {
        if n > 0 {
            out.push('.');
        }
        let kind = classify(piece);
        let is_hash = matches!(
            kind,
            SegmentKind::Hex | SegmentKind::Uuid | SegmentKind::Ulid | SegmentKind::Token
        );
        if is_hash || (whole && kind.is_parameter()) {
            object.add(piece);
            out.push_str(kind.placeholder());
        } else {
            out.push_str(piece);
        }
    }
    out.push('.');
    out.push_str(extension);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(path: &str) -> (String, Lexical) {
        let mut out = String::new();
        let lexical = template(path, &mut out);
        (out, lexical)
    }

    fn check(path: &str, expected: &str) {
        assert_eq!(of(path).0, expected, "{path}");
    }

    /// Decodes once, as the caller does: `%2F` and what is broken stay.
    fn decoded(raw: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = raw.as_bytes();
        while let [first, after @ ..] = rest {
            let digit = |n: usize| after.get(n).and_then(|byte| char::from(*byte).to_digit(16));
            match (first, digit(0), digit(1)) {
                (b'%', Some(2), Some(15 | 5)) => bytes.push(b'%'),
                (b'%', Some(high), Some(low)) => {
                    bytes.push((high * 16 + low) as u8);
                    rest = &after[2..];
                    continue;
                }
                _ => bytes.push(*first),
            }
            rest = after;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn every_path_of_the_samples_has_its_template() {
        let file = "/../../shared/samples/formats/path_templates/path_templates.tsv";
        let Ok(samples) = std::fs::read_to_string([env!("CARGO_MANIFEST_DIR"), file].concat())
        else {
            // Seen with `--nocapture`; the samples are not part of the repository.
            return skipped();
        };
        for line in samples.lines() {
            let mut columns = line.split('\t');
            let (raw, expected) = (columns.next().unwrap(), columns.next().unwrap());
            check(&decoded(if raw == "(empty)" { "" } else { raw }), expected);
        }
    }

    fn skipped() {
        println!("skipped: no samples");
    }

    #[test]
    fn a_path_is_normalised_and_says_so() {
        for (path, expected, changed) in [
            ("/a//b/./c/../d", "/a/b/d", true),
            ("/a/b/", "/a/b", false),
            ("/a/42/../b", "/a/b", true),
            ("/../..", "/", true),
            ("/a/..;/admin", "/admin", true),
            ("/users;jsessionid=ABC123", "/users", true),
            ("*", "*", false),
            ("/", "/", false),
            ("", "", false),
        ] {
            let (out, lexical) = of(path);
            assert_eq!((out.as_str(), lexical.changed), (expected, changed), "{path}");
        }
        assert_eq!(of("/a/42/../b").1.object, None, "a value that was left again is none");
    }

    #[test]
    fn a_deep_path_is_cut() {
        let (out, lexical) = of(&"/a".repeat(PATH_SEGMENTS_MAX + 1));
        assert_eq!(out, "/a".repeat(PATH_SEGMENTS_MAX) + MORE);
        assert!(lexical.changed);
        check(&("/a".repeat(40) + &"/..".repeat(39)), "/a");
    }

    #[test]
    fn a_file_keeps_its_extension_and_a_key_its_name() {
        check("/invoices/42.json", "/invoices/{int}.json");
        check("/img/photo-20240101.jpg", "/img/{slug}.jpg");
        check("/lib/jquery.3.min.js", "/lib/jquery.3.min.js");
        check("/.well-known/openid-configuration", "/.well-known/openid-configuration");
        check("/.env", "/.env");
        check("/odata/Products('red')", "/odata/Products({key})");
        check("/odata/Lines(order=1,line=2)", "/odata/Lines({list})");
        check("/odata/Count()", "/odata/Count()");
    }

    #[test]
    fn an_object_is_all_values_and_its_kind_the_last_ones() {
        let object = |path| of(path).1.object;
        assert_eq!(object("/users/42"), object("/orders/42"), "the endpoint is not part of it");
        assert_ne!(object("/a/4/b/2"), object("/a/2/b/4"));
        assert_ne!(object("/a/4/2"), object("/a/42"));
        assert_eq!(of("/a/x/b/y").1.object, None);
        for (path, params, kind) in [
            ("/users/42", 1, Kind::Number(42)),
            ("/users/42/files/507f1f77bcf86cd799439011", 2, Kind::Opaque),
            ("/files/507f1f77bcf86cd799439011/7", 2, Kind::Number(7)),
            ("/users/99999999999999999999", 1, Kind::Opaque),
            ("/odata/Products(42)", 1, Kind::Number(42)),
            ("/users", 0, Kind::None),
            ("/%2e%2e", 0, Kind::None),
        ] {
            let (_, lexical) = of(path);
            assert_eq!((lexical.params, lexical.object_kind), (params, kind), "{path}");
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_run() {
        assert_eq!(hash(""), 0xbbf8_88d2_1f91_d405);
        assert_eq!(hash("GET /orders/{int}"), 0x65b5_d02b_14c7_cb54);
    }

    proptest! {
        #[test]
        fn a_template_is_its_own_template(path in paths()) {
            let (once, _) = of(&path);
            let (twice, lexical) = of(&once);
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(lexical.object, None);
            let segments = path.matches('/').count() + 1;
            prop_assert!(once.len() <= path.len() + 8 + 4 * segments.min(PATH_SEGMENTS_MAX));
        }
    }

    fn paths() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<String>(),
            "[0-9a-zA-Z(){}.,;@%_+:-]{0,40}",
            "[0-9]{1,12}",
            Just("/".to_owned()),
            Just("..".to_owned()),
            Just("{int}".to_owned()),
            Just("2461685a-80c9-4d9e-85e9-a3b0e9e3ea84".to_owned()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }
}
