//! `compose.yaml`: hardened, and in agreement with what its services are configured to do.

use super::stack::{Files, Stack, after, behind, command, mounts, words};
use super::{BINARY, changed, is_command, understands};
use crate::habitus::{Place, root};
use serde_json::Value;
use std::collections::BTreeSet;

/// Everything that is wrong with the stack, in words.
fn problems(files: &Files) -> Vec<String> {
    let stack = match files.parse() {
        Ok(stack) => stack,
        Err(why) => return vec![why],
    };
    let mut found = Vec::new();
    for (name, service) in stack.services() {
        let checks = [harden, pin, publish, mount, depend, keep_secrets];
        found.extend(
            checks
                .iter()
                .filter_map(|check| check(&stack, service).err())
                .map(|why| format!("{name}: {why}")),
        );
    }
    for (name, service) in stack.ours() {
        let checks = [speak, read_topics, reach_kafka, reach_clickhouse];
        found.extend(
            checks
                .iter()
                .filter_map(|check| check(&stack, service).err())
                .map(|why| format!("{name}: {why}")),
        );
    }
    let whole = [
        volumes(&stack),
        listen(&stack),
        users(&stack, files),
        datasource(&stack, files),
        dashboards(&stack),
        configuration(files),
    ];
    found.extend(whole.into_iter().filter_map(Result::err));
    found
}

fn ensure(holds: bool, why: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.into()) }
}

fn harden(_: &Stack, service: &Value) -> Result<(), String> {
    ensure(service["read_only"] == true, "its root can be written")?;
    ensure(words(&service["cap_drop"]) == ["ALL"], "it keeps capabilities")?;
    ensure(service["cap_add"].is_null(), "it gains capabilities")?;
    ensure(service["privileged"].is_null(), "it is privileged")?;
    let options = words(&service["security_opt"]);
    ensure(options.contains(&"no-new-privileges:true"), "it may gain privileges")?;
    ensure(service["mem_limit"].is_string(), "it has no limit of memory")?;
    ensure(service["pids_limit"].is_number(), "it has no limit of processes")?;
    ensure(service["restart"].is_string(), "it does not say whether it starts again")
}

fn pin(_: &Stack, service: &Value) -> Result<(), String> {
    let image = service["image"].as_str().unwrap_or_default();
    if !service["build"].is_null() {
        return ensure(image == "habitus:local", format!("{image} is not what is built here"));
    }
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let is_version = tag.split('.').count() >= 3
        && tag.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    ensure(is_version, format!("{image} is not a version"))
}

fn publish(_: &Stack, service: &Value) -> Result<(), String> {
    for port in words(&service["ports"]) {
        let is_local = port.strip_prefix("127.0.0.1:").is_some_and(|it| it.contains(':'));
        ensure(is_local, format!("port {port} is published beyond this machine"))?;
    }
    ensure(
        !service["ports"].as_array().is_some_and(|it| it.iter().any(|it| !it.is_string())),
        "a port is not written as text",
    )?;
    ensure(service["network_mode"] != "host", "it is in the machine's network")
}

fn mount(stack: &Stack, service: &Value) -> Result<(), String> {
    for mount in mounts(service) {
        if mount.source.starts_with('.') {
            let is_there = root().join(mount.source).exists();
            ensure(is_there, format!("{} is not there to be mounted", mount.source))?;
            ensure(mount.is_read_only, format!("{} can be written", mount.source))?;
        } else {
            let declared = stack.compose["volumes"].get(mount.source).is_some();
            ensure(declared, format!("volume {} is not declared", mount.source))?;
        }
    }
    Ok(())
}

fn depend(stack: &Stack, service: &Value) -> Result<(), String> {
    for (name, how) in service["depends_on"].as_object().into_iter().flatten() {
        let other = &stack.compose["services"][name];
        ensure(other.is_object(), format!("it waits for {name}, which is no service"))?;
        let condition = how["condition"].as_str().unwrap_or_default();
        let is_right = match condition {
            "service_healthy" => other["healthcheck"]["test"].is_array(),
            "service_completed_successfully" => other["restart"] == "no",
            _ => false,
        };
        ensure(is_right, format!("it waits for {name} with `{condition}`, which never comes"))?;
    }
    Ok(())
}

