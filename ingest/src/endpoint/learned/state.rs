//! The templates as a snapshot, and back.

use super::{KNOWN_MAX, METHODS, Settings, Templates};
use crate::endpoint::snapshot::{self, SnapshotError, Subject};
use crate::endpoint::trie::{self, Trie};
use model::limit::ENDPOINTS_MAX;
use model::{EndpointId, EndpointSource, Endpoints};
use serde::{Deserialize, Serialize};

/// Endpoints that there can be: the shared ones come on top of [`ENDPOINTS_MAX`].
const ROWS_MAX: usize = ENDPOINTS_MAX + 2 * METHODS.len();

/// An endpoint, with all that goes by its number but how often it was called.
#[derive(Debug, Deserialize, Serialize)]
struct Row<'a> {
    name: &'a str,
    source: u8,
    folded_into: u32,
    vars: u32,
}

/// A template that is known by its hash.
#[derive(Debug, Deserialize, Serialize)]
struct Known {
    #[serde(with = "postcard::fixint::le")]
    hash: u64,
    id: u32,
}

/// What changes with a new template or a fold: all but the settings and the counts.
#[derive(Debug, Deserialize, Serialize)]
struct Shape<'a> {
    #[serde(borrow)]
    endpoints: Vec<Row<'a>>,
    folds: u32,
    known: Vec<Known>,
    #[serde(borrow)]
    trie: trie::State<'a>,
    unrouted: [Option<u32>; METHODS.len()],
    overflow: [Option<u32>; METHODS.len()],
}

/// What changes with every call.
#[derive(Debug, Deserialize, Serialize)]
struct Counts {
    calls: Vec<u64>,
    overflowed: u64,
    untracked: u64,
}

impl Templates {
    /// The whole state as bytes: a [`Templates::import`] of them gives the same ids to the same calls.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn export(&self) -> Result<Vec<u8>, SnapshotError> {
        snapshot::pack(Subject::Whole, &(self.shape(), self.counts()))
    }

    /// All but the counts, if it changed since the last [`Templates::settle`] or `is_whole` asks for
    /// it; nothing otherwise.
    ///
    /// # Errors
    ///
    /// As [`Templates::export`].
    pub fn export_shape(&self, is_whole: bool) -> Result<Vec<u8>, SnapshotError> {
        if is_whole || self.is_changed {
            snapshot::pack(Subject::Shape, &self.shape())
        } else {
            Ok(Vec::new())
        }
    }

    /// The counts.
    ///
    /// # Errors
    ///
    /// As [`Templates::export`].
    pub fn export_counts(&self) -> Result<Vec<u8>, SnapshotError> {
        snapshot::pack(Subject::Counts, &self.counts())
    }

    /// From now on only what changes after this is a change.
    pub const fn settle(&mut self) {
        self.is_changed = false;
    }

    fn shape(&self) -> Shape<'_> {
        let of = |id: EndpointId| Row {
            name: self.endpoints.name(id),
            source: self.endpoints.source(id) as u8,
            folded_into: self.endpoints.folded_into(id).0,
            vars: self.vars.get(id.0 as usize).copied().unwrap_or_default(),
        };
        let known = self.known.iter().map(|(hash, id)| Known { hash: *hash, id: id.0 });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by_key(|it| it.hash);
        let numbers = |ids: &[Option<EndpointId>; METHODS.len()]| ids.map(|id| id.map(|id| id.0));
        Shape {
            endpoints: (0..self.endpoints.len() as u32).map(EndpointId).map(of).collect(),
            folds: self.endpoints.folds(),
            known,
            trie: self.trie.state(),
            unrouted: numbers(&self.unrouted),
            overflow: numbers(&self.overflow),
        }
    }

    fn counts(&self) -> Counts {
        Counts { calls: self.calls.clone(), overflowed: self.overflowed, untracked: self.untracked }
    }

    /// The templates that [`Templates::export`] wrote, under settings of now.
    ///
    /// # Errors
    ///
    /// The bytes are of something else, of another [`crate::endpoint::STATE_VERSION`], or damaged.
    pub fn import(settings: Settings, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (shape, counts): (Shape<'_>, Counts) = snapshot::unpack(Subject::Whole, bytes)?;
        Self::of(settings, &shape, counts)
    }

    /// The templates of a shape and of counts that were written apart.
    ///
    /// # Errors
    ///
    /// As [`Templates::import`].
    pub fn restore(settings: Settings, shape: &[u8], counts: &[u8]) -> Result<Self, SnapshotError> {
        let shape: Shape<'_> = snapshot::unpack(Subject::Shape, shape)?;
        Self::of(settings, &shape, snapshot::unpack(Subject::Counts, counts)?)
    }

    fn of(settings: Settings, state: &Shape<'_>, counts: Counts) -> Result<Self, SnapshotError> {
        let endpoints = endpoints_of(state).map_err(SnapshotError::corrupt)?;
        let len = endpoints.len();
        if counts.calls.len() != len {
            return Err(SnapshotError::corrupt("there are counts of other endpoints"));
        }
        let is_there = |id: u32| (id as usize) < len;
        let is_known = state.known.iter().all(|it| is_there(it.id))
            && state.known.is_sorted_by(|a, b| a.hash < b.hash)
            && state.known.len() <= KNOWN_MAX + ROWS_MAX;
        let mut shared = state.unrouted.iter().chain(&state.overflow).flatten();
        if !is_known || !shared.all(|id| is_there(*id)) {
            return Err(SnapshotError::corrupt("a template's endpoint is not there"));
        }
        let trie = Trie::restore(&state.trie, settings.children_max as usize, len)
            .map_err(SnapshotError::corrupt)?;
        let ids = |numbers: [Option<u32>; METHODS.len()]| numbers.map(|id| id.map(EndpointId));
        Ok(Self {
            settings,
            endpoints,
            calls: counts.calls,
            vars: state.endpoints.iter().map(|row| row.vars).collect(),
            known: state.known.iter().map(|it| (it.hash, EndpointId(it.id))).collect(),
            trie,
            unrouted: ids(state.unrouted),
            overflow: ids(state.overflow),
            names_bytes: state.endpoints.iter().map(|row| row.name.len()).sum(),
            overflowed: counts.overflowed,
            untracked: counts.untracked,
            is_changed: false,
        })
    }
}

