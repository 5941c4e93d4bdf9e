//! `habitus forget`: one identity taken out of the store, the service and the dead letters.

use super::identity::{self, Candidate};
use super::run::wall;
use super::{Ended, Failure, Setting};
use crate::cli::Forget;
use crate::keeper::dead_letters;
use crate::live::checkpoint::{CheckpointError, Checkpoints};
use crate::live::forget::Requests;
use crate::live::objects;
use crate::operation::probe::checkpoint_place;
use crate::outlets;
use crate::render::{self, plain};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use store::{Erased, Forgetting, Reader, Store, forget_letters};

/// The time between two looks at whether the service has done what it was asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What the audit says when all was done, and when a service has yet to do its part.
const DONE: &str = "done";
const PENDING: &str = "service_pending";

/// Forgets one identity.
pub(crate) fn run(setting: &Setting, args: &Forget) -> Result<Ended, Failure> {
    let reader = setting.reader()?;
    match &reader {
        // What a crash in the midst of forgetting left behind goes first.
        Reader::Directory(store) if !args.dry_run => setting.runtime.block_on(store.sweep())?,
        Reader::Directory(_) => {}
        Reader::Server(client) => setting.runtime.block_on(store::clickhouse::verify(client))?,
    }
    let found = identity::resolve(setting, &reader, &args.id)?;
    let mut who = Forgetting {
        name: own_name(setting, &reader, &found)?,
        id: found.id,
        at: wall(),
        actor: actor(),
        result: DONE,
    };
    let mut out = std::io::stdout().lock();
    if args.dry_run {
        let counted = count(setting, &reader, &who)?;
        write_table(&mut out, setting, &counted)?;
        crate::note("nothing was changed");
        return Ok(Ended::Done);
    }
    if !args.yes {
        confirm(&who)?;
    }
    let key = key_of(setting, args)?;
    let is_pending = ask_service(setting, args, &store::fingerprint(&key, &who.id))?;
    if is_pending {
        who.result = PENDING;
    }
    let mut erased = setting.runtime.block_on(async {
        match &reader {
            Reader::Directory(store) => store.forget(&who).await,
            Reader::Server(client) => client.forget(&who, &key).await,
        }
    })?;
    let letters = dead_letters(&setting.store);
    let forget = forget_letters("dead letters", &letters, &who, false);
    erased.push(setting.runtime.block_on(forget)?);
    erased.push(outlets::forget(setting, &who, false)?);
    write_table(&mut out, setting, &erased)?;
    if is_pending {
        crate::note(
            "no service has taken it up yet: it will at its next epoch or start; if one runs now, \
             run this command again after that, for what it stored in between",
        );
    }
    let left: u64 = erased.iter().map(|it| it.left).sum();
    if left > 0 {
        crate::note(&format!(
            "{left} rows about others have its name in the path of an endpoint, and keep it"
        ));
    }
    Ok(Ended::Done)
}

/// What people call it, if nobody else is called so too.
fn own_name(
    setting: &Setting,
    reader: &Reader,
    found: &Candidate,
) -> Result<Option<String>, Failure> {
    if found.name.is_empty() {
        return Ok(None);
    }
    let namesakes = identity::fitting(setting, reader, &found.name)?;
    let is_shared = namesakes.iter().any(|it| it.name == found.name && it.id != found.id);
    Ok((!is_shared).then(|| found.name.clone()))
}

fn count(setting: &Setting, reader: &Reader, who: &Forgetting) -> Result<Vec<Erased>, Failure> {
    let mut counted = setting.runtime.block_on(async {
        let mut counted = match reader {
            Reader::Directory(store) => store.count_forgotten(who).await?,
            Reader::Server(client) => client.count_forgotten(who).await?,
        };
        let letters = dead_letters(&setting.store);
        counted.push(forget_letters("dead letters", &letters, who, true).await?);
        Ok::<_, Failure>(counted)
    })?;
    counted.push(outlets::forget(setting, who, true)?);
    Ok(counted)
}

