//! The names inside the objects of a record: what tells formats apart that share an envelope.

use super::mend::is_deep;
use super::{FIELDS_MAX, Malformed};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The names inside the objects of the first object of a line, as `outer.inner`; a list stands for its
/// first element.
pub(crate) fn inner_names(line: &str) -> Result<Vec<String>, Malformed> {
    if is_deep(line) {
        return Err(Malformed);
    }
    let mut names = Vec::new();
    let mut json = sonic_rs::Deserializer::from_str(line);
    let inner = Inner { outer: None, names: &mut names };
    inner.deserialize(&mut json).map_err(|_| Malformed)?;
    Ok(names)
}

/// An object: the first of a line where it has no name.
struct Inner<'n> {
    outer: Option<String>,
    names: &'n mut Vec<String>,
}

impl<'a> DeserializeSeed<'a> for Inner<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Inner<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { outer, names } = self;
        while let Some(name) = map.next_key::<String>()? {
            match &outer {
                None => map.next_value_seed(Inner { outer: Some(name), names: &mut *names })?,
                Some(outer) => {
                    map.next_value::<IgnoredAny>()?;
                    if names.len() < FIELDS_MAX {
                        names.push(format!("{outer}.{name}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        // Of a list of objects the first shows what they are.
        if seq.next_element_seed(self)?.is_some() {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
