//! `habitus report`: what was found, as one HTML file for a ticket or a mail.

use super::findings::severity_min;
use super::{Ended, Failure, Setting, identity, span_us};
use crate::cli::Report;
use crate::figures::counted;
use console::Selection;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What stands for standard output.
const STDOUT: &str = "-";
/// What the name of a file begins with that is not whole yet.
const PARTIAL: &str = ".habitus-report-";

/// Writes a report.
pub(crate) fn run(setting: &Setting, args: &Report) -> Result<Ended, Failure> {
    let mut selection = Selection {
        span_us: span_us(&args.span)?,
        severity_min: severity_min(args.severity.as_deref())?,
        principal_id: String::new(),
        findings_max: i64::from(args.limit),
    };
    let reader = setting.reader()?;
    if let Some(typed) = &args.identity {
        selection.principal_id = identity::resolve(setting, &reader, typed)?.id;
    }
    let report = setting.runtime.block_on(console::report(&reader, &selection))?;
    if args.out == Path::new(STDOUT) {
        let mut out = io::stdout().lock();
        out.write_all(report.html.as_bytes())?;
        out.flush()?;
    } else {
        write(&args.out, report.html.as_bytes()).map_err(|error| {
            format!("cannot write the report to {}: {error}; name another file", args.out.display())
        })?;
    }
    let findings = counted(report.findings, "finding", "findings");
    crate::note(&if report.shown < report.findings {
        format!("a report of {findings}, {} of them with all that they rest on", report.shown)
    } else {
        format!("a report of {findings}")
    });
    Ok(Ended::Done)
}

/// Writes a file that is there as a whole or not at all; its owner alone may read a new one, since it
/// names people. What is no ordinary file, such as a pipe, is written into as it is.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_strange = is_strange_link(path);
    if !is_strange && fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        // With `create` the system refuses a pipe that somebody else put where all may write.
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(false).open(path)?;
        return file.write_all(bytes);
    }
    // What a link leads to is replaced, not the link; but a strange one is.
    let whole = if is_strange { None } else { fs::canonicalize(path).ok() };
    let path = whole.unwrap_or_else(|| path.to_owned());
    let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(directory(&path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether it is a link where all may write, such as in /tmp: whoever put it there chose what it leads to.
fn is_strange_link(path: &Path) -> bool {
    let is_open =
        fs::metadata(directory(path)).is_ok_and(|it| it.permissions().mode() & 0o002 != 0);
    is_open && fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        for text in ["first, and longer", "second"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(dir.path()), ["report.html"]);
    }

    #[test]
    fn a_directory_is_no_file_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(dir.path(), b"text").is_err());
        assert!(write(&dir.path().join("none").join("report.html"), b"text").is_err());
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_link_where_all_may_write_leads_nowhere() {
        let (shared, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (kept, link) = (own.path().join("kept"), shared.path().join("report.html"));
        fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(&kept, "kept").unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(
            fs::metadata(&link).unwrap().permissions().mode() & 0o077,
            0,
            "its owner's alone"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_goes_on_leading_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("report.html"), dir.path().join("link.html"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