fn endpoints_of(state: &Shape<'_>) -> Result<Endpoints, &'static str> {
    if state.endpoints.len() > ROWS_MAX {
        return Err("there are too many endpoints");
    }
    let source = |row: &Row<'_>| EndpointSource::ALL.get(usize::from(row.source)).copied();
    let rows: Option<Vec<_>> = state
        .endpoints
        .iter()
        .map(|row| Some((row.name, source(row)?, EndpointId(row.folded_into))))
        .collect();
    let rows = rows.ok_or("an endpoint's source is none")?;
    Endpoints::rebuild(rows.into_iter(), state.folds)
        .ok_or("an endpoint is part of one that is not there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{STATE_VERSION, hash, template};
    use model::{Event, Int, Time};

    fn call(templates: &mut Templates, method: &str, status: i64, path: &str) -> EndpointId {
        let mut event = Event::at(Time::from_ns(0));
        let mut name = method.to_owned() + " ";
        template(path, &mut name);
        event.endpoint_source = EndpointSource::Lexical;
        event.endpoint_hash = hash(&name);
        event.set_int(Int::HttpResponseStatusCode, status);
        templates.assign(&mut event, &name);
        event.endpoint_id
    }

    /// A word of letters only, another one for every number.
    fn word(number: usize) -> String {
        let letter = |shift: u32| char::from(b'a' + (number / 26_usize.pow(shift) % 26) as u8);
        ['w', letter(2), letter(1), letter(0)].into_iter().collect()
    }

    /// A call of a stream in which words are folded, scanners ask, and places are used again.
    fn step(templates: &mut Templates, n: usize) -> EndpointId {
        if n % 500 == 499 {
            templates.apply_folds();
        }
        let (a, b) = (word(n * 7 % 90), word(n * 13 % 311));
        match n % 5 {
            0 => call(templates, "GET", 200, &format!("/a/{a}/{}/{b}", ["x", "y", "z"][n % 3])),
            1 => call(templates, "GET", 200, &format!("/blog/{b}")),
            2 => call(templates, "POST", 404, &format!("/{b}/{a}")),
            3 => call(templates, "BREW", 200, &format!("/img/{b}.png")),
            _ => call(templates, "PUT", 201, &format!("/{}/{n}/{a}", word(n % 40))),
        }
    }

    fn again(templates: &Templates) -> Templates {
        Templates::import(Settings::default(), &templates.export().unwrap()).unwrap()
    }

    #[test]
    fn an_import_gives_the_same_ids() {
        let (mut through, mut broken) =
            (Templates::new(Settings::default()), Templates::new(Settings::default()));
        for n in 0..6_000 {
            if n % 97 == 0 || n % 500 >= 498 {
                broken = again(&broken);
            }
            assert_eq!(step(&mut broken, n), step(&mut through, n), "call {n}");
        }
        assert!(through.endpoints().folds() > 100, "something was folded");
        assert_eq!(broken.export().unwrap(), through.export().unwrap());
        assert_eq!(again(&through).export().unwrap(), through.export().unwrap());
    }

    #[test]
    fn a_shape_of_before_with_counts_of_now_is_the_state() {
        let mut templates = Templates::new(Settings::default());
        let (mut shape, mut shapes) = (templates.export_shape(true).unwrap(), 0);
        for n in 0..3_000 {
            step(&mut templates, n % 900);
            if n % 7 == 0 {
                let new = templates.export_shape(false).unwrap();
                if !new.is_empty() {
                    shape = new;
                    shapes += 1;
                }
                templates.settle();
                let counts = templates.export_counts().unwrap();
                let mut again = Templates::restore(Settings::default(), &shape, &counts).unwrap();
                let mut other = self::again(&templates);
                for look in n..n + 5 {
                    assert_eq!(step(&mut again, look), step(&mut other, look), "call {look}");
                }
            }
        }
        assert!((5..300).contains(&shapes), "{shapes} shapes: most of the stream repeats itself");
        let old = Templates::new(Settings::default()).export_counts().unwrap();
        assert!(Templates::restore(Settings::default(), &shape, &old).is_err());
        assert!(Templates::restore(Settings::default(), &old, &shape).is_err());
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let mut templates = Templates::new(Settings::default());
        for n in 0..1_200 {
            step(&mut templates, n);
        }
        let bytes = templates.export().unwrap();
        for len in (0..bytes.len()).step_by(11) {
            assert!(Templates::import(Settings::default(), &bytes[..len]).is_err(), "{len}");
        }
        for bit in (0..bytes.len() * 8).step_by(53) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(mut templates) = Templates::import(Settings::default(), &flipped) {
                templates.apply_folds();
                assert!(templates.export().is_ok());
            }
        }
        let huge = [&bytes[..10], &[0xff; 64]].concat();
        assert!(Templates::import(Settings::default(), &huge).is_err());
    }

    #[test]
    fn another_version_says_so_with_the_cure() {
        let mut bytes = Templates::new(Settings::default()).export().unwrap();
        bytes[8] += 1;
        let error = Templates::import(Settings::default(), &bytes).unwrap_err();
        assert_eq!(error, SnapshotError::Version { found: STATE_VERSION + 1 });
        let said = error.to_string();
        assert!(said.contains("version 3") && said.contains("start cold"), "{said}");
        bytes[0] += 1;
        let error = Templates::import(Settings::default(), &bytes).unwrap_err();
        assert_eq!(error, SnapshotError::Foreign);
    }

    /// The places are what is written: one that moves is another [`STATE_VERSION`].
    #[test]
    fn the_sources_and_methods_keep_their_order() {
        let sources: Vec<_> = EndpointSource::ALL.iter().map(|it| it.as_str()).collect();
        assert_eq!(sources.join(" "), "route operation lexical learned rpc unrouted overflow");
        assert_eq!(
            METHODS.join(" "),
            "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE rpc - _OTHER"
        );
    }
}
