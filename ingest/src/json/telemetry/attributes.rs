//! Attributes of OTLP: lists of a key and a value each, which says what kind of value it is.

use crate::format::record::Record;
use crate::json::{DEPTH_MAX, Entry, FIELDS_MAX, Name, Scalar, Table};
use model::ParseFlags;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What an attribute or its value holds under a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Key,
    Value,
    /// `stringValue` and its like.
    Scalar,
    /// `arrayValue`, and the list inside it.
    List,
    /// `kvlistValue`.
    Pairs,
    Other,
}

pub(super) struct WordName;

impl<'a> DeserializeSeed<'a> for WordName {
    type Value = Word;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Word, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for WordName {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Word, E> {
        Ok(match name {
            "key" => Word::Key,
            "value" => Word::Value,
            "stringValue" | "intValue" | "doubleValue" | "string_value" | "int_value"
            | "double_value" => Word::Scalar,
            "arrayValue" | "array_value" | "values" => Word::List,
            "kvlistValue" | "kvlist_value" => Word::Pairs,
            _ => Word::Other,
        })
    }
}

/// A list of attributes, each with a key and a value; also `{"values": [...]}`.
pub(super) struct Pairs<'t, 'r, 'a> {
    pub(super) table: &'t Table,
    pub(super) node: usize,
    pub(super) depth: usize,
    pub(super) record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Pairs<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Pairs<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of attributes")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, depth, record } = self;
        while let Some(word) = map.next_key_seed(WordName)? {
            if word == Word::List && depth < DEPTH_MAX {
                map.next_value_seed(Pairs { table, node, depth, record: &mut *record })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { table, node, depth, record } = self;
        while record.fields <= FIELDS_MAX {
            if seq.next_element_seed(Pair { table, node, depth, record: &mut *record })?.is_none() {
                return Ok(());
            }
        }
        record.flags.insert(ParseFlags::TRUNCATED);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// One attribute.
struct Pair<'t, 'r, 'a> {
    table: &'t Table,
    node: usize,
    depth: usize,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Pair<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Pair<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, depth, record } = self;
        record.fields += 1;
        let (mut is_named, mut entry, mut held) = (false, None, Vec::new());
        while let Some(word) = map.next_key_seed(WordName)? {
            match (word, entry) {
                (Word::Key, _) => {
                    entry = map.next_value_seed(Name { table, node })?;
                    is_named = true;
                }
                (Word::Value, Some(entry)) => {
                    map.next_value_seed(Put { table, entry, depth, record: &mut *record })?;
                }
                // Producers write the key first, and nothing says that they must.
                (Word::Value, None) if !is_named => held = map.next_value_seed(Held)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some((field, rank)) = entry.and_then(|it| it.field) {
            for text in held {
                record.put_copied(field, rank, &text);
            }
        }
        Ok(())
    }
}

/// The value of a known attribute; of a list, each element in turn.
struct Put<'t, 'r, 'a> {
    table: &'t Table,
    entry: &'t Entry,
    depth: usize,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Put<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Put<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an attribute")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, entry, depth, record } = self;
        while let Some(word) = map.next_key_seed(WordName)? {
            let record = &mut *record;
            match (word, entry.child) {
                (Word::Scalar, _) => {
                    map.next_value_seed(Scalar { table, entry, depth, in_list: true, record })?;
                }
                (Word::List, _) if depth < DEPTH_MAX => {
                    map.next_value_seed(Put { table, entry, depth: depth + 1, record })?;
                }
                (Word::Pairs, Some(node)) if depth < DEPTH_MAX => {
                    map.next_value_seed(Pairs { table, node, depth: depth + 1, record })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { table, entry, depth, record } = self;
        while seq.next_element_seed(Put { table, entry, depth, record: &mut *record })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The scalars of a value that stands before its key, as texts.
struct Held;

impl<'a> DeserializeSeed<'a> for Held {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Held {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an attribute")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut held = Vec::new();
        while let Some(word) = map.next_key_seed(WordName)? {
            if matches!(word, Word::Scalar | Word::List) {
                held.extend(map.next_value_seed(Self)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(held)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut held = Vec::new();
        while let Some(more) = seq.next_element_seed(Self)? {
            held.extend(more);
        }
        Ok(held)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}
