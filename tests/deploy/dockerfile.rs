//! The `Dockerfile`: it copies what is there, runs as a numeric user, and its commands are understood.

use super::{BINARY, changed, is_command, read};
use crate::habitus::root;

/// One instruction: its name, and the rest with lines joined.
type Instruction = (String, String);

fn instructions(text: &str) -> Vec<Instruction> {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let read = |line: &str| {
        let (name, rest) = line.trim().split_once(char::is_whitespace)?;
        Some((name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(read).collect()
}

/// The texts of a JSON list.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

fn problems(text: &str, ignore: &str) -> Vec<String> {
    let mut found = Vec::new();
    let all = instructions(text);
    let starts: Vec<_> = (0..).zip(&all).filter(|(_, it)| it.0 == "FROM").map(|it| it.0).collect();
    let (Some(&last), true) = (starts.last(), starts.len() >= 2) else {
        return vec!["it has not two stages".to_owned()];
    };
    for (name, rest) in &all {
        let words: Vec<_> = rest.split(' ').collect();
        match name.as_str() {
            "FROM" => {
                let tag = words[0].rsplit_once(':').map_or("", |(_, tag)| tag);
                if tag.is_empty() || tag == "latest" {
                    found.push(format!("{} has no version", words[0]));
                }
            }
            "COPY" if !rest.contains("--from=") => found.extend(copied(&words, ignore)),
            "COPY" => {
                let stage = words.iter().find_map(|it| it.strip_prefix("--from=")).unwrap_or("");
                if !all[..last]
                    .iter()
                    .any(|it| it.0 == "FROM" && it.1.ends_with(&format!(" AS {stage}")))
                {
                    found.push(format!("there is no stage {stage}"));
                }
            }
            "ADD" => found.push("ADD fetches and unpacks: use COPY".to_owned()),
            _ => {}
        }
    }
    let built = all[..last].iter().any(|it| it.1.contains("cargo build --release --locked"));
    if !built {
        found.push("it is not built with --release --locked".to_owned());
    }
    found.extend(runtime(&all[last..]));
    found
}

/// What a copy names must be there, and must reach the builder.
fn copied(words: &[&str], ignore: &str) -> Vec<String> {
    let sources = words.iter().take(words.len() - 1).filter(|word| !word.starts_with("--"));
    let mut found = Vec::new();
    for source in sources {
        if !root().join(source).exists() {
            found.push(format!("{source} is not there to be copied"));
        }
        if !ignore.lines().any(|line| line == format!("!{source}")) {
            found.push(format!(".dockerignore keeps {source} away"));
        }
    }
    found
}

/// The last stage.
fn runtime(stage: &[Instruction]) -> Vec<String> {
    let mut found = Vec::new();
    let rest = |name: &str| {
        stage.iter().rfind(|it| it.0 == name).map(|it| it.1.as_str()).unwrap_or_default()
    };
    let user = rest("USER");
    let ids: Vec<u32> = user.split(':').filter_map(|id| id.parse().ok()).collect();
    if ids.first().is_none_or(|id| *id == 0) || ids.len() != user.split(':').count() {
        found.push(format!("USER {user} is not a numeric user other than root"));
    }
    let entrypoint = list(rest("ENTRYPOINT"));
    if entrypoint != [BINARY] {
        found.push(format!("ENTRYPOINT {entrypoint:?} is not {BINARY}"));
    }
    if !stage.iter().any(|it| it.0 == "COPY" && it.1.ends_with(&format!(" {BINARY}"))) {
        found.push(format!("{BINARY} is not copied"));
    }
    let command = [entrypoint, list(rest("CMD"))].concat();
    let health = rest("HEALTHCHECK").split_once("CMD ").map(|it| list(it.1)).unwrap_or_default();
    for words in [command, health] {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        found.extend(is_command(&words).err());
        let config =
            words.iter().rposition(|it| *it == "--config").and_then(|at| words.get(at + 1));
        let is_there =
            config.is_some_and(|it| stage.iter().any(|copy| copy.1.ends_with(&format!(" {it}"))));
        if !is_there {
            found.push(format!("{config:?} is not in the image"));
        }
    }
    let home = rest("WORKDIR");
    let owned = format!("--chown={user} /out/home {home}");
    if !stage.iter().any(|it| it.0 == "COPY" && it.1.ends_with(&owned)) {
        found.push(format!("{home} does not belong to {user}"));
    }
    if list(rest("VOLUME")) != [home] {
        found.push(format!("{home} is no volume"));
    }
    found
}

#[test]
fn the_dockerfile_is_right() {
    let (text, ignore) = (read("Dockerfile"), read(".dockerignore"));
    assert_eq!(problems(&text, &ignore), Vec::<String>::new());
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        assert!(text.contains(&format!("COPY {member} {member}\n")), "{member} is not copied");
    }
    let wanted = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let has = text.split_once("rust:").and_then(|it| it.1.split_once('-')).unwrap().0;
    let number = |text: &str| text.split('.').nth(1).and_then(|it| it.parse::<u32>().ok());
    assert!(number(has) >= number(wanted), "Rust {has} is older than {wanted}");
}

#[test]
fn a_dockerfile_that_is_not_right_is_refused() {
    let check = |from: &str, to: &str, said: &str| {
        let text = changed(&read("Dockerfile"), from, to);
        let found = problems(&text, &read(".dockerignore"));
        assert!(found.iter().any(|it| it.contains(said)), "wanted `{said}`, found {found:#?}");
    };
    check("USER 65532:65532", "USER nonroot", "not a numeric user");
    check("USER 65532:65532", "USER 0:0", "not a numeric user");
    check("USER 65532:65532", "# nobody", "not a numeric user");
    check("COPY store store", "COPY stores store", "stores is not there");
    check("COPY store store", "COPY docs docs", ".dockerignore keeps docs away");
    check("--from=build /out/habitus", "--from=built /out/habitus", "there is no stage built");
    check(":nonroot", ":latest", "has no version");
    check("--release --locked", "--release", "not built with");
    check("[\"/usr/local/bin/habitus\"]", "[\"habitus\"]", "is not /usr/local/bin/habitus");
    check("CMD [\"run\",", "CMD [\"runs\",", "does not understand");
    check("\"health\", \"--config\"", "\"health\", \"--conf\"", "does not understand");
    check("COPY habitus.toml /etc/habitus/habitus.toml", "", "is not in the image");
    check("--chown=65532:65532 /out/home", "/out/home", "does not belong to");
    check("VOLUME [\"/var/lib/habitus\"]", "", "is no volume");
}
