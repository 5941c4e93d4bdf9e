//! `habitus change-window`: changes that are announced to the service, in which nothing is learned.

use super::{Ended, Failure, Setting, baseline, time_of};
use crate::cli::{Announce, ChangeWindows, ChangeWindowsAction};
use crate::live::control::Control;
use crate::render::{self, plain};
use detect::{CHANGE_WINDOWS_MAX, ChangeWindow, Scope};
use std::io::Write as _;

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
    let Some(control) = controls.first() else { return Ok(Ended::Done) };
    let changes = setting.runtime.block_on(control.changes())?;
    let mut out = std::io::stdout().lock();
    if setting.output != crate::cli::OutputFormat::Table {
        for (id, it) in &changes {
            let said = serde_json::json!({
                "id": id,
                "from": it.from.to_string(),
                "until": it.until.to_string(),
                "identities": it.scope.identities,
                "endpoints": it.scope.endpoints,
                "reason": it.reason,
            });
            writeln!(out, "{said}")?;
        }
        return Ok(Ended::Done);
    }
    let mut table = render::new_table();
    table.set_header(["id", "from", "until", "identities", "endpoints", "reason"]);
    for (id, it) in &changes {
        let all = |list: &[String]| {
            if list.is_empty() { "all".to_owned() } else { plain(&list.join(", ")) }
        };
        let (from, until) = (it.from.to_string(), it.until.to_string());
        let scope = &it.scope;
        let row = [
            id.clone(),
            from,
            until,
            all(&scope.identities),
            all(&scope.endpoints),
            plain(&it.reason),
        ];
        table.add_row(row);
    }
    Ok(writeln!(out, "{table}").map(|()| Ended::Done)?)
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
