//! `habitus-tests.json` in the target directory: the services that tests used, and what was skipped.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Notes that wait to be written; each test waits for its own.
const QUEUE_MAX: usize = 64;

/// What a test says of itself.
#[derive(Debug)]
pub(super) enum Note {
    /// It uses a service.
    Used { service: &'static str, version: String, test: String },
    /// It was skipped.
    Skipped { test: String, reason: String },
}

/// A note, and where to say that it is in the file.
type Posted = (Note, SyncSender<()>);

/// Adds a note to the report; once this returns it is in the file.
pub(super) fn write(note: Note) {
    static OWNER: OnceLock<SyncSender<Posted>> = OnceLock::new();
    let owner = OWNER.get_or_init(|| {
        let (sender, notes) = sync_channel(QUEUE_MAX);
        std::thread::spawn(move || own(&notes));
        sender
    });
    let (done, written) = sync_channel(1);
    owner.send((note, done)).unwrap();
    written.recv().unwrap();
}

/// The path of the report: where cargo puts what it builds.
pub(super) fn path() -> PathBuf {
    // Cargo names a folder in the target directory to integration tests, wherever that directory is.
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("habitus-tests.json")
}

/// Writes the whole report at each note, so that a run which is cut short has left one too.
fn own(notes: &Receiver<Posted>) {
    let mut used: BTreeMap<(&'static str, String), BTreeSet<String>> = BTreeMap::new();
    let mut skipped: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (note, done) in notes {
        match note {
            Note::Used { service, version, test } => {
                used.entry((service, version)).or_default().insert(test);
            }
            Note::Skipped { test, reason } => {
                skipped.entry(reason).or_default().insert(test);
            }
        }
        let services: Vec<_> = used
            .iter()
            .map(|((name, version), tests)| json!({"name": name, "version": version, "tests": tests}))
            .collect();
        let skipped: Vec<_> = skipped
            .iter()
            .map(|(reason, tests)| json!({"reason": reason, "count": tests.len(), "tests": tests}))
            .collect();
        let report = json!({"services": services, "skipped": skipped});
        let partial = path().with_extension(format!("json.{}", std::process::id()));
        std::fs::write(&partial, format!("{report:#}\n")).unwrap();
        std::fs::rename(&partial, path()).unwrap();
        done.send(()).unwrap();
    }
}
