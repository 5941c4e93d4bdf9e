//! The broker's environment in `compose.yaml`, given to the class that the image starts a broker with.

use super::stack::Files;
use crate::habitus::variable;
use crate::services::{Kafka, skip};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The least that the class takes for a configuration of its log.
const LOG: &str = "Configuration:
  Loggers:
    Root: {level: INFO, AppenderRef: [{ref: STDOUT}]}
    Logger: []
";

/// Writes the broker's properties and formats its directory, as the image does before it starts it.
fn set_up(libraries: &Path, environment: &Value) -> Result<String, String> {
    let place = TempDir::new().unwrap();
    let path = |name: &str| place.path().join(name);
    for name in ["default", "mounted", "final", "data"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("default/server.properties"), "").unwrap();
    for name in ["log4j2.yaml", "tools-log4j2.yaml"] {
        std::fs::write(path("default").join(name), LOG).unwrap();
    }
    let mut java = Command::new("java");
    java.arg("-cp").arg(format!("{}/*", libraries.display()));
    java.args(["kafka.docker.KafkaDockerWrapper", "setup"]);
    for (flag, name) in [
        ("--default-configs-dir", "default"),
        ("--mounted-configs-dir", "mounted"),
        ("--final-configs-dir", "final"),
    ] {
        java.arg(flag).arg(path(name));
    }
    for (name, value) in environment.as_object().unwrap() {
        java.env(name, value.as_str().unwrap());
    }
    java.env("KAFKA_LOG_DIRS", path("data"));
    let said = java.output().map_err(|error| format!("java: {error}"))?;
    if !said.status.success() || !path("data/meta.properties").exists() {
        return Err(String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned());
    }
    Ok(std::fs::read_to_string(path("final/server.properties")).unwrap())
}

#[test]
fn the_image_of_the_broker_takes_its_environment() {
    const TEST: &str = "the_image_of_the_broker_takes_its_environment";
    let (libraries, version) = match Kafka::libraries() {
        Ok(found) => found,
        Err(why) if variable("HABITUS_TESTS_OFFLINE") => return skip(TEST, &why),
        Err(why) => panic!("Kafka cannot be had: {why}"),
    };
    let stack = Files::read().parse().unwrap();
    let broker = &stack.compose["services"]["kafka"];
    let image = format!("docker.io/apache/kafka:{version}");
    assert_eq!(broker["image"], image, "the tests run another version");
    let environment = &broker["environment"];
    let properties = set_up(&libraries, environment).unwrap();
    for wanted in [
        "advertised.listeners=PLAINTEXT://kafka:9092",
        "auto.create.topics.enable=false",
        "process.roles=broker,controller",
    ] {
        assert!(properties.lines().any(|line| line == wanted), "no {wanted} in {properties}");
    }
    for (name, value) in [
        ("KAFKA_PROCESS_ROLES", "broker,controler"),
        ("KAFKA_NODE_ID", "one"),
        ("KAFKA_ADVERTISED_LISTENERS", "SASL_PLAINTEXT://kafka:9092"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROL"),
    ] {
        let mut broken = environment.clone();
        broken[name] = Value::from(value);
        assert!(set_up(&libraries, &broken).is_err(), "{name}={value} is taken");
    }
}