fn keep_secrets(_: &Stack, service: &Value) -> Result<(), String> {
    for name in service["environment"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let is_secret = ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| name.contains(word));
        let is_file = name.ends_with("_FILE");
        ensure(!is_secret || is_file, format!("{name} stands in the environment"))?;
    }
    Ok(())
}

/// The commands of the service and of its health check are ours, and understood.
fn speak(_: &Stack, service: &Value) -> Result<(), String> {
    is_command(&command(service, BINARY))?;
    let check = &service["healthcheck"];
    match &words(&check["test"])[..] {
        ["CMD", rest @ ..] => is_command(rest)?,
        [] => ensure(check["disable"] == true, "its health is not checked")?,
        _ => return Err("its health check needs a shell, and there is none".to_owned()),
    }
    let file = after(&command(service, BINARY), "--config").unwrap_or_default();
    let (source, _) = behind(service, file).unwrap_or_default();
    ensure(source == "./deploy/compose/habitus.toml", format!("{file} is not mounted"))
}

fn read_topics(stack: &Stack, service: &Value) -> Result<(), String> {
    let made: BTreeSet<_> = stack
        .services()
        .filter_map(|(_, it)| {
            after(&words(&it["command"]), "--topic").filter(|_| it["build"].is_null())
        })
        .collect();
    let read: BTreeSet<_> = stack.settings("source", "topics").into_iter().collect();
    ensure(read == made, format!("{read:?} are read, {made:?} are made"))?;
    match after(&command(service, BINARY), "--topic") {
        Some(topic) => ensure(made.contains(topic), format!("topic {topic} is not made")),
        None => Ok(()),
    }
}

fn reach_kafka(stack: &Stack, _: &Value) -> Result<(), String> {
    let environment = &stack.compose["services"]["kafka"]["environment"];
    let advertised = environment["KAFKA_ADVERTISED_LISTENERS"].as_str().unwrap_or_default();
    let advertised: Vec<_> =
        advertised.split(',').filter_map(|it| it.split_once("://")).map(|it| it.1).collect();
    let asked = stack.settings("kafka", "bootstrap_servers");
    ensure(asked == advertised, format!("{asked:?} are asked, {advertised:?} are advertised"))
}

/// The address of the store is that of a server with this user and database, and its password is there.
fn reach_clickhouse(stack: &Stack, service: &Value) -> Result<(), String> {
    let Some(store) = after(&command(service, BINARY), "--store") else { return Ok(()) };
    let expected = "clickhouse://habitus@clickhouse:8123/habitus?secure=0";
    ensure(store == expected, format!("{store} is not {expected}"))?;
    let server = &stack.compose["services"]["clickhouse"];
    let ping = words(&server["healthcheck"]["test"]).join(" ");
    ensure(ping.contains(":8123/ping"), "the server's health is asked elsewhere")?;
    let password = stack.config.get("clickhouse").and_then(|it| it.get("password"));
    let file = password.and_then(|it| it.get("file")).and_then(toml::Value::as_str);
    let found = behind(service, file.unwrap_or_default());
    ensure(
        found == Some(("habitus-secrets", "clickhouse_password")),
        format!("the password is not in {file:?}"),
    )
}

/// What is declared is used.
fn volumes(stack: &Stack) -> Result<(), String> {
    let used: BTreeSet<_> =
        stack.services().flat_map(|(_, it)| mounts(it)).map(|it| it.source).collect();
    let declared = stack.compose["volumes"].as_object().into_iter().flatten();
    let unused: Vec<_> = declared.filter(|(name, _)| !used.contains(name.as_str())).collect();
    ensure(unused.is_empty(), format!("{unused:?} are not used"))
}

