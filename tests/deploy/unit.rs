//! `deploy/habitus.service`: its command is understood, and it is shut in.

use super::{changed, is_command, read};

/// What the unit must say, to the letter.
const MUST: [&str; 17] = [
    "Type=exec",
    "Restart=on-failure",
    "ExecReload=/bin/kill -HUP $MAINPID",
    "DynamicUser=yes",
    "StateDirectory=habitus",
    "LoadCredential=secrets:/etc/habitus/secrets",
    "CapabilityBoundingSet=",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "ProtectSystem=strict",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
];
/// Seconds that the service may take to end its epoch.
const STOPS_WITHIN_S: u32 = 10;

fn problems(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let value = |key: &str| {
        lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    let mut found: Vec<_> = MUST
        .iter()
        .filter(|must| !lines.contains(must))
        .map(|must| format!("{must} is missing"))
        .collect();
    let words: Vec<_> = value("ExecStart").split_whitespace().collect();
    found.extend(is_command(&words).err());
    if !words.contains(&"run") {
        found.push("it does not run the service".to_owned());
    }
    let store = words.iter().rposition(|it| *it == "--store").and_then(|at| words.get(at + 1));
    if !store.is_some_and(|it| it.starts_with("/var/lib/habitus/")) {
        found.push(format!("{store:?} is not in the state's directory"));
    }
    if !value("TimeoutStopSec").parse::<u32>().is_ok_and(|it| it > STOPS_WITHIN_S) {
        found.push("it is killed before its epoch has ended".to_owned());
    }
    if !value("MemoryMax").ends_with('G') {
        found.push("it has no limit of memory".to_owned());
    }
    found
}

#[test]
fn the_unit_is_right() {
    assert_eq!(problems(&read("deploy/habitus.service")), Vec::<String>::new());
}

#[test]
fn a_unit_that_is_not_right_is_refused() {
    let check = |from: &str, to: &str, said: &str| {
        let found = problems(&changed(&read("deploy/habitus.service"), from, to));
        assert!(found.iter().any(|it| it.contains(said)), "wanted `{said}`, found {found:#?}");
    };
    for must in MUST {
        check(&format!("\n{must}\n"), "\n", "is missing");
    }
    check("habitus run --config", "habitus run --conf", "does not understand");
    check("habitus run", "habitus check", "does not run the service");
    check("--store /var/lib", "--store /srv", "not in the state's directory");
    check("TimeoutStopSec=30", "TimeoutStopSec=10", "is killed before");
    check("MemoryMax=4G", "MemoryMax=infinity", "no limit of memory");
}
