//! `habitus evaluate`: how well detection does on traffic whose attacks are known, in numbers.

mod report;

use super::replay::write_summary;
use super::trial::{Log, Trial, generate, judge};
use super::{Ended, Failure, Setting, declared_format, replay};
use crate::cli::{Evaluate, Logs, OutputFormat};
use crate::truth::Truth;
use report::Report;
use simulate::Scenario;
use std::io::Write as _;
use std::path::Path;

/// Where trials are kept in the store's directory; each has a store of its own there.
const PLACE: &str = "evaluate";
/// Hours in a day.
const HOURS_PER_DAY: u32 = 24;
/// Of ten identities so many are people, services, agents.
const SHARES: [u32; 3] = [8, 1, 1];

/// Makes the trials, and reports on all of them together.
pub(crate) fn run(setting: &Setting, args: &Evaluate) -> Result<Ended, Failure> {
    if setting.server.is_some() {
        return Err("evaluate makes trials, which have no place among real findings: give it a \
                    directory as --store"
            .into());
    }
    let trials = match &args.truth {
        Some(path) => vec![given(setting, args, path)?],
        None => simulated(setting, args)?,
    };
    if let (Some(path), Some(trial)) = (&args.work.summary, trials.last()) {
        write_summary(&trial.summary, path)?;
    }
    let report = Report::of(&trials);
    let mut out = std::io::stdout().lock();
    if setting.output == OutputFormat::Table {
        report.print(&mut out, args.require)?;
    } else {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    }
    out.flush()?;
    Ok(if args.require && !report.is_good() { Ended::Short } else { Ended::Done })
}

/// A log that somebody has, with its truth.
fn given(setting: &Setting, args: &Evaluate, path: &Path) -> Result<Trial, Failure> {
    let truth = Truth::read(path)?;
    let logs = Logs { files: args.log.clone(), format: args.format.clone(), sort: args.sort };
    let (inputs, problems) = replay::find(&logs)?;
    if let Some(problem) = problems.first() {
        return Err(problem.clone().into());
    }
    let log = Log { inputs, declared: declared_format(&logs)?, sort: args.sort };
    let place = empty(setting, "log")?;
    judge(&place, &args.work, "evaluate", log, truth)
}

/// A trial for each seed.
fn simulated(setting: &Setting, args: &Evaluate) -> Result<Vec<Trial>, Failure> {
    let seeds = if args.seed.is_empty() {
        drawn(&setting.fresh_key, args.seeds)
    } else {
        args.seed.clone()
    };
    let mut trials = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let scenario = scenario(args, seed);
        let mut place = empty(setting, &format!("seed-{seed}"))?;
        // Fingerprints have a key; with another one another sample of objects might be kept.
        place.fresh_key = blake3::derive_key("habitus trial", &seed.to_le_bytes());
        let path = place.store.join("log.ndjson.zst");
        crate::note(&format!(
            "seed {seed}: {} days of {} people, {} services and {} agents into {}",
            args.days,
            scenario.people,
            scenario.services,
            scenario.agents,
            path.display(),
        ));
        let (log, truth) = generate(&scenario, simulate::canonical::write, &path)?;
        trials.push(judge(&place, &args.work, "evaluate", log, truth)?);
    }
    Ok(trials)
}

fn scenario(args: &Evaluate, seed: u64) -> Scenario {
    let [people, services, agents] =
        SHARES.map(|share| args.identities / SHARES.iter().sum::<u32>() * share);
    let (attacks, whole) = args.attacks.plan(args.scenario);
    Scenario {
        seed,
        hours: u32::from(args.days) * HOURS_PER_DAY,
        people: args.people.unwrap_or(people),
        services: args.services.unwrap_or(services),
        agents: args.agents.unwrap_or(agents),
        attacks,
        whole,
        ..Scenario::default()
    }
}

/// Seeds that nobody chose; short ones, because somebody may type them again.
fn drawn(entropy: &[u8; 32], count: u16) -> Vec<u64> {
    let seed = |nth: u16| {
        let mut material = entropy.to_vec();
        material.extend(nth.to_le_bytes());
        let [a, b, c, d, ..] = blake3::derive_key("habitus seeds of trials", &material);
        u64::from(u32::from_le_bytes([a, b, c, d]))
    };
    (0..count).map(seed).collect()
}

/// The setting with a store of its own, where nothing is left of an earlier trial of that name.
fn empty(setting: &Setting, name: &str) -> Result<Setting, Failure> {
    let dir = setting.store.join(PLACE).join(name);
    if let Err(error) = std::fs::remove_dir_all(&dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(format!("cannot empty {}: {error}", dir.display()).into());
    }
    Ok(Setting { store: dir, ..setting.clone() })
}
