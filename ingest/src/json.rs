//! JSON records, read in one pass: known fields go to their slots, all else is skipped unread.

mod inner;
mod mend;
mod telemetry;
mod unread;

pub(crate) use inner::inner_names;
pub(crate) use mend::{hex, prune, repair};
pub(crate) use unread::unread;

use crate::envelope;
use crate::format::field::{Field, How, OVERRIDE, Raw, SECRET_OVERRIDE, Slot};
use crate::format::record::{Mark, Record, Value};
use crate::redact;
use model::ParseFlags;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::fmt;

/// Fields of one record that are looked at; the rest is skipped and flagged.
const FIELDS_MAX: usize = 256;
/// The part of a field's name that stands for any name.
const ANY: &str = "*";
/// Levels of objects that a field's name may go down.
const DEPTH_MAX: usize = 8;

/// The known fields of a format, by name.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    nodes: Vec<Node>,
    /// The format is OTLP: the records lie inside lists, and their attributes are pairs.
    is_telemetry: bool,
}

/// The names inside one object: a hash table that is never more than a quarter full.
#[derive(Clone, Debug)]
struct Node {
    entries: Vec<Entry>,
    mask: usize,
    /// What a name is that is none of them.
    any: Option<Entry>,
    /// Each element of a list here is a call of its own.
    is_list: bool,
}

/// A known name: what it fills, where it goes down.
#[derive(Clone, Debug, Default)]
struct Entry {
    name: Box<str>,
    field: Option<(&'static Field, u16)>,
    child: Option<usize>,
    /// The bit of a name by which envelopes are recognised.
    mark: u64,
}

impl Entry {
    /// Whether the value says anything to the format.
    const fn is_read(&self) -> bool {
        self.field.is_some() || self.child.is_some()
    }

    /// Whether the name was read before in a record, where the first value counts: what a caller added to
    /// a line that does not escape its values must not replace what the gateway wrote.
    #[inline]
    fn is_again(&self, record: &mut Record<'_>) -> bool {
        self.field.is_some_and(|(field, rank)| record.is_again(field, rank))
    }
}

impl Table {
    /// The table of a format's fields; `principal_field`, unless empty, comes before them all.
    pub(crate) fn new(fields: &'static [Field], principal_field: &str) -> Self {
        let mut draft = vec![Draft::default()];
        if !principal_field.is_empty() {
            let name = principal_field.rsplit('.').next().unwrap_or(principal_field);
            let is_secret = redact::is_credential_name(name);
            let field = if is_secret { &SECRET_OVERRIDE } else { &OVERRIDE };
            add(&mut draft, 0, principal_field, (field, 0));
        }
        for (rank, field) in (1..).zip(fields) {
            add(&mut draft, 0, field.name, (field, rank));
        }
        for name in envelope::NAMES {
            entry(&mut draft, 0, name).mark |= envelope::mark(name);
        }
        let is_telemetry = fields.iter().any(|it| it.slot == Slot::Raw(Raw::Telemetry));
        Self { nodes: draft.into_iter().map(Node::new).collect(), is_telemetry }
    }

    #[inline]
    fn find(&self, node: usize, name: &str) -> Option<&Entry> {
        let node = self.nodes.get(node)?;
        let mut index = hash(name.as_bytes()) as usize;
        loop {
            let entry = node.entries.get(index & node.mask)?;
            // Most names are written as in the table, which is quicker to see.
            if &*entry.name == name || entry.name.eq_ignore_ascii_case(name) {
                return Some(entry);
            }
            if entry.name.is_empty() {
                return node.any.as_ref();
            }
            index += 1;
        }
    }
}

#[derive(Debug, Default)]
struct Draft {
    entries: Vec<Entry>,
    is_list: bool,
}

impl Node {
    fn new(draft: Draft) -> Self {
        let size = (draft.entries.len() * 4).next_power_of_two().max(4);
        let mut entries = vec![Entry::default(); size];
        let mut any = None;
        for entry in draft.entries {
            if &*entry.name == ANY {
                any = Some(entry);
                continue;
            }
            let mut index = hash(entry.name.as_bytes()) as usize;
            while entries.get(index & (size - 1)).is_some_and(|it| !it.name.is_empty()) {
                index += 1;
            }
            if let Some(place) = entries.get_mut(index & (size - 1)) {
                *place = entry;
            }
        }
        Self { entries, mask: size - 1, any, is_list: draft.is_list }
    }
}

/// Adds a dotted name under every way to nest it: `a.b` is a key as well as `b` inside `a`.
fn add(draft: &mut Vec<Draft>, node: usize, name: &str, field: (&'static Field, u16)) {
    let flat = entry(draft, node, name);
    flat.field.get_or_insert(field);
    for (at, _) in name.match_indices('.') {
        let (head, tail) = (name.get(..at).unwrap_or(""), name.get(at + 1..).unwrap_or(""));
        // A leading dot is part of a name.
        if head.is_empty() || tail.is_empty() {
            continue;
        }
        let (head, is_list) = head.strip_suffix("[]").map_or((head, false), |head| (head, true));
        let next = draft.len();
        let child = *entry(draft, node, head).child.get_or_insert(next);
        if child == next {
            draft.push(Draft { entries: Vec::new(), is_list });
        }
        add(draft, child, tail, field);
    }
}

fn entry<'d>(draft: &'d mut [Draft], node: usize, name: &str) -> &'d mut Entry {
    let entries = &mut draft[node].entries;
    let index = entries.iter().position(|it| it.name.eq_ignore_ascii_case(name));
    let index = index.unwrap_or_else(|| {
        entries.push(Entry { name: name.into(), ..Entry::default() });
        entries.len() - 1
    });
    &mut entries[index]
}

