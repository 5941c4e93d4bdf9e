//! `habitus simulate`: reproducible gateway traffic as access log lines, into a file, a pipe or a topic.

mod destination;
mod pace;

use super::{Ended, Failure, Setting};
use crate::cli::{Rate, Simulate};
use crate::figures::{counted, grouped};
use crate::progress::Progress;
use destination::Destination;
use model::Time;
use model::time::{NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S};
use pace::Pace;
use simulate::{Attacks, Record, Scenario, Truth};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The longest traffic.
const LENGTH_NS_MAX: i64 = simulate::HOURS_MAX as i64 * NS_PER_H;
/// How long traffic is if nothing else is said.
const LENGTH_NS: i64 = NS_PER_D;
/// Hours that attacks need: their victims must have habits first.
const ATTACK_HOURS: u32 = 24;
/// Lines between two looks at the progress.
const PROGRESS_LINES: u64 = 1_000;

/// Which part of time is simulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Plan {
    start: Time,
    /// The end, exclusive.
    end: Time,
    /// Where it becomes now; everything before is written as fast as it can be.
    live: Option<Time>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    lines: u64,
    last: Option<Time>,
}

/// Generates traffic, and writes it where it is wanted.
pub(crate) fn run(setting: &Setting, args: &Simulate) -> Result<Ended, Failure> {
    let plan = Plan::of(args, super::run::wall())?;
    let traffic = simulate::plan(&plan.scenario(args));
    let mut destination = Destination::open(setting, args)?;
    let name = destination.name();
    let truth = traffic.truth().clone();
    if let Some(path) = &args.truth {
        write_truth(path, args.seed, &plan, plan.end, &truth)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    super::run::stop_on_signals(&setting.runtime, Arc::clone(&stop))?;
    let started = setting.now();
    let mut pace = Pace::new(args.rate, plan.live, stop);
    let length_s = (plan.end.since(plan.start) / NS_PER_S) as u64;
    let progress = Progress::through(length_s, "simulate");
    let (mut line, mut written, mut failed) = (Vec::new(), Written::default(), None);
    let write = args.format.writer();
    traffic.run(&mut |record: &Record| {
        let time = Time::from_ns(record.time_ns);
        if time >= plan.end {
            return ControlFlow::Break(());
        }
        line.clear();
        write(record, &mut line);
        let is_due = pace.wait(time, written.lines, &mut || destination.flush());
        match is_due.and_then(|is_due| if is_due { destination.put(&line) } else { Ok(()) }) {
            Ok(()) if pace.is_stopped() => ControlFlow::Break(()),
            Ok(()) => {
                written = Written { lines: written.lines + 1, last: Some(time) };
                if plan.live.is_some() || written.lines.is_multiple_of(PROGRESS_LINES) {
                    let done_s = (time.since(plan.start) / NS_PER_S) as u64;
                    let seconds = (setting.now() - started).as_secs_f64();
                    progress.lines_at(done_s, written.lines, seconds);
                }
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    if plan.live.is_some() && failed.is_none() {
        // The last call was made, and its time goes on.
        failed = pace.wait(plan.end, written.lines, &mut || destination.flush()).err();
    }
    progress.done();
    let finished = destination.finish();
    if let Some(error) = failed {
        return Err(error);
    }
    finished?;
    let happened = if pace.is_stopped() { written.last.unwrap_or(plan.start) } else { plan.end };
    if let Some(path) = args.truth.as_ref().filter(|_| pace.is_stopped()) {
        write_truth(path, args.seed, &plan, happened, &truth)?;
    }
    let seconds = (setting.now() - started).as_secs_f64();
    summarise(args, &plan, &written, (happened, seconds), &truth, &name);
    Ok(Ended::Done)
}

/// Says in a line what was written.
fn summarise(
    args: &Simulate,
    plan: &Plan,
    written: &Written,
    (until, seconds): (Time, f64),
    truth: &Truth,
    name: &str,
) {
    let attacks = attacks_until(truth, until).count() as u64;
    let told = match (&args.truth, attacks) {
        (_, 0) => String::new(),
        (Some(path), _) => format!(", told in {}", path.display()),
        (None, _) => ", which --truth FILE tells".to_owned(),
    };
    let rate = written.lines as f64 / seconds.max(1e-3);
    crate::note(&crate::render::plain(&format!(
        "simulated {} from {} to {until} into {name} in {seconds:.1} s ({} a second); {}{told}",
        counted(written.lines, "call", "calls"),
        plan.start,
        grouped(&format!("{rate:.0}")),
        counted(attacks, "attack", "attacks"),
    )));
}

/// The attacks that began before that time.
fn attacks_until(truth: &Truth, until: Time) -> impl Iterator<Item = &simulate::Attack> {
    let until_s = until.ns() as f64 / NS_PER_S as f64;
    truth.attacks.iter().filter(move |it| it.start_s < until_s)
}

impl Plan {
    fn of(args: &Simulate, now: Time) -> Result<Self, Failure> {
        let is_live = args.rate == Rate::Realtime;
        let length = match (&args.duration, args.days) {
            (Some(typed), _) => Some(length_ns(typed, "--duration")?),
            (None, Some(days)) => Some(i64::from(days) * NS_PER_D),
            (None, None) => None,
        };
        let history = args.history.as_deref().map(|it| length_ns(it, "--history")).transpose()?;
        if !is_live {
            if history.is_some() {
                return Err("--history is for --rate realtime: use --start and --days".into());
            }
            let start = match super::bound(args.start.as_deref(), "--start")? {
                Some(start) => start.floor(NS_PER_S),
                None => Time::from_ns(Scenario::default().start_s * NS_PER_S),
            };
            let end = start.plus(length.unwrap_or(LENGTH_NS));
            return Self { start, end, live: None }.checked();
        }
        if args.start.is_some() {
            return Err(
                "--rate realtime starts now: use --history LENGTH to write what came before \
                        now, or another --rate"
                    .into(),
            );
        }
        let live = now.floor(NS_PER_S);
        let start = live.plus(-history.unwrap_or(0));
        // Without a length it goes on until it is stopped, or the longest traffic ends.
        let end = length.map_or(start.plus(LENGTH_NS_MAX), |length| live.plus(length));
        Self { start, end, live: Some(live) }.checked()
    }

    fn checked(self) -> Result<Self, Failure> {
        if self.end.since(self.start) > LENGTH_NS_MAX {
            let days = LENGTH_NS_MAX / NS_PER_D;
            return Err(format!("the traffic may last {days} days at most: give less").into());
        }
        if !(self.start.is_plausible() && self.end.is_plausible()) {
            return Err(format!(
                "the traffic would last from {} to {}: give a --start between 2001 and 2099",
                self.start, self.end
            )
            .into());
        }
        Ok(self)
    }

    fn scenario(&self, args: &Simulate) -> Scenario {
        let whole_hours = |ns: i64| u32::try_from(ns / NS_PER_H).unwrap_or(0);
        let length = self.end.since(self.start);
        // What came before now ends with the attacks, so that they are there to be found.
        let day_end = match self.live {
            Some(live) => whole_hours(live.since(self.start)).max(ATTACK_HOURS),
            None => whole_hours(length),
        };
        let (attacks, whole) = args.attacks.plan(args.scenario);
        Scenario {
            seed: args.seed,
            start_s: self.start.ns() / NS_PER_S,
            hours: whole_hours(length + NS_PER_H - 1),
            people: args.people,
            services: args.services,
            agents: args.agents,
            attacks: match attacks {
                // Less than a day has none.
                Attacks::Day if day_end > whole_hours(length) => Attacks::None,
                other => other,
            },
            whole,
            day_end_hour: Some(day_end),
        }
    }
}

/// A length of time as a person writes it: `90s`, `10m`, `12h`, `2d`.
pub(super) fn length_ns(typed: &str, flag: &str) -> Result<i64, Failure> {
    let units = [('s', NS_PER_S), ('m', NS_PER_MIN), ('h', NS_PER_H), ('d', NS_PER_D)];
    let read = || {
        let (digits, unit) = typed.split_at_checked(typed.len().checked_sub(1)?)?;
        let (_, unit_ns) = units.into_iter().find(|(name, _)| unit.starts_with(*name))?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<i64>().ok().filter(|number| is_number && *number > 0)?;
        number.checked_mul(unit_ns)
    };
    read().ok_or_else(|| {
        format!("{flag} is `{typed}`, which is no length of time: write 90s, 10m, 12h or 2d").into()
    })
}

/// Writes beside the traffic what is true of it until that time.
fn write_truth(
    path: &Path,
    seed: u64,
    plan: &Plan,
    until: Time,
    truth: &Truth,
) -> Result<(), Failure> {
    crate::truth::Truth::of(truth, seed, (plan.start, until)).write(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    /// 2026-03-02T10:00:00.5Z.
    const NOW: Time = Time::from_ns(1_772_445_600 * NS_PER_S + NS_PER_S / 2);

    /// The plan of a command line, and its scenario.
    fn check(typed: &[&str]) -> Result<(Plan, Scenario), String> {
        let cli = crate::cli::Cli::try_parse_from([&["habitus", "simulate"], typed].concat());
        let crate::cli::Command::Simulate(args) = cli.map_err(|it| it.to_string())?.command else {
            panic!("another command");
        };
        let plan = Plan::of(&args, NOW).map_err(|error| error.to_string())?;
        Ok((plan, plan.scenario(&args)))
    }

    #[test]
    fn a_plan_without_words_is_the_day_of_the_demo() {
        let (plan, scenario) = check(&[]).unwrap();
        assert_eq!(plan.live, None);
        assert_eq!(scenario, Scenario { day_end_hour: Some(24), ..Scenario::default() });
    }

    #[test]
    fn real_time_begins_now_and_its_attacks_lie_in_the_history() {
        let realtime = ["--rate", "realtime", "--duration", "90s", "--history", "1d"];
        let (plan, scenario) = check(&realtime).unwrap();
        let live = NOW.floor(NS_PER_S);
        assert_eq!(plan.live, Some(live));
        assert_eq!(plan.end, live.plus(90 * NS_PER_S));
        assert_eq!(plan.start, live.plus(-NS_PER_D));
        assert_eq!((scenario.hours, scenario.day_end_hour), (25, Some(24)));
        assert_eq!(scenario.attacks, Attacks::Day);
        let (plan, scenario) = check(&["--rate", "realtime"]).unwrap();
        assert_eq!(plan.end.since(plan.start), LENGTH_NS_MAX);
        assert_eq!((scenario.attacks, scenario.day_end_hour), (Attacks::Day, Some(24)));
        let (_, scenario) = check(&["--rate", "realtime", "--duration", "10m"]).unwrap();
        assert_eq!(scenario.attacks, Attacks::None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_cure() {
        for (typed, cure) in [
            (&["--duration", "5"][..], "write 90s"),
            (&["--duration", "0s"], "write 90s"),
            (&["--duration", "+1h"], "write 90s"),
            (&["--duration", "9223372036854775807d"], "write 90s"),
            (&["--duration", "1d", "--days", "1"], "cannot be used with"),
            (&["--duration", "401d"], "400 days at most"),
            (&["--start", "1999-01-01"], "between 2001 and 2099"),
            (&["--start", "yesterday"], "write 2026-03-02"),
            (&["--start", "2026-03-02", "--rate", "realtime"], "--history"),
            (&["--history", "1d"], "--rate realtime"),
            (&["--rate", "0"], "a number of lines a second"),
            (&["--out", "x", "--topic", "y"], "cannot be used with"),
        ] {
            let error = check(typed).unwrap_err();
            assert!(error.contains(cure), "{typed:?}: {error}");
        }
    }
}
