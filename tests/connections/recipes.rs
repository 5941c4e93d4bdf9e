//! The recipes of `docs/connections.md`: each block of configuration is one that the program takes.

use super::{closed_port, start};
use crate::habitus::{Place, root};

/// The blocks of a kind in the document, each with the heading above it.
fn blocks(kind: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docs/connections.md")).unwrap();
    let (mut found, mut heading, mut open) = (Vec::new(), String::new(), None::<String>);
    for line in text.lines() {
        match &mut open {
            Some(block) if line == "```" => {
                found.push((heading.clone(), std::mem::take(block)));
                open = None;
            }
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line.starts_with("##") => heading = line.trim_start_matches('#').trim().into(),
            None if line == format!("```{kind}") => open = Some(String::new()),
            None => {}
        }
    }
    assert!(open.is_none(), "a block of docs/connections.md has no end");
    found
}

#[test]
fn every_recipe_is_a_configuration_that_the_program_takes() {
    let blocks = blocks("toml");
    assert_eq!(blocks.len(), 8, "{blocks:#?}");
    for (heading, text) in blocks {
        let place = Place::new();
        place.write("secret", "tiger");
        // What stands in files of the reader's machine stands here in this place.
        let (ca, leaf) = (place.path("ca.pem"), place.path("secret"));
        place.write("ca.pem", crate::services::Authority::new("recipes").pem);
        let text = text
            .split('\n')
            .map(|line| match line.split_once(" = \"/") {
                Some((name, _)) if name.ends_with("ca_file") => {
                    format!("{name} = \"{}\"", ca.display())
                }
                Some((name, _)) => format!("{name} = \"{}\"", leaf.display()),
                None if line.starts_with("command = ") => {
                    format!("command = [\"cat\", \"{}\"]", leaf.display())
                }
                None => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n");
        let mut text = format!("{text}\n[source]\ntopics = [\"gateway-logs\"]\n");
        if !text.contains("[kafka]") {
            text += "[kafka]\nbootstrap_servers = [\"localhost:9092\"]\n";
        }
        place.write("habitus.toml", text);
        // Every setting is read and checked before anybody is connected to, and then nobody is
        // there: a server for the findings that does not answer comes before Kafka.
        let url = format!("clickhouse://habitus@127.0.0.1:{}/habitus", closed_port());
        let mut child = start(&place, &["run", "--store", &url]);
        assert_eq!(super::wait(&mut child, super::PATIENCE), 1, "{heading}");
        let (_, err) = super::output(&mut child);
        assert!(err.contains("did not answer"), "{heading}: {err}");
        assert_eq!(err.lines().count(), 1, "{heading}: {err}");
    }
}
