//! The script that makes the stack's passwords, run as the stack runs it.

use crate::habitus::root;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Files that hold a password.
const PASSWORDS: [&str; 3] =
    ["habitus/clickhouse_password", "grafana/clickhouse_password", "grafana/admin_password"];

fn make(base: &Path) -> bool {
    let script = root().join("deploy/compose/passwords.sh");
    Command::new("sh").arg(script).arg(base).output().unwrap().status.success()
}

fn read(base: &Path) -> Vec<String> {
    let text = |name: &&str| std::fs::read_to_string(base.join(name)).unwrap();
    PASSWORDS.iter().map(text).collect()
}

#[test]
fn passwords_are_made_once_and_clickhouse_knows_them_by_their_hashes() {
    let place = TempDir::new().unwrap();
    let base = place.path();
    assert!(!make(base), "it says nothing where the volumes are missing");
    for folder in ["clickhouse", "habitus", "grafana"] {
        std::fs::create_dir(base.join(folder)).unwrap();
    }
    assert!(make(base));
    let first = read(base);
    for password in &first {
        assert_eq!(password.len(), 64, "{}", password.len());
        assert!(password.bytes().all(|it| it.is_ascii_hexdigit()));
    }
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    assert!(make(base));
    assert!(read(base) == first, "a second start makes others");
    let users = std::fs::read_to_string(base.join("clickhouse/habitus.xml")).unwrap();
    for (password, is_user) in first.iter().zip([true, true, false]) {
        let mut hash = Command::new("sh");
        hash.args(["-c", "printf %s \"$1\" | sha256sum | cut -c1-64", "sh", password]);
        let hash = String::from_utf8(hash.output().unwrap().stdout).unwrap();
        let line = format!("<password_sha256_hex>{}</password_sha256_hex>", hash.trim());
        assert_eq!(users.contains(&line), is_user);
        assert!(!users.contains(password.as_str()), "a password stands among the users");
    }
    for name in PASSWORDS.iter().chain(&["clickhouse/habitus.xml"]) {
        let mode = std::fs::metadata(base.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{name}");
    }
}
