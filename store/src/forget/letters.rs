//! Forgetting in the file of dead letters: lines about somebody go, and lines that name them change.

use crate::clickhouse::letters_lock;
use crate::directory::in_background;
use crate::error::StoreError;
use crate::forget::{Erased, Forgetting};
use model::mention::Mentions;
use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Forgets in the file at `path`, which need not be there and is called `name` in reports; `is_dry`
/// only counts.
///
/// The new file is whole before it takes the place of the old one, and whoever appends meanwhile
/// waits and then appends to the new one.
pub async fn forget_letters(
    name: &'static str,
    path: &Path,
    who: &Forgetting,
    is_dry: bool,
) -> Result<Erased, StoreError> {
    let (path, who) = (path.to_owned(), who.clone());
    in_background(move || {
        forget(name, &path, &who, is_dry).map_err(StoreError::io("rewriting", &path))
    })
    .await
}

fn forget(name: &'static str, path: &Path, who: &Forgetting, is_dry: bool) -> io::Result<Erased> {
    let mut erased = Erased::nothing(name);
    let Some(old) = letters_lock(path, false)? else { return Ok(erased) };
    let new_path = beside(path);
    let mut new = if is_dry { None } else { Some(BufWriter::new(private(&new_path)?)) };
    let mentions = who.mentions();
    let (mut reader, mut line) = (BufReader::new(&old), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let kept = forget_text(&text, who, &mentions, &mut erased);
        if let (Some(new), Some(kept)) = (new.as_mut(), kept) {
            // A line that stays as it is keeps even what is no UTF-8.
            let is_same = matches!(kept, Cow::Borrowed(_));
            new.write_all(if is_same { &line } else { kept.as_bytes() })?;
        }
    }
    let Some(new) = new else { return Ok(erased) };
    let new = new.into_inner().map_err(io::IntoInnerError::into_error)?;
    new.sync_all()?;
    if erased.removed + erased.changed == 0 {
        fs::remove_file(&new_path)?;
        return Ok(erased);
    }
    fs::rename(&new_path, path)?;
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(erased)
}

/// Where a line says whom it is about: rows of tables, and events of outlets in a line and alone.
const ABOUT: [&str; 3] =
    ["/row/principal_id", "/event/unmapped/principal_id", "/unmapped/principal_id"];

/// What is kept of one JSON text: nothing if it is about somebody, or torn and names them; else the
/// text, without the name where it had it.
pub fn forget_text<'a>(
    text: &'a str,
    who: &Forgetting,
    mentions: &Mentions,
    sum: &mut Erased,
) -> Option<Cow<'a, str>> {
    let row = serde_json::from_str::<serde_json::Value>(text);
    let is_about = |row: &serde_json::Value| {
        ABOUT.iter().any(|at| row.pointer(at).and_then(|it| it.as_str()) == Some(who.id.as_str()))
    };
    if row.as_ref().is_ok_and(is_about) {
        sum.removed += 1;
        return None;
    }
    match (mentions.replaced(text), &row) {
        (None, _) => Some(Cow::Borrowed(text)),
        // What is left of a line that a crash tore says nothing without the name.
        (Some(_), Err(_)) => {
            sum.removed += 1;
            None
        }
        (Some(without), Ok(_)) => {
            sum.changed += 1;
            Some(Cow::Owned(without))
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// An empty file that only its owner reads.
fn private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Time;

    const NAME: &str = "letters";

    fn who() -> Forgetting {
        let (id, actor) = ("ann".to_owned(), "root".to_owned());
        Forgetting { id, name: None, at: Time::default(), actor, result: "done" }
    }

    #[test]
    fn lines_about_somebody_go_and_others_lose_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        let keep = "{\"table\":\"findings\",\"row\":{\"principal_id\":\"joann\"}}\n";
        let text = format!(
            "{{\"table\":\"x\",\"row\":{{\"principal_id\":\"ann\"}}}}\n{keep}{}{}",
            "{\"row\":{\"principal_id\":\"10.0.0.1\",\"sentence\":\"followed, as ann\"}}\n",
            "{\"outlet\":\"webhook\",\"event\":{\"unmapped\":{\"principal_id\":\"ann\"}}}\n\
             {\"table\":\"fin\",\"row\":{\"principal_id\":\"ann\n",
        );
        fs::write(&path, &text).unwrap();
        let counted = forget(NAME, &path, &who(), true).unwrap();
        assert_eq!((counted.removed, counted.changed), (3, 1));
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "counting changes nothing");
        assert_eq!(forget(NAME, &path, &who(), false).unwrap(), counted);
        let left = fs::read_to_string(&path).unwrap();
        let changed =
            "{\"row\":{\"principal_id\":\"10.0.0.1\",\"sentence\":\"followed, as [forgotten]\"}}\n";
        assert_eq!(left, format!("{keep}{changed}"));
        assert_eq!(forget(NAME, &path, &who(), false).unwrap(), Erased::nothing(NAME));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn a_file_that_is_not_there_holds_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        assert_eq!(forget(NAME, &path, &who(), false).unwrap(), Erased::nothing(NAME));
        assert!(!path.exists());
    }
}
