//! The names of an object that a format does not read.

use super::{DEPTH_MAX, FIELDS_MAX, Table, mend};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The paths of an object's values that no field of a table is filled from: those of an object as a
/// whole are one, `name.*`. Empty for what is no object.
pub(crate) fn unread(line: &str, table: &Table) -> Vec<String> {
    let mut out = Vec::new();
    if !mend::is_deep(line) {
        let mut json = sonic_rs::Deserializer::from_str(line);
        let walk = Walk { table, node: Some(0), path: "", is_read: true, depth: 0, out: &mut out };
        // What stands before a break was seen.
        walk.deserialize(&mut json).ok();
    }
    out
}

/// One value of a name.
struct Walk<'t, 'o> {
    table: &'t Table,
    /// What is known of the names inside it.
    node: Option<usize>,
    path: &'o str,
    /// A field is filled from it.
    is_read: bool,
    depth: usize,
    out: &'o mut Vec<String>,
}

impl Walk<'_, '_> {
    fn scalar(self) {
        if !self.is_read
            && self.out.len() < FIELDS_MAX
            && !self.out.iter().any(|it| it == self.path)
        {
            self.out.push(self.path.to_owned());
        }
    }
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { table, node, path, is_read, depth, out } = self;
        let depth = depth + 1;
        let first =
            Walk { table, node: node.filter(|_| depth < DEPTH_MAX), path, is_read, depth, out };
        seq.next_element_seed(first)?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { table, node, path, is_read, depth, out } = self;
        let Some(node) = node.filter(|_| depth < DEPTH_MAX) else {
            if map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                let path = format!("{path}.*");
                Walk { table, node: None, path: &path, is_read, depth, out }.scalar();
            }
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(name) = map.next_key::<String>()? {
            let entry = table.find(node, &name);
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            map.next_value_seed(Walk {
                table,
                node: entry.and_then(|it| it.child),
                path: &path,
                is_read: entry.is_some_and(|it| it.field.is_some()),
                depth: depth + 1,
                out,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::field::{Field, Raw};

    static FIELDS: &[Field] = &[
        Field::raw("started_at", Raw::Time),
        Field::raw("request.uri", Raw::Target),
        Field::raw("request.headers.host", Raw::Host),
        Field::raw("consumer.id", Raw::IdConsumer),
    ];

    #[test]
    fn what_no_field_is_filled_from_is_named_by_its_path() {
        let table = Table::new(FIELDS, "");
        let line = r#"{"started_at":1,"tries":[{"ip":"10.0.0.1"}],"request":{"uri":"/","querystring":{"a":"b"},"headers":{"host":"h","cookie":"c"}},"consumer":{"id":"x","tags":["y"]},"x":null}"#;
        let expected =
            ["tries.*", "request.querystring.*", "request.headers.cookie", "consumer.tags"];
        assert_eq!(unread(line, &table), expected);
        assert!(unread("[1", &table).is_empty());
        assert!(unread("not JSON", &table).is_empty());
    }
}
