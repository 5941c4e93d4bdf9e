//! A commit, step by step: whatever step a crash stops it at, readers see the old state or the new.

use crate::encode::Staged;
use crate::error::StoreError;
use crate::layout::{self, RunId};
use crate::lock::Lock;
use crate::manifest::{self, Files, Manifest};
use model::tables::Table;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One step of a commit; taken twice, it does what it does once.
#[derive(Debug)]
pub(crate) enum Step {
    /// Makes a table's directory.
    Make(PathBuf),
    /// Moves a whole file to where its name does not matter until the manifest says so.
    Move {
        /// In the staging directory.
        from: PathBuf,
        /// In the table's directory.
        to: PathBuf,
    },
    /// Waits until the names in a directory are on the disk.
    Sync(PathBuf),
    /// Replaces the manifest: before this the old state is visible, after it the new one.
    Show(Manifest),
    /// Removes the files that the new manifest does not name, unless somebody reads; then a later
    /// commit does.
    Remove(Vec<PathBuf>),
    /// Removes what is staged, this run's and what crashed runs left.
    Clear,
}

/// The steps that make `staged` the files of `run`, in place of what it had before.
///
/// The writer's lock must be held from here to the last step.
pub(crate) fn plan(dir: &Path, run: &RunId, staged: &[Staged]) -> Result<Vec<Step>, StoreError> {
    change(dir, staged, |old, files| old.with_run(run, files))
}

/// The steps that make `staged` visible in a manifest that `change` makes of the old one.
///
/// The writer's lock must be held from here to the last step.
pub(crate) fn change(
    dir: &Path,
    staged: &[Staged],
    change: impl FnOnce(Manifest, Files) -> Manifest,
) -> Result<Vec<Step>, StoreError> {
    let mut files = Files::new();
    for file in staged {
        files.entry(file.table.as_str().to_owned()).or_default().push(file.listed.clone());
    }
    let old = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing(dir.to_owned()))?;
    steps(dir, change(old, files), staged)
}

/// The steps that make `new` the manifest, with the files that it has and the old one has not.
pub(crate) fn steps(dir: &Path, new: Manifest, staged: &[Staged]) -> Result<Vec<Step>, StoreError> {
    let tables: BTreeSet<Table> = staged.iter().map(|file| file.table).collect();
    let table_dirs: Vec<_> = tables.iter().map(|table| layout::table_dir(dir, *table)).collect();
    let mut steps: Vec<Step> = table_dirs.iter().cloned().map(Step::Make).collect();
    for file in staged {
        let to = layout::table_dir(dir, file.table).join(&file.listed.name);
        steps.push(Step::Move { from: file.path.clone(), to });
    }
    steps.extend(table_dirs.into_iter().map(Step::Sync));
    steps.push(Step::Sync(dir.to_owned()));

    let unnamed = unnamed(dir, &new)?;
    steps.push(Step::Show(new));
    steps.push(Step::Remove(unnamed));
    steps.push(Step::Clear);
    Ok(steps)
}

impl Step {
    /// Takes the step.
    pub(crate) fn take(&self, dir: &Path) -> Result<(), StoreError> {
        match self {
            Self::Make(path) => fs::create_dir_all(path).map_err(StoreError::io("creating", path)),
            Self::Move { from, to } => fs::rename(from, to).map_err(StoreError::io("writing", to)),
            Self::Sync(path) => manifest::sync_dir(path),
            Self::Show(manifest) => manifest.write(dir),
            Self::Remove(paths) => remove(dir, paths),
            Self::Clear => clear(dir),
        }
    }
}

fn remove(dir: &Path, paths: &[PathBuf]) -> Result<(), StoreError> {
    if paths.is_empty() {
        return Ok(());
    }
    match Lock::no_readers(dir)? {
        Some(_lock) => paths.iter().try_for_each(|path| gone(fs::remove_file(path), path)),
        None => Ok(()),
    }
}

/// Removes what the manifest does not name and what is staged; false if somebody reads.
pub(crate) fn sweep(dir: &Path) -> Result<bool, StoreError> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing(dir.to_owned()))?;
    clear(dir)?;
    let unnamed = unnamed(dir, &manifest)?;
    remove(dir, &unnamed)?;
    Ok(unnamed.iter().all(|path| !path.exists()))
}

/// Removes everything that is staged. Whoever holds the lock is the only one who stages.
pub(crate) fn clear(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(layout::STAGING);
    gone(fs::remove_dir_all(&path), &path)
}

/// Files of the tables, by their names written by a store, that `manifest` does not list.
fn unnamed(dir: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>, StoreError> {
    let mut unnamed = Vec::new();
    for table in Table::ALL {
        let listed: BTreeSet<_> = manifest.files(table).map(|file| file.name.as_str()).collect();
        let path = layout::table_dir(dir, table);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(StoreError::io("listing", &path)(source)),
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io("listing", &path))?;
            let name = entry.file_name();
            // A file of any other name is not ours to remove.
            if name.to_str().is_some_and(|it| layout::is_file_name(it) && !listed.contains(it)) {
                unnamed.push(entry.path());
            }
        }
    }
    unnamed.sort();
    Ok(unnamed)
}

fn gone(removed: io::Result<()>, path: &Path) -> Result<(), StoreError> {
    match removed {
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(StoreError::io("removing", path)),
    }
}