/// Where the service listens is what is published, and what the image exposes.
fn listen(stack: &Stack) -> Result<(), String> {
    let listen = stack.setting("run", "listen");
    let (host, port) = listen.rsplit_once(':').unwrap_or_default();
    ensure(host == "0.0.0.0", format!("{listen} is not reached from outside the container"))?;
    let ports = words(&stack.compose["services"]["habitus"]["ports"]);
    let published = ports.iter().any(|it| it.rsplit(':').next() == Some(port));
    ensure(published, format!("port {port} is not published, {ports:?} are"))?;
    let exposed = super::read("Dockerfile").lines().any(|line| line == format!("EXPOSE {port}"));
    ensure(exposed, format!("the image does not expose {port}"))
}

/// The script that makes passwords is run on the volumes that are mounted, and makes their users.
fn users(stack: &Stack, files: &Files) -> Result<(), String> {
    let service = &stack.compose["services"]["passwords"];
    let entrypoint = words(&service["entrypoint"]);
    ensure(
        entrypoint == ["/bin/sh", "/passwords.sh", "/secrets"],
        "the passwords are not made where they are mounted",
    )?;
    let (script, _) = behind(service, "/passwords.sh").unwrap_or_default();
    ensure(script == "./deploy/compose/passwords.sh", "the passwords' script is not mounted")?;
    for folder in ["clickhouse", "habitus", "grafana"] {
        let target = format!("/secrets/{folder}");
        let (volume, _) = behind(service, &target).unwrap_or_default();
        let readers = stack.services().filter(|(name, it)| {
            *name != "passwords" && mounts(it).iter().any(|it| it.source == volume)
        });
        let mut count = 0;
        for (name, reader) in readers {
            let written = mounts(reader).iter().any(|it| it.source == volume && !it.is_read_only);
            ensure(!written, format!("{name} can write {volume}"))?;
            count += 1;
        }
        ensure(count > 0, format!("nobody reads {target}"))?;
    }
    for user in ["<habitus>", "<grafana>", "ON habitus.*", r#"<default remove="remove"/>"#] {
        ensure(files.passwords.contains(user), format!("passwords.sh has no {user}"))?;
    }
    Ok(())
}

