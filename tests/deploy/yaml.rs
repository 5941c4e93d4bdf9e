//! YAML as JSON values, with anchors resolved and `<<` merged as Compose does it.

use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// The one document of a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    match &documents[..] {
        [document] => value(document),
        other => Err(format!("{} documents", other.len())),
    }
}

fn value(yaml: &Yaml) -> Result<Value, String> {
    match yaml {
        Yaml::Null => Ok(Value::Null),
        Yaml::Boolean(it) => Ok(json!(it)),
        Yaml::Integer(it) => Ok(json!(it)),
        Yaml::Real(it) => Ok(json!(it.parse::<f64>().map_err(|error| error.to_string())?)),
        Yaml::String(it) => Ok(json!(it)),
        Yaml::Array(items) => items.iter().map(value).collect(),
        Yaml::Hash(entries) => {
            let (mut merged, mut own) = (Map::new(), Map::new());
            for (key, it) in entries {
                let key = key.as_str().ok_or_else(|| format!("{key:?} is no text"))?;
                match (key, value(it)?) {
                    ("<<", Value::Object(base)) => merged.extend(base),
                    ("<<", other) => return Err(format!("<< with {other}")),
                    (key, it) => drop(own.insert(key.to_owned(), it)),
                }
            }
            // What an entry says itself counts more than what it takes over.
            merged.extend(own);
            Ok(Value::Object(merged))
        }
        Yaml::Alias(_) | Yaml::BadValue => Err("a value that cannot be read".to_owned()),
    }
}

#[test]
fn what_is_merged_counts_less_than_what_is_said() {
    let text = "a: &a {x: 1, y: [p, q]}\nb:\n  x: 2\n  <<: *a\n";
    let expected = json!({"a": {"x": 1, "y": ["p", "q"]}, "b": {"x": 2, "y": ["p", "q"]}});
    assert_eq!(parse(text), Ok(expected));
    assert!(parse("a: [").is_err());
    assert!(parse("a: 1\n---\nb: 2").is_err());
}
