//! `habitus baseline`: what is learned of one identity is frozen, begun anew, or taken back.

use super::{Ended, Failure, Setting, identity, time_of};
use crate::cli::{Baseline, BaselineAction};
use crate::live::checkpoint::Checkpoints;
use crate::live::control::{Control, Do, Ordered};
use crate::live::objects;
use crate::operation::probe::checkpoint_place;
use std::sync::Arc;
use std::time::Duration;

/// The time between two looks at whether the service has done what it was told.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The controls of the groups that the configuration names: of one process, or of the second of two
/// stages.
pub(super) fn controls(setting: &Setting) -> Result<Vec<Control>, Failure> {
    let named = &setting.config.run.checkpoints;
    if !named.contains("://") && !checkpoint_place(named, &setting.store).is_dir() {
        return Err(format!(
            "no service keeps its state in {}: give --store and --config as the service has them; for a \
             replay say it in the configuration, as detect.change_windows",
            setting.store.display(),
        )
        .into());
    }
    let objects = objects::open(named, &setting.store, &setting.environment)?;
    let source = &setting.config.source;
    setting.runtime.block_on(async {
        let mut all = Vec::new();
        // One process, or the second of two stages: whichever ever ran has a state.
        for group in [source.group_id.clone(), source.second_stage()] {
            if !Checkpoints::new(Arc::clone(&objects), &group).list().await?.is_empty() {
                all.push(Control::new(Arc::clone(&objects), &group));
            }
        }
        if all.is_empty() {
            all.push(Control::new(objects, &source.group_id));
        }
        Ok(all)
    })
}

/// Orders it, and waits for the service.
pub(crate) fn run(setting: &Setting, args: &Baseline) -> Result<Ended, Failure> {
    let (whose, order) = match &args.action {
        BaselineAction::Freeze(whose) => (whose, Do::Freeze),
        BaselineAction::Thaw(whose) => (whose, Do::Thaw),
        BaselineAction::Reset(whose) => (whose, Do::Reset),
        BaselineAction::Rollback { whose, to } => (whose, Do::RollBack(time_of(to, "--to")?.ns())),
    };
    let reader = setting.reader()?;
    let found = identity::resolve(setting, &reader, &whose.id)?;
    let ordered = Ordered { principal_id: found.id.clone(), order };
    let all = controls(setting)?;
    let wait = Duration::from_secs(u64::from(whose.wait));
    let is_done = setting.runtime.block_on(async {
        let mut names = Vec::new();
        for control in &all {
            names.push(control.order(&ordered).await?);
        }
        let mut waited = Duration::ZERO;
        loop {
            let mut is_done = false;
            for (control, name) in all.iter().zip(&names) {
                is_done |= !control.is_pending(name).await?;
            }
            if is_done {
                // Of two groups one is no longer at work.
                for (control, name) in all.iter().zip(&names) {
                    control.withdraw(name).await?;
                }
                return Ok::<_, Failure>(true);
            }
            if waited >= wait {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    })?;
    let who = crate::render::plain(&found.id);
    if is_done {
        crate::note(&format!("the service has done it: {who}"));
    } else {
        crate::note(&format!(
            "no service has taken it up yet: it will at its next epoch or start ({who})"
        ));
    }
    Ok(Ended::Done)
}
