//! The manifest: which files of a store are visible, by run and table.
//!
//! It is replaced by renaming a new one over it, so that a reader sees the old or the new state.

use crate::error::StoreError;
use crate::layout::{self, RunId};
use model::tables::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// The layout that this program writes, and the newest that it reads.
const VERSION: u64 = 1;
/// Bytes of a manifest: some hundred thousand files.
const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One visible file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// Its name in the table's directory.
    pub(crate) name: String,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Bytes of it.
    pub(crate) bytes: u64,
}

/// The files of one run, by the name of their table; a table without rows has no file.
pub(crate) type Files = BTreeMap<String, Vec<Listed>>;

/// Everything that is visible.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u64,
    runs: BTreeMap<String, Files>,
    /// Which process writes the epochs of each group: the last that began to lead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    leaders: BTreeMap<String, String>,
}

/// What every version of the manifest says.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Manifest {
    /// The manifest of an empty store.
    pub(crate) const fn empty() -> Self {
        Self { version: VERSION, runs: BTreeMap::new(), leaders: BTreeMap::new() }
    }

    /// The manifest in `dir`, `None` where there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(layout::MANIFEST);
        let damaged = |what: String| StoreError::Damaged { path: path.clone(), what };
        let text = match read_capped(&path, MANIFEST_BYTES_MAX) {
            Ok(text) => text,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) if source.kind() == io::ErrorKind::InvalidData => {
                return Err(damaged(source.to_string()));
            }
            Err(source) => return Err(StoreError::io("reading", &path)(source)),
        };
        let Versioned { version } =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if version > VERSION {
            return Err(StoreError::Newer { dir: dir.to_owned(), found: version, known: VERSION });
        }
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        match manifest.foreign_name() {
            Some(name) => Err(damaged(format!("`{name}` is no name of a store's file"))),
            None => Ok(Some(manifest)),
        }
    }

    /// Replaces the manifest in `dir`: before this returns, a crash leaves the old or the new one.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let (path, new) = (dir.join(layout::MANIFEST), dir.join(layout::MANIFEST_NEW));
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            path: path.clone(),
            what: error.to_string(),
        };
        let mut text = serde_json::to_vec_pretty(self).map_err(damaged)?;
        text.push(b'\n');
        write_synced(OpenOptions::new().write(true).create(true).truncate(true), &new, &text)?;
        fs::rename(&new, &path).map_err(StoreError::io("writing", &path))?;
        sync_dir(dir)
    }

    /// This manifest with the files of `run` in place of what it had before.
    #[must_use]
    pub(crate) fn with_run(mut self, run: &RunId, files: Files) -> Self {
        self.runs.insert(run.as_str().to_owned(), files);
        self
    }

    /// This manifest with `leader` as the one process that writes the epochs of `group`.
    #[must_use]
    pub(crate) fn with_leader(mut self, group: &str, leader: &str) -> Self {
        self.leaders.insert(group.to_owned(), leader.to_owned());
        self
    }

    /// Whether `leader` is the process that began last to write the epochs of `group`.
    pub(crate) fn is_led_by(&self, group: &str, leader: &str) -> bool {
        self.leaders.get(group).is_some_and(|it| it == leader)
    }

    /// The names of all runs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.keys().map(String::as_str)
    }

    /// Whether there is a run of that name.
    pub(crate) fn has(&self, run: &RunId) -> bool {
        self.runs.contains_key(run.as_str())
    }

    /// The files of a run.
    pub(crate) fn run(&self, run: &RunId) -> &Files {
        static NONE: Files = Files::new();
        self.runs.get(run.as_str()).unwrap_or(&NONE)
    }

    /// This manifest with these runs alone.
    pub(crate) fn only(&self, runs: &[RunId]) -> Self {
        let each = runs.iter().map(|run| (run.as_str().to_owned(), self.run(run).clone()));
        Self { version: self.version, runs: each.collect(), leaders: self.leaders.clone() }
    }

    /// Takes a run out.
    pub(crate) fn remove(&mut self, run: &RunId) {
        self.runs.remove(run.as_str());
    }

    /// Takes those files of a run out that are not wanted, and a run that has none left.
    pub(crate) fn retain(&mut self, run: &RunId, is_wanted: impl Fn(&str, &Listed) -> bool) {
        let Some(files) = self.runs.get_mut(run.as_str()) else { return };
        for (table, list) in files.iter_mut() {
            list.retain(|file| is_wanted(table, file));
        }
        files.retain(|_, list| !list.is_empty());
        if files.is_empty() {
            self.runs.remove(run.as_str());
        }
    }

    /// This manifest with other files of one table of a run.
    #[must_use]
    pub(crate) fn with_table(
        mut self,
        run: &RunId,
        table: Table,
        files: impl Iterator<Item = Listed>,
    ) -> Self {
        let of_run = self.runs.entry(run.as_str().to_owned()).or_default();
        let files: Vec<_> = files.collect();
        if files.is_empty() {
            of_run.remove(table.as_str());
        } else {
            of_run.insert(table.as_str().to_owned(), files);
        }
        self
    }

    /// Every run and table that has files, the audit left out.
    pub(crate) fn parts(&self) -> Vec<(RunId, Table)> {
        let known = |name: &str| Table::ALL.into_iter().find(|table| table.as_str() == name);
        let all = self.runs.iter().flat_map(|(run, files)| files.keys().map(move |it| (run, it)));
        all.filter_map(|(run, table)| Some((RunId::new(run).ok()?, known(table)?)))
            .filter(|(_, table)| *table != Table::Audit)
            .collect()
    }

    /// The visible files of one table of a run.
    pub(crate) fn files_of(&self, run: &RunId, table: Table) -> &[Listed] {
        let files = self.runs.get(run.as_str()).and_then(|files| files.get(table.as_str()));
        files.map_or(&[], Vec::as_slice)
    }

    /// The visible files of a table, run by run.
    pub(crate) fn files(&self, table: Table) -> impl Iterator<Item = &Listed> {
        self.runs.values().filter_map(move |files| files.get(table.as_str())).flatten()
    }

    /// Whether every visible file is there in its length: else an error that names the first.
    pub(crate) fn check_files(&self, dir: &Path) -> Result<(), StoreError> {
        for table in Table::ALL {
            for file in self.files(table) {
                let path = layout::table_dir(dir, table).join(&file.name);
                let what = match fs::metadata(&path) {
                    Ok(found) if found.len() == file.bytes => continue,
                    Ok(found) => format!("{} bytes instead of {}", found.len(), file.bytes),
                    Err(source) if source.kind() == io::ErrorKind::NotFound => "missing".to_owned(),
                    Err(source) => return Err(StoreError::io("reading", &path)(source)),
                };
                return Err(StoreError::Damaged { path, what });
            }
        }
        Ok(())
    }

    /// A name that leads out of the store, or that a clean-up would not know as a store's file.
    fn foreign_name(&self) -> Option<&str> {
        let known = |name: &str| Table::ALL.iter().any(|table| table.as_str() == name);
        let tables = self.runs.values().flatten();
        tables.into_iter().find_map(|(table, files)| {
            if known(table) {
                files.iter().map(|file| file.name.as_str()).find(|name| !layout::is_file_name(name))
            } else {
                Some(table.as_str())
            }
        })
    }
}

