//! `habitus compact`: a directory's small runs made large, and what is too old removed.

use super::{Ended, Failure, Setting};
use crate::figures::counted;
use std::io::Write as _;
use store::{Compacted, Store};

/// Compacts until there is nothing left to do.
pub(crate) fn run(setting: &Setting) -> Result<Ended, Failure> {
    if setting.server.is_some() {
        return Err("a server merges its parts by itself: compact is for a directory".into());
    }
    let keep = setting.config.keep;
    let all = setting.runtime.block_on(async {
        let store = Store::open(&setting.store).await?;
        let mut all = Compacted::default();
        loop {
            let done = store.compact(keep, now(), true).await?;
            if done.is_nothing() {
                return Ok::<_, store::StoreError>(all);
            }
            all.merged += done.merged;
            all.expired += done.expired;
        }
    })?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "merged {}, removed {} that {} too old",
        counted(all.merged as u64, "run", "runs"),
        counted(all.expired as u64, "file", "files"),
        if all.expired == 1 { "was" } else { "were" },
    )?;
    Ok(Ended::Done)
}

#[expect(clippy::disallowed_methods, reason = "how old a file is, only the clock knows")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