/// A hash of a name's length, beginning and end, blind to ASCII case.
#[inline]
fn hash(name: &[u8]) -> u64 {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => short(name),
    };
    let mixed = (head | 0x2020_2020_2020_2020) ^ (tail | 0x2020_2020_2020_2020).rotate_left(29);
    let mixed = (mixed ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 40
}

/// The beginning and the end of a name of fewer than eight bytes.
#[inline]
fn short(name: &[u8]) -> (u64, u64) {
    if let (Some(head), Some(tail)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        return (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)));
    }
    let byte = |index| name.get(index).map_or(0, |it: &u8| u64::from(*it));
    (byte(0), byte(1) | byte(2) << 8)
}

/// Why a line could not be read as JSON.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Reads a line: one object, or a list of objects; calls `each` after each object.
pub(crate) fn read<'a>(
    line: &'a str,
    table: &Table,
    record: &mut Record<'a>,
    each: &mut dyn FnMut(&mut Record<'a>),
) -> Result<(), Malformed> {
    if mend::is_deep(line) {
        return Err(Malformed);
    }
    let early = if table.is_telemetry && telemetry::may_come_late(line) {
        telemetry::resources(line, table, record)?
    } else {
        Vec::new()
    };
    let mut json = sonic_rs::Deserializer::from_str(line);
    (&mut json).deserialize_any(Line { table, early, record, each }).map_err(|_| Malformed)?;
    json.end().map_err(|_| Malformed)
}

/// The names of an object in their order, and what a format knows of each: records of one log mostly
/// have the same ones, so that they need not be looked up again.
#[derive(Debug)]
pub(crate) struct Shape<'t> {
    names: Vec<(Box<str>, Option<&'t Entry>)>,
}

impl<'t> Shape<'t> {
    /// The shape of an object with these names; `None` if there are more than are looked at.
    pub(crate) fn of(names: Vec<String>, table: &'t Table) -> Option<Self> {
        let known = |name: String| {
            let entry = table.find(0, &name);
            (name.into_boxed_str(), entry)
        };
        (names.len() < FIELDS_MAX && !table.is_telemetry)
            .then(|| Self { names: names.into_iter().map(known).collect() })
    }
}

/// Fills a record from a line that is one object of this shape, and nothing else.
pub(crate) fn read_alike<'a>(
    line: &'a str,
    table: &Table,
    shape: &Shape<'_>,
    record: &mut Record<'a>,
) -> Result<(), Malformed> {
    if mend::is_deep(line) {
        return Err(Malformed);
    }
    record.clear();
    let mut json = sonic_rs::Deserializer::from_str(line);
    (&mut json).deserialize_map(Alike { table, shape, record }).map_err(|_| Malformed)?;
    json.end().map_err(|_| Malformed)
}

struct Alike<'t, 'r, 'a> {
    table: &'t Table,
    shape: &'t Shape<'t>,
    record: &'r mut Record<'a>,
}

impl<'a> Visitor<'a> for Alike<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the same shape")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, shape, record } = self;
        let mut names = shape.names.iter();
        while let Some(entry) = map.next_key_seed(Expected(names.next()))? {
            record.fields += 1;
            record.marks |= entry.map_or(0, |it| it.mark);
            match entry.filter(|it| it.is_read() && !it.is_again(record)) {
                Some(entry) => {
                    map.next_value_seed(Scalar { table, entry, depth: 0, in_list: false, record })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if names.next().is_some() {
            return Err(A::Error::custom("a name is missing"));
        }
        Ok(())
    }
}

/// The next name of a shape.
struct Expected<'t>(Option<&'t (Box<str>, Option<&'t Entry>)>);

impl<'a, 't> DeserializeSeed<'a> for Expected<'t> {
    type Value = Option<&'t Entry>;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for Expected<'t> {
    type Value = Option<&'t Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same key")
    }

    #[inline]
    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match self.0 {
            Some((expected, entry)) if **expected == *name => Ok(*entry),
            _ => Err(E::custom("another name")),
        }
    }
}

struct Line<'t, 'r, 'a> {
    table: &'t Table,
    /// What the resources of OTLP say that stand behind their records.
    early: Vec<Mark<'a>>,
    record: &'r mut Record<'a>,
    each: &'r mut dyn FnMut(&mut Record<'a>),
}

