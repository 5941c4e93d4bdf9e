//! OTLP in JSON: resources, in them scopes, in them log records and spans, each a record of its own.

mod attributes;

use super::{Entry, Malformed, Scalar, Table};
use crate::format::record::{Mark, Record};
use crate::reject::Reject;
use attributes::{Pairs, Word, WordName};
use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The name under which a format's table has the fields of a resource.
const RESOURCE: &str = "resource";
/// The name under which it has those of a log record or span that are no attributes.
const RECORD: &str = "record";

/// What an object of OTLP holds under a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// A list of objects one level down.
    Deeper,
    /// The resource.
    Resource,
    Other,
}

/// Where an object stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    /// The message: it holds lists of resources.
    Top,
    /// A resource with its scopes.
    Resource,
    /// A scope with its records.
    Scope,
    /// A log record or a span.
    Record,
}

impl Level {
    const fn below(self) -> Self {
        match self {
            Self::Top => Self::Resource,
            Self::Resource => Self::Scope,
            Self::Scope | Self::Record => Self::Record,
        }
    }

    /// What stands under a name; the names with `_` and those of the first releases count too.
    fn part(self, name: &str) -> Part {
        let is_deeper = match self {
            Self::Top => {
                matches!(
                    name,
                    "resourceLogs" | "resourceSpans" | "resource_logs" | "resource_spans"
                )
            }
            Self::Resource => matches!(
                name,
                "scopeLogs"
                    | "scopeSpans"
                    | "scope_logs"
                    | "scope_spans"
                    | "instrumentationLibraryLogs"
                    | "instrumentationLibrarySpans"
            ),
            Self::Scope => matches!(name, "logRecords" | "log_records" | "logs" | "spans"),
            Self::Record => false,
        };
        match name {
            _ if is_deeper => Part::Deeper,
            RESOURCE if self == Self::Resource => Part::Resource,
            _ => Part::Other,
        }
    }
}

/// The way through a message.
pub(super) struct Walk<'t, 'r, 'a> {
    table: &'t Table,
    record: &'r mut Record<'a>,
    each: &'r mut dyn FnMut(&mut Record<'a>),
    /// What the resource says of all its records.
    resource: Mark<'a>,
    /// What the resources say that come behind their records: all of them, in their order, or none.
    early: std::vec::IntoIter<Mark<'a>>,
}

impl<'t, 'r, 'a> Walk<'t, 'r, 'a> {
    pub(super) fn new(
        table: &'t Table,
        record: &'r mut Record<'a>,
        each: &'r mut dyn FnMut(&mut Record<'a>),
        early: Vec<Mark<'a>>,
    ) -> Self {
        Self { table, record, each, resource: Mark::default(), early: early.into_iter() }
    }

    /// Reads a message; calls `each` after each record in it.
    pub(super) fn all<A: MapAccess<'a>>(mut self, map: A) -> Result<(), A::Error> {
        // What was read early stays.
        if self.early.as_slice().is_empty() {
            self.record.clear();
        }
        At { level: Level::Top, walk: &mut self }.visit_map(map)
    }
}

/// An object on the way, or a list of them.
struct At<'w, 't, 'r, 'a> {
    level: Level,
    walk: &'w mut Walk<'t, 'r, 'a>,
}

impl<'a> DeserializeSeed<'a> for At<'_, '_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for At<'_, '_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of OTLP, or a list of them")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { level, walk } = self;
        if level == Level::Record {
            return walk.item(map);
        }
        let mut is_early = false;
        if level == Level::Resource {
            let early = walk.early.next();
            is_early = early.is_some();
            if is_early {
                walk.record.marks = 0;
            } else {
                walk.record.clear();
            }
            walk.resource = early.unwrap_or_default();
        }
        let (table, mut is_otlp) = (walk.table, false);
        while let Some((part, mark)) = map.next_key_seed(PartName { level, table })? {
            walk.record.marks |= mark;
            match part {
                Part::Deeper => {
                    is_otlp = true;
                    map.next_value_seed(At { level: level.below(), walk: &mut *walk })?;
                }
                Part::Resource if !is_early => {
                    let node = walk.table.child(RESOURCE);
                    let record = &mut *walk.record;
                    map.next_value_seed(Holder { table, node, own: None, record })?;
                    walk.resource = walk.record.mark();
                }
                Part::Resource | Part::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Nobody else would say that the object is of another kind.
        if level == Level::Top && !is_otlp {
            walk.record.refuse(Reject::UnknownFormat);
            (walk.each)(&mut *walk.record);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { level, walk } = self;
        while seq.next_element_seed(At { level, walk: &mut *walk })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'a> Walk<'_, '_, 'a> {
    /// A log record or a span.
    fn item<A: MapAccess<'a>>(&mut self, map: A) -> Result<(), A::Error> {
        self.record.back_to(&self.resource);
        let (table, record) = (self.table, &mut *self.record);
        let own = table.child(RECORD);
        Holder { table, node: Some(0), own, record }.visit_map(map)?;
        (self.each)(&mut *self.record);
        Ok(())
    }
}

/// Whether a resource may stand behind its records. JSON has no order, and some writers sort the names:
/// only then is a line read twice.
pub(super) fn may_come_late(line: &str) -> bool {
    let of = |name: &str| memmem::find(line.as_bytes(), name.as_bytes());
    let Some(resource) = of("\"resource\"") else { return false };
    let scopes = ["\"scopeLogs\"", "\"scopeSpans\"", "\"scope_logs\"", "\"scope_spans\""];
    let old = ["\"instrumentationLibraryLogs\"", "\"instrumentationLibrarySpans\""];
    scopes.into_iter().chain(old).filter_map(of).any(|it| it < resource)
}

/// What the resources of a line say, in their order.
pub(super) fn resources<'a>(
    line: &'a str,
    table: &Table,
    record: &mut Record<'a>,
) -> Result<Vec<Mark<'a>>, Malformed> {
    record.clear();
    let mut marks = Vec::new();
    let mut json = sonic_rs::Deserializer::from_str(line);
    let all = Resources { level: Level::Top, table, record, marks: &mut marks };
    all.deserialize(&mut json).map_err(|_| Malformed)?;
    Ok(marks)
}

