//! `habitus change-window`: changes that are announced to the service, in which nothing is learned.

use super::{Ended, Failure, Setting, baseline, time_of};
use crate::cli::{Announce, ChangeWindows, ChangeWindowsAction};
use crate::live::control::Control;
use crate::render::{self, plain};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::error::ArrowError;
use detect::{CHANGE_WINDOWS_MAX, ChangeWindow, Scope};
use std::io::Write as _;
use std::sync::Arc;

/// Announces a change, lists them, or takes one back.
pub(crate) fn run(setting: &Setting, args: &ChangeWindows) -> Result<Ended, Failure> {
    let controls = baseline::controls(setting)?;
    match &args.action {
        ChangeWindowsAction::Add(announce) => add(setting, &controls, announce),
        ChangeWindowsAction::List => list(setting, &controls),
        ChangeWindowsAction::Remove { id } => remove(setting, &controls, id),
    }
}

fn add(setting: &Setting, controls: &[Control], it: &Announce) -> Result<Ended, Failure> {
    let window = ChangeWindow {
        from: time_of(&it.from, "--from")?,
        until: time_of(&it.until, "--until")?,
        scope: Scope {
            identities: it.identity.clone(),
            endpoints: it.endpoint.clone(),
            ..Scope::default()
        },
        reason: it.reason.clone(),
    };
    if let Some(why) = window.fault() {
        return Err(format!("the change window {why}").into());
    }
    for control in controls {
        let known = setting.runtime.block_on(control.changes())?;
        // What is announced already is announced again, and takes no place.
        if known.len() >= CHANGE_WINDOWS_MAX && known.iter().all(|(_, it)| *it != window) {
            return Err(format!(
                "{CHANGE_WINDOWS_MAX} change windows are announced, and there may be no more: take one \
                 back that is over with `habitus change-window remove ID`; `habitus change-window \
                 list` has them"
            )
            .into());
        }
    }
    let mut name = String::new();
    for control in controls {
        name = setting.runtime.block_on(control.announce(&window))?;
    }
    writeln!(std::io::stdout().lock(), "{name}")?;
    crate::note("announced: nothing is learned in it, from an epoch's end within seconds on");
    Ok(Ended::Done)
}

fn list(setting: &Setting, controls: &[Control]) -> Result<Ended, Failure> {
    let changes = match controls.first() {
        Some(control) => setting.runtime.block_on(control.changes())?,
        None => Vec::new(),
    };
    let batch = table(&changes)?;
    let mut out = std::io::stdout().lock();
    render::rows(&mut out, setting.output, &batch.schema(), &[batch])?;
    Ok(out.flush().map(|()| Ended::Done)?)
}

/// A row for each change.
fn table(changes: &[(String, ChangeWindow)]) -> Result<RecordBatch, ArrowError> {
    let texts = |of: &dyn Fn(&(String, ChangeWindow)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(changes.iter().map(of)))
    };
    // Without a pattern all are meant, as the pattern says that fits anything.
    let all = |list: &[String]| if list.is_empty() { "*".to_owned() } else { list.join(", ") };
    RecordBatch::try_from_iter_with_nullable([
        ("id", texts(&|(id, _)| id.clone()), false),
        ("from", texts(&|(_, it)| it.from.to_string()), false),
        ("until", texts(&|(_, it)| it.until.to_string()), false),
        ("identities", texts(&|(_, it)| all(&it.scope.identities)), false),
        ("endpoints", texts(&|(_, it)| all(&it.scope.endpoints)), false),
        ("reason", texts(&|(_, it)| it.reason.clone()), false),
    ])
}

fn remove(setting: &Setting, controls: &[Control], id: &str) -> Result<Ended, Failure> {
    let mut is_known = false;
    for control in controls {
        let changes = setting.runtime.block_on(control.changes())?;
        if changes.iter().any(|(name, _)| name == id) {
            setting.runtime.block_on(control.take_back(id))?;
            is_known = true;
        }
    }
    if is_known {
        return Ok(Ended::Done);
    }
    Err(format!(
        "no change window is called `{}`; `habitus change-window list` has them",
        plain(id)
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::OutputFormat;
    use model::Time;

    fn shown(changes: &[(String, ChangeWindow)], format: OutputFormat) -> String {
        let (mut out, batch) = (Vec::<u8>::new(), table(changes).unwrap());
        render::rows(&mut out, format, &batch.schema(), &[batch]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_list_is_what_was_asked_for_whether_there_are_any_or_not() {
        assert_eq!(shown(&[], OutputFormat::Json), "[]\n");
        assert_eq!(shown(&[], OutputFormat::Ndjson), "");
        let head = "id,from,until,identities,endpoints,reason\n";
        assert_eq!(shown(&[], OutputFormat::Csv), head);
        let window = ChangeWindow {
            from: Time::from_ns(0),
            until: Time::from_ns(3_600_000_000_000),
            scope: Scope { identities: vec!["a".into(), "b*".into()], ..Scope::default() },
            reason: "=a move".into(),
        };
        let changes = [("5f0c".to_owned(), window)];
        let row = "5f0c,1970-01-01T00:00:00Z,1970-01-01T01:00:00Z,\"a, b*\",*,'=a move\n";
        assert_eq!(shown(&changes, OutputFormat::Csv), format!("{head}{row}"));
        let json: serde_json::Value =
            serde_json::from_str(&shown(&changes, OutputFormat::Json)).unwrap();
        assert_eq!(json[0]["identities"], "a, b*");
    }
}