/// Grafana asks the server as the user that may only read.
fn datasource(stack: &Stack, files: &Files) -> Result<(), String> {
    let source = &stack.datasource["datasources"][0];
    let json = &source["jsonData"];
    for (key, expected) in [
        ("host", "clickhouse"),
        ("protocol", "http"),
        ("username", "grafana"),
        ("defaultDatabase", "habitus"),
    ] {
        ensure(json[key] == expected, format!("the datasource's {key} is {}", json[key]))?;
    }
    ensure(json["port"] == 8123, format!("the datasource's port is {}", json["port"]))?;
    let closed = ["tcp_port", "mysql_port", "postgresql_port", "interserver_http_port"];
    for port in closed {
        let is_closed = files.server.contains(&format!(r#"<{port} remove="remove"/>"#));
        ensure(is_closed, format!("the server listens on its {port}"))?;
    }
    let grafana = &stack.compose["services"]["grafana"];
    let plugin = grafana["environment"]["GF_PLUGINS_PREINSTALL"].as_str().unwrap_or_default();
    let kind = source["type"].as_str().unwrap_or_default();
    let is_pinned = plugin.strip_prefix(kind).is_some_and(|it| it.starts_with('@'));
    ensure(is_pinned, format!("{plugin} is not a version of {kind}"))?;
    let secret = source["secureJsonData"]["password"].as_str().unwrap_or_default();
    let file = secret.strip_prefix("$__file{").and_then(|it| it.strip_suffix('}'));
    let found = behind(grafana, file.unwrap_or_default());
    let is_there = found == Some(("grafana-secrets", "clickhouse_password"));
    ensure(is_there, format!("{secret} is not the password"))?;
    let admin = grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"].as_str();
    let found = behind(grafana, admin.unwrap_or_default());
    let is_there = found == Some(("grafana-secrets", "admin_password"));
    ensure(is_there, format!("{admin:?} is not the administrator's password"))?;
    let provisioned = behind(grafana, "/etc/grafana/provisioning/datasources");
    ensure(provisioned.is_some(), "the datasource is not mounted")
}

/// Grafana finds the dashboards and the alert rules where it looks for them.
fn dashboards(stack: &Stack) -> Result<(), String> {
    let grafana = &stack.compose["services"]["grafana"];
    for kind in ["alerting", "dashboards", "datasources"] {
        let target = format!("/etc/grafana/provisioning/{kind}");
        let (source, _) = behind(grafana, &target).unwrap_or_default();
        let expected = format!("./dashboards/grafana/provisioning/{kind}");
        ensure(source == expected, format!("{target} is {source:?}, not {expected}"))?;
    }
    let path = stack.provider["providers"][0]["options"]["path"].as_str().unwrap_or_default();
    let (source, _) = behind(grafana, path).unwrap_or_default();
    let is_there = source == "./dashboards/grafana/dashboards";
    ensure(is_there, format!("the dashboards are not mounted at {path}"))
}

/// The configuration is one that the binary takes.
fn configuration(files: &Files) -> Result<(), String> {
    let place = Place::new();
    let file = place.write("habitus.toml", &files.config);
    let said = place.run(&["formats", "--config", &file]);
    ensure(said.code == 0, said.err)
}

#[test]
fn the_stack_is_hardened_and_agrees_with_itself() {
    assert_eq!(problems(&Files::read()), Vec::<String>::new());
}

#[test]
fn the_stacks_server_is_of_the_release_that_the_tests_run() {
    let stack = Files::read().parse().unwrap();
    let image = stack.compose["services"]["clickhouse"]["image"].as_str().unwrap();
    let (_, tag) = image.rsplit_once(':').unwrap();
    let release: Vec<_> = tag.split('.').take(2).collect();
    let engine = format!("\"chdb-core=={}.*\"", release.join("."));
    assert!(super::read("tests/services/clickhouse.rs").contains(&engine), "{engine} is not run");
}

/// Breaks one thing, which must be seen and said so.
#[track_caller]
fn check(break_it: impl Fn(&mut Files), said: &str) {
    let mut files = Files::read();
    break_it(&mut files);
    let found = problems(&files);
    assert!(found.iter().any(|it| it.contains(said)), "wanted `{said}`, found {found:#?}");
}

#[track_caller]
fn check_compose(from: &str, to: &str, said: &str) {
    check(|files| files.compose = changed(&files.compose, from, to), said);
}

#[test]
fn a_stack_that_is_not_hardened_is_refused() {
    check_compose("read_only: true", "read_only: false", "its root can be written");
    check_compose("cap_drop: [ALL]", "cap_drop: []", "keeps capabilities");
    check_compose("user: \"472:0\"", "privileged: true", "grafana: it is privileged");
    check_compose("[\"no-new-privileges:true\"]", "[]", "may gain privileges");
    check_compose(
        "    mem_limit: 2g\n    pids_limit: 2048",
        "    pids_limit: 2048",
        "no limit of memory",
    );
    check_compose("127.0.0.1:3000:3000", "3000:3000", "published beyond this machine");
    check_compose("127.0.0.1:9464:9464", "0.0.0.0:9464:9464", "published beyond this machine");
    check_compose("grafana:13.2.2", "grafana:latest", "is not a version");
    check_compose("habitus.toml:ro", "habitus.toml", "can be written");
    check_compose(
        "GF_SECURITY_ADMIN_PASSWORD__FILE: /run",
        "GF_SECURITY_ADMIN_PASSWORD: /run",
        "stands in the environment",
    );
    check_compose(
        "grafana-secrets:/run/secrets/grafana:ro",
        "grafana-secrets:/run/secrets/grafana",
        "grafana can write",
    );
}

#[test]
fn a_stack_that_does_not_agree_with_itself_is_refused() {
    check_compose(
        "./deploy/compose/habitus.toml",
        "./deploy/habitus.toml",
        "is not there to be mounted",
    );
    check_compose("kafka-data: {}", "kafka-date: {}", "volume kafka-data is not declared");
    check_compose("  simulate-data: {}", "  simulate-data: {}\n  more: {}", "are not used");
    check_compose(
        "kafka: {condition: service_healthy}",
        "kafak: {condition: service_healthy}",
        "no service",
    );
    check_compose(
        "passwords: {condition: service_completed_successfully}",
        "passwords: {condition: service_healthy}",
        "it waits for passwords with",
    );
    check_compose(
        "topic: {condition: service_completed_successfully}",
        "topic: {condition: service_healthy}",
        "never comes",
    );
    check_compose("--topic=gateway-logs", "--topic=gateway-log", "are read");
    check_compose(
        "\"--topic\", \"gateway-logs\"",
        "\"--topic\", \"logs\"",
        "simulate: topic logs is not made",
    );
    check_compose("PLAINTEXT://kafka:9092", "PLAINTEXT://kafka:9094", "are advertised");
    check_compose(
        "habitus@clickhouse:8123/habitus",
        "default@clickhouse:8123/habitus",
        "is not clickhouse://",
    );
    check_compose("\"/secrets\"]", "\"/secret\"]", "not made where they are mounted");
    check_compose("@4.20.0", ":4.20.0", "is not a version of");
    check(|it| it.config = changed(&it.config, "kafka:9092", "kafka:9093"), "are asked");
    check(|it| it.config = changed(&it.config, "9464", "9465"), "port 9465 is not published");
    check(|it| it.config = changed(&it.config, "0.0.0.0", "127.0.0.1"), "not reached from outside");
    check(
        |it| it.config = changed(&it.config, "secrets/habitus/c", "secrets/c"),
        "the password is not in",
    );
    check(|it| it.config = changed(&it.config, "topics =", "topic ="), "unknown field `topic`");
    check(|it| it.datasource = changed(&it.datasource, "8123", "9000"), "port is 9000");
    check(
        |it| it.datasource = changed(&it.datasource, "username: grafana", "username: habitus"),
        "username is",
    );
    check(
        |it| it.datasource = changed(&it.datasource, "$__file{", "$__env{"),
        "is not the password",
    );
    check_compose("provisioning/alerting:ro", "provisioning/alerts:ro", "alerting is");
    check(
        |it| it.provider = changed(&it.provider, "grafana-dashboards", "dashboards"),
        "the dashboards are not mounted at",
    );
    check(|it| it.passwords = changed(&it.passwords, "<grafana>", "<reader>"), "has no <grafana>");
    check(|it| it.server = changed(&it.server, "<tcp_port", "<a_port"), "its tcp_port");
}

#[test]
fn a_command_that_is_not_understood_is_refused() {
    check_compose(
        "command: [\"migrate\",",
        "command: [\"migrat\",",
        "migrate: habitus does not understand",
    );
    check_compose(
        "\"--history\", \"1d\"",
        "\"--histori\", \"1d\"",
        "simulate: habitus does not understand",
    );
    check_compose(
        "\"health\", \"--ready\"",
        "\"health\", \"--redy\"",
        "habitus: habitus does not understand",
    );
    check_compose(
        "[\"CMD\", \"/usr/local/bin/habitus\"",
        "[\"CMD-SHELL\", \"/usr/local/bin/habitus\"",
        "needs a shell",
    );
    check_compose(
        "[\"CMD\", \"/usr/local/bin/habitus\"",
        "[\"CMD\", \"/habitus\"",
        "is not /usr/local/bin/habitus",
    );
}

#[test]
fn the_documents_commands_are_understood() {
    for (file, least) in [("docs/deploy.md", 8), ("README.md", 10)] {
        let text = super::read(file);
        let lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("habitus "));
        let mut count = 0;
        for line in lines {
            // What stands in quotes, and what comes after a pipe or a remark, is not ours.
            let line = line.split(['#', '|', '>']).next().unwrap_or_default();
            let typed: Vec<_> =
                line.split(['"', '\'']).step_by(2).flat_map(str::split_whitespace).collect();
            understands(&typed).unwrap_or_else(|why| panic!("{file}: {why}"));
            count += 1;
        }
        assert!(count >= least, "{file} has {count} commands");
    }
}