/// The key of the store, or of the directory beside the server, which the service has too.
fn key_of(setting: &Setting, args: &Forget) -> Result<[u8; 32], Failure> {
    let key = args.key_file.as_deref().map(super::replay::read_key).transpose()?;
    let store = Store::create(&setting.store, key, setting.fresh_key);
    Ok(setting.runtime.block_on(store)?.key())
}

/// Leaves a request where the service's checkpoints are, and waits until it was taken up; whether it
/// still has to be.
fn ask_service(setting: &Setting, args: &Forget, fingerprint: &str) -> Result<bool, Failure> {
    let named = &setting.config.run.checkpoints;
    if !named.contains("://") && !checkpoint_place(named, &setting.store).is_dir() {
        return Ok(false);
    }
    let objects = objects::open(named, &setting.store, &setting.environment)?;
    let source = &setting.config.source;
    let wait = Duration::from_secs(u64::from(args.wait));
    setting.runtime.block_on(async {
        // One process, or the second of two stages: whichever ever ran has a state.
        let mut asked = Vec::new();
        for group in [source.group_id.clone(), source.second_stage()] {
            if !Checkpoints::new(Arc::clone(&objects), &group).list().await?.is_empty() {
                asked.push(Requests::new(Arc::clone(&objects), &group));
            }
        }
        if asked.is_empty() {
            let others = Checkpoints::groups(&*objects).await?;
            if !others.is_empty() {
                return Err(format!(
                    "the checkpoints there are of group {}, not {}: give --config of the service, or set \
                     source.group_id",
                    plain(&others.join(", ")),
                    source.group_id,
                )
                .into());
            }
            asked.push(Requests::new(objects, &source.group_id));
        }
        for requests in &asked {
            requests.put(fingerprint).await?;
        }
        let mut waited = Duration::ZERO;
        while is_pending(&asked, fingerprint).await? {
            if waited >= wait {
                return Ok::<_, Failure>(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        Ok(false)
    })
}

async fn is_pending(asked: &[Requests], fingerprint: &str) -> Result<bool, CheckpointError> {
    for requests in asked {
        if requests.is_pending(fingerprint).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks on the terminal whether it is meant.
fn confirm(who: &Forgetting) -> Result<(), Failure> {
    let (stdin, name) = (std::io::stdin(), who.name.as_deref().unwrap_or_default());
    if !stdin.is_terminal() {
        return Err("forgetting cannot be undone: give --yes, or --dry-run to count".into());
    }
    let mut err = std::io::stderr().lock();
    write!(err, "Forget {} {} for good? [y/N] ", plain(&who.id), plain(name))?;
    err.flush()?;
    let mut typed = String::new();
    stdin.lock().read_line(&mut typed)?;
    match typed.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err("nothing was forgotten".into()),
    }
}

/// The user of the operating system, by name.
pub(super) fn actor() -> String {
    let said = Command::new("/usr/bin/id").arg("-un").output();
    let name = said.ok().and_then(|said| String::from_utf8(said.stdout).ok());
    let name = name.map(|name| plain(name.trim())).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "unknown".to_owned())
}

fn write_table(
    out: &mut dyn std::io::Write,
    setting: &Setting,
    erased: &[Erased],
) -> Result<(), Failure> {
    let counts = |of: fn(&Erased) -> u64| -> ArrayRef {
        Arc::new(erased.iter().map(|it| of(it) as i64).collect::<Int64Array>())
    };
    let names: StringArray = erased.iter().map(|it| Some(it.table)).collect();
    let names: ArrayRef = Arc::new(names);
    let batch = RecordBatch::try_from_iter([
        ("table", names),
        ("removed", counts(|it| it.removed)),
        ("changed", counts(|it| it.changed)),
        ("left", counts(|it| it.left)),
    ])?;
    Ok(render::rows(out, setting.output, &batch.schema(), &[batch])?)
}
