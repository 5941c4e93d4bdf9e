//! From the arguments of a command to inputs: paths, globs, directories and `-`.

use super::{Damage, INPUTS_MAX, Input, Inputs, Problem, SourceError};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Directories below a given one that are entered.
const DIRECTORY_DEPTH_MAX: usize = 32;

/// Finds the inputs that `arguments` stand for, in their order.
///
/// A directory stands for all files below it, a glob for what it matches, both sorted and without
/// hidden files; `-` stands for standard input. What was named twice is read once. What is there
/// but cannot be read is a problem and keeps nothing else from being read; an argument that
/// matches nothing is an error.
pub fn discover(arguments: &[impl AsRef<Path>]) -> Result<Inputs, SourceError> {
    let mut search = Search::default();
    for argument in arguments {
        let argument = argument.as_ref();
        let before = search.found.problems.len();
        let matched = search.argument(argument)?;
        if !matched && search.found.problems.len() == before {
            let (is_directory, argument) = (argument.is_dir(), shown(argument));
            return Err(if is_directory {
                SourceError::NoFiles { argument }
            } else {
                SourceError::NothingMatches { argument }
            });
        }
        if search.found.inputs.len() > INPUTS_MAX {
            return Err(SourceError::TooMany { argument: shown(argument) });
        }
    }
    Ok(search.found)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[derive(Default)]
struct Search {
    found: Inputs,
    /// Canonical paths, so that two names of one file are one input.
    seen: BTreeSet<PathBuf>,
}

impl Search {
    /// Whether an argument matched anything.
    fn argument(&mut self, argument: &Path) -> Result<bool, SourceError> {
        if argument == Path::new("-") {
            if self.seen.insert(argument.to_owned()) {
                self.push(argument, None, None);
            }
            return Ok(true);
        }
        match fs::metadata(argument) {
            Ok(metadata) => Ok(self.path(argument, &metadata, 0)),
            // A file whose name has a bracket is found above; only then is it a glob.
            Err(_) if shown(argument).contains(['*', '?', '[']) => self.glob(argument),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Ok(self.problem(argument, error.kind())),
        }
    }

    fn glob(&mut self, argument: &Path) -> Result<bool, SourceError> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let paths = glob::glob_with(&shown(argument), options)
            .map_err(|source| SourceError::Glob { argument: shown(argument), source })?;
        let mut matched = false;
        // The crate yields paths in alphabetical order.
        for path in paths {
            matched |= match path {
                Ok(path) => match fs::metadata(&path) {
                    Ok(metadata) => self.path(&path, &metadata, 0),
                    Err(error) => self.problem(&path, error.kind()),
                },
                Err(error) => self.problem(error.path(), error.error().kind()),
            };
            if self.found.inputs.len() > INPUTS_MAX {
                break;
            }
        }
        Ok(matched)
    }

    fn path(&mut self, path: &Path, metadata: &Metadata, depth: usize) -> bool {
        if metadata.is_dir() { self.directory(path, depth) } else { self.file(path, metadata) }
    }

    fn directory(&mut self, path: &Path, depth: usize) -> bool {
        let mut entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>)
        {
            Ok(entries) => entries,
            Err(error) => return self.problem(path, error.kind()),
        };
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        let mut matched = false;
        for entry in entries {
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if is_hidden || self.found.inputs.len() > INPUTS_MAX {
                continue;
            }
            let path = entry.path();
            matched |= match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => self.file(&path, &metadata),
                // A link to a directory may lead back here.
                Ok(metadata) if metadata.is_dir() && !path.is_symlink() => {
                    depth < DIRECTORY_DEPTH_MAX && self.directory(&path, depth + 1)
                }
                Ok(_) => false,
                Err(error) => self.problem(&path, error.kind()),
            };
        }
        matched
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) -> bool {
        // To open a pipe could wait, and would take from it; a file says now whether it opens.
        if metadata.is_file()
            && let Err(error) = File::open(path)
        {
            return self.problem(path, error.kind());
        }
        if self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())) {
            self.push(path, Some(path.to_owned()), metadata.is_file().then_some(metadata.len()));
        }
        true
    }

    fn push(&mut self, name: &Path, path: Option<PathBuf>, bytes: Option<u64>) {
        let number = self.found.inputs.len() as u32;
        self.found.inputs.push(Input { number, name: shown(name), path, bytes });
    }

    /// Notes what cannot be read; that is no match.
    fn problem(&mut self, path: &Path, kind: io::ErrorKind) -> bool {
        let damage = Damage::Unreadable(kind);
        self.found.problems.push(Problem { input: shown(path), damage, offset: 0, line: 0 });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, each holding a line.
    fn directory(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a line\n").unwrap();
        }
        directory
    }

    /// What arguments below `files` find, as names relative to their directory.
    fn check(files: &[&str], arguments: &[&str], expected: &[&str]) {
        let directory = directory(files);
        let in_directory =
            |it: &&str| if *it == "-" { "-".into() } else { directory.path().join(it) };
        let arguments: Vec<PathBuf> = arguments.iter().map(in_directory).collect();
        let found = discover(&arguments).unwrap();
        let relative = |input: &Input| match &input.path {
            Some(path) => shown(path.strip_prefix(directory.path()).unwrap()),
            None => input.name.clone(),
        };
        assert_eq!(found.inputs.iter().map(relative).collect::<Vec<_>>(), expected);
        assert!(found.problems.is_empty());
        for (number, input) in found.inputs.iter().enumerate() {
            assert_eq!(input.number as usize, number);
            assert_eq!(input.bytes.is_some(), input.path.is_some());
        }
    }

    #[test]
    fn arguments_keep_their_order_and_what_they_hold_is_sorted() {
        let files = ["z.log", "logs/b.log", "logs/a.log", "logs/sub/c.log", "logs/.hidden"];
        check(&files, &["z.log", "logs"], &["z.log", "logs/a.log", "logs/b.log", "logs/sub/c.log"]);
        check(&files, &["logs/*.log", "-"], &["logs/a.log", "logs/b.log", "-"]);
        check(&files, &["**/c.log"], &["logs/sub/c.log"]);
    }

    #[test]
    fn what_is_named_twice_is_read_once() {
        check(&["a.log"], &["a.log", "./a.log", "*.log", "-", "-"], &["a.log", "-"]);
    }

    #[test]
    fn a_file_whose_name_looks_like_a_glob_is_a_file() {
        check(&["a[1].log", "a1.log"], &["a[1].log"], &["a[1].log"]);
    }

    #[test]
    fn an_argument_that_matches_nothing_is_an_error_that_names_it() {
        let directory = directory(&["a.log", "empty/.hidden"]);
        for argument in ["none.log", "*.txt", "empty"] {
            let error = discover(&[directory.path().join(argument)]).unwrap_err();
            assert!(error.to_string().contains(argument), "{error}");
        }
        let error = discover(&[directory.path().join("empty")]).unwrap_err();
        assert!(error.to_string().contains("holds no files"), "{error}");
        let error = discover(&["no[such"]).unwrap_err();
        assert!(matches!(error, SourceError::Glob { .. }), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn what_may_not_be_read_is_a_problem_and_the_others_are_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = directory(&["a.log", "closed.log", "shut/b.log"]);
        for name in ["closed.log", "shut"] {
            let path = directory.path().join(name);
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        }
        let found = discover(&[directory.path()]).unwrap();
        fs::set_permissions(directory.path().join("shut"), fs::Permissions::from_mode(0o700))
            .unwrap();
        // The superuser may read everything.
        if found.inputs.len() == 1 {
            let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
            assert!(problems[0].contains("closed.log` cannot be read: permission denied;"));
            assert!(problems[1].contains("shut` cannot be read: permission denied;"));
        }
    }
}