/// The resources of a message, without their records.
struct Resources<'m, 't, 'r, 'a> {
    level: Level,
    table: &'t Table,
    record: &'r mut Record<'a>,
    marks: &'m mut Vec<Mark<'a>>,
}

impl<'a> DeserializeSeed<'a> for Resources<'_, '_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Resources<'_, '_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of OTLP, or a list of them")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { level, table, record, marks } = self;
        let mut mark = Mark::default();
        while let Some((part, _)) = map.next_key_seed(PartName { level, table })? {
            let record = &mut *record;
            match part {
                Part::Deeper if level == Level::Top => {
                    let level = level.below();
                    map.next_value_seed(Resources { level, table, record, marks: &mut *marks })?;
                }
                Part::Resource => {
                    record.back_to(&Mark::default());
                    let node = table.child(RESOURCE);
                    map.next_value_seed(Holder { table, node, own: None, record: &mut *record })?;
                    mark = record.mark();
                }
                Part::Deeper | Part::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if level == Level::Resource {
            marks.push(mark);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { level, table, record, marks } = self;
        while seq
            .next_element_seed(Resources {
                level,
                table,
                record: &mut *record,
                marks: &mut *marks,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// What stands under a name, and the bit of one by which envelopes are recognised.
struct PartName<'t> {
    level: Level,
    table: &'t Table,
}

impl<'a> DeserializeSeed<'a> for PartName<'_> {
    type Value = (Part, u64);

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for PartName<'_> {
    type Value = (Part, u64);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let is_top = self.level == Level::Top;
        let entry = self.table.find(0, name).filter(|_| is_top);
        Ok((self.level.part(name), entry.map_or(0, |it| it.mark)))
    }
}

impl Table {
    /// Where the names inside `name` stand.
    fn child(&self, name: &str) -> Option<usize> {
        self.find(0, name)?.child
    }
}

/// An object with attributes: a resource, a log record, a span.
struct Holder<'t, 'r, 'a> {
    table: &'t Table,
    /// Where the names of its attributes stand.
    node: Option<usize>,
    /// Where its own names stand.
    own: Option<usize>,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Holder<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Holder<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with attributes")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, own, record } = self;
        while let Some(name) = map.next_key_seed(HolderName { table, own })? {
            record.fields += 1;
            match (name, node) {
                (HolderPart::Attributes, Some(node)) => {
                    let pairs = Pairs { table, node, depth: 0, record: &mut *record };
                    map.next_value_seed(pairs)?;
                }
                // A body of pairs is what a log had before it went through a collector.
                (HolderPart::Body, Some(node)) => {
                    map.next_value_seed(Body { table, node, record: &mut *record })?;
                }
                (HolderPart::Own(entry), _) => {
                    map.next_value_seed(Scalar {
                        table,
                        entry,
                        depth: 0,
                        in_list: true,
                        record: &mut *record,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// What an object with attributes holds under a name.
enum HolderPart<'t> {
    Attributes,
    Body,
    /// A known name of its own.
    Own(&'t Entry),
    Other,
}

struct HolderName<'t> {
    table: &'t Table,
    own: Option<usize>,
}

impl<'a, 't> DeserializeSeed<'a> for HolderName<'t> {
    type Value = HolderPart<'t>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'t> Visitor<'_> for HolderName<'t> {
    type Value = HolderPart<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Self { table, own } = self;
        Ok(match name {
            "attributes" => HolderPart::Attributes,
            "body" => HolderPart::Body,
            name => match own.and_then(|own| table.find(own, name)) {
                Some(entry) => HolderPart::Own(entry),
                None => HolderPart::Other,
            },
        })
    }
}

/// The body of a log record.
struct Body<'t, 'r, 'a> {
    table: &'t Table,
    node: usize,
    record: &'r mut Record<'a>,
}

impl<'a> DeserializeSeed<'a> for Body<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Body<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of a log record")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, record } = self;
        while let Some(word) = map.next_key_seed(WordName)? {
            if word == Word::Pairs {
                let pairs = Pairs { table, node, depth: 1, record: &mut *record };
                map.next_value_seed(pairs)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    // A body of text says nothing here: a line in it is read as the line that it is.
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