/// The text of a file of at most `bytes_max` bytes; a longer one is invalid data.
pub(crate) fn read_capped(path: &Path, bytes_max: usize) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_string(&mut text)?;
    if text.len() > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("over {bytes_max} bytes")));
    }
    Ok(text)
}

/// Writes a whole file and waits until it is on the disk.
pub(crate) fn write_synced(
    options: &OpenOptions,
    path: &Path,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(StoreError::io("writing", path))
}

/// Waits until the names in a directory are on the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("syncing", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, message: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(layout::MANIFEST), text).unwrap();
        let error = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn a_manifest_that_is_not_ours_is_refused() {
        check("{\"version\": 2, \"new\": true}", "version 2 and this program reads version 1");
        check("{\"version\": 1}", "missing field `runs`");
        check("", "EOF");
        check("{\"version\": 1, \"runs\": {\"a\": {\"secrets\": []}}}", "`secrets` is no name");
        let climb = "{\"version\":1,\"runs\":{\"a\":{\"findings\":[{\"name\":\"../../etc/passwd\",\"rows\":1,\"bytes\":1}]}}}";
        check(climb, "`../../etc/passwd` is no name");
    }

    #[test]
    fn a_manifest_survives_the_way_there_and_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let run = RunId::new("r1").unwrap();
        let name = layout::file_name(&run, 0, &blake3::hash(b""));
        let files = Files::from([("windows".into(), vec![Listed { name, rows: 3, bytes: 4 }])]);
        let manifest = Manifest::empty().with_run(&run, files);
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap().as_ref(), Some(&manifest));
        assert_eq!(manifest.files(Table::Windows).count(), 1);
        assert_eq!(manifest.files(Table::Findings).count(), 0);
    }
}