impl<'a> Visitor<'a> for Line<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        if self.table.is_telemetry {
            return telemetry::Walk::new(self.table, self.record, self.each, self.early).all(map);
        }
        self.record.clear();
        Object { table: self.table, node: 0, depth: 0, in_list: false, record: self.record }
            .visit_map(map)?;
        (self.each)(self.record);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            self.record.clear();
            let (table, record) = (self.table, &mut *self.record);
            let object = Object { table, node: 0, depth: 0, in_list: false, record };
            if seq.next_element_seed(object)?.is_none() {
                return Ok(());
            }
            (self.each)(self.record);
        }
    }
}

struct Object<'t, 'r, 'a> {
    table: &'t Table,
    node: usize,
    depth: usize,
    /// Other objects of the same list have the same names.
    in_list: bool,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, depth, in_list, record } = self;
        while let Some(entry) = map.next_key_seed(Name { table, node })? {
            record.fields += 1;
            if depth == 0 {
                record.marks |= entry.map_or(0, |it| it.mark);
            }
            match entry.filter(|it| it.is_read() && (in_list || !it.is_again(record))) {
                Some(entry) if record.fields <= FIELDS_MAX => {
                    map.next_value_seed(Scalar { table, entry, depth, in_list, record })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if record.fields > FIELDS_MAX {
            record.flags.insert(ParseFlags::TRUNCATED);
        }
        Ok(())
    }
}

/// Looks a key up without keeping it.
struct Name<'t> {
    table: &'t Table,
    node: usize,
}

impl<'a, 't> DeserializeSeed<'a> for Name<'t> {
    type Value = Option<&'t Entry>;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for Name<'t> {
    type Value = Option<&'t Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.table.find(self.node, name))
    }
}

/// The value of a known name.
struct Scalar<'t, 'r, 'a> {
    table: &'t Table,
    entry: &'t Entry,
    depth: usize,
    in_list: bool,
    record: &'r mut Record<'a>,
}

impl<'a> Scalar<'_, '_, 'a> {
    #[inline]
    fn put(self, value: Value<'a>) {
        if let Some((field, rank)) = self.entry.field {
            self.record.put(field, rank, value);
        }
    }
}

impl<'a> DeserializeSeed<'a> for Scalar<'_, '_, 'a> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Scalar<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    #[inline]
    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.put(Value::Line(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if let Some((field, rank)) = self.entry.field {
            self.record.put_copied(field, rank, text);
        }
        Ok(())
    }

    #[inline]
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => self.put(Value::Int(number)),
            // An id of 64 bits keeps its digits; a time or size of this height is no number of ours.
            Err(_) => return self.visit_str(&number.to_string()),
        }
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.put(Value::Int(number));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.put(Value::Float(number));
        Ok(())
    }

    fn visit_bool<E>(self, is_set: bool) -> Result<(), E> {
        if self.entry.field.is_some_and(|(field, _)| field.how == How::Flag) {
            self.put(Value::Line(if is_set { "true" } else { "false" }));
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, entry, depth, in_list, record } = self;
        if let Some(node) = entry.child
            && depth < DEPTH_MAX
        {
            return Object { table, node, depth: depth + 1, in_list, record }.visit_map(map);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { table, entry, depth, in_list: _, record } = self;
        let is_list = entry.child.and_then(|it| table.nodes.get(it)).is_some_and(|it| it.is_list);
        let mut elements = 0_usize;
        if depth >= DEPTH_MAX {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let depth = depth + 1;
        while seq
            .next_element_seed(Scalar { table, entry, depth, in_list: true, record: &mut *record })?
            .is_some()
        {
            elements += 1;
            if is_list {
                record.end_call();
            }
        }
        // Of addresses all count.
        let is_last = |(field, _): (&Field, u16)| field.slot != Slot::Raw(Raw::Forwarded);
        if elements > 1 && entry.field.is_some_and(is_last) {
            record.flags.insert(ParseFlags::LIST_VALUE);
        }
        Ok(())
    }
}

/// The names in the first object of a line.
pub(crate) fn names(line: &str) -> Result<Vec<String>, Malformed> {
    if mend::is_deep(line) {
        return Err(Malformed);
    }
    let mut json = sonic_rs::Deserializer::from_str(line);
    (&mut json).deserialize_any(Names).map_err(|_| Malformed)
}

struct Names;

impl<'a> DeserializeSeed<'a> for Names {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Names {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if names.len() < FIELDS_MAX {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let names = seq.next_element_seed(Self)?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        names.ok_or_else(|| A::Error::custom("an empty list"))
    }
}
