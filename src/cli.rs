//! The command line: what may be typed, and what it means.

mod formats;
mod learning;
mod report;
mod response;
mod serving;

pub(crate) use formats::{Coverage, Formats, FormatsAction};
pub(crate) use learning::{Announce, Baseline, BaselineAction, ChangeWindows, ChangeWindowsAction};
pub(crate) use report::Report;
pub(crate) use response::{Privileges, Suggest, Who};
pub(crate) use serving::Serve;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The store that is used when none is named.
pub(crate) const STORE: &str = "./habitus-data";

/// Learns the habits of every identity that calls an API from gateway access logs, and says when one
/// stops behaving like itself.
#[derive(Debug, Parser)]
#[command(name = "habitus", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Configuration file [default: habitus.toml, if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the store, or <clickhouse://user@host/database>.
    #[arg(long, global = true, value_name = "STORE", default_value = STORE)]
    pub(crate) store: PathBuf,
    /// How to print results [default: table on a terminal, ndjson otherwise]; whatever it says,
    /// check prints text, normalize NDJSON, demo, evaluate and coverage tables or one JSON object,
    /// formats explain text unless json or ndjson is asked for.
    #[arg(long, global = true, value_enum)]
    pub(crate) output: Option<OutputFormat>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// With a header; times in ISO 8601, NULL is empty.
    Csv,
}

/// What Habitus can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate a day of gateway traffic with known attacks, and show what is found in it.
    Demo(Demo),
    /// Say how well attacks are found in traffic whose attacks are known: recall, time, false findings.
    Evaluate(Evaluate),
    /// Read access logs, detect, and keep the findings in the store.
    Replay(Replay),
    /// Print access logs as canonical events, always one JSON object per line.
    Normalize(Normalize),
    /// List the log formats, or explain how a file would be read.
    Formats(Formats),
    /// Say how much of a log has what detectors need, who is blind, and which setting would cure it.
    Coverage(Coverage),
    /// List findings.
    Findings(Findings),
    /// List incidents: findings that belong together.
    Incidents(Incidents),
    /// Explain one finding: the evidence, the band, what would have been ordinary.
    Explain(Explain),
    /// Ask the store in SQL.
    Query(Query),
    /// Show what is normal for one identity, and what was found about it.
    Identity(IdentityArgs),
    /// Show which operations one identity used of those that its peers use, or suggest what to allow it.
    Privileges(Privileges),
    /// Write what was found into one HTML file that stands alone, for a ticket or a mail.
    Report(Report),
    /// Read topics of access logs, or files as they grow, as a service, detect, and keep the findings in the store.
    Run(Run),
    /// Merge the small runs of a service in a directory, and remove what is too old.
    Compact,
    /// Take what a group has learned to another group, and to other topics.
    Reshard(Reshard),
    /// Make or renew the tables of a ClickHouse server.
    Migrate(Migrate),
    /// Freeze, reset or roll back what the service has learned of one identity.
    Baseline(Baseline),
    /// Announce changes to the service, in which nothing is learned.
    ChangeWindow(ChangeWindows),
    /// Say what a finding is, benign or malicious, or list what was said.
    Feedback(Feedback),
    /// Forget one identity everywhere: in the store, in the service, in dead letters.
    Forget(Forget),
    /// Generate gateway traffic with known attacks, as lines in a file or records of a topic.
    Simulate(Simulate),
    /// Show the store in a browser: findings, incidents, identities, coverage, SQL; on this machine only,
    /// unless a token is given.
    Serve(Serve),
    /// Answer one question of the console's SQL box, typed on standard input, as a stream of Arrow.
    #[command(hide = true)]
    Answer,
    /// Ask a running service whether it is well: exit code 0 if it is, 1 if not.
    Health(Health),
    /// Check configuration, inputs and store without changing anything; prints text.
    Check(Check),
}

/// How work is done.
#[derive(Args, Clone, Debug)]
pub(crate) struct Work {
    /// Threads that do the work [default: the number of processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Write one JSON object of what happened to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
    /// File with the key of fingerprints: 64 hexadecimal digits [default: made once in the store].
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Which logs are read, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Logs {
    /// Files, globs, directories, or - for standard input; .gz and .zst are unpacked.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The logs' format [default: recognised from each file; see `habitus formats`].
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// Sort all events by time in memory, for logs that are out of order by more than 30 s.
    #[arg(long)]
    pub(crate) sort: bool,
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Seed of the traffic.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) work: Work,
}

/// What goes wrong in simulated traffic.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Attacks {
    /// Twelve attacks on one day, among fewer kinds of callers: the traffic of the demo.
    Day,
    /// One attack for each detector, loud, moderate and weak.
    All,
    /// Nothing: every finding is a false one.
    None,
}

/// Arguments of `evaluate`.
#[derive(Args, Debug)]
pub(crate) struct Evaluate {
    /// Seed of simulated traffic; may be given again for one trial more [default: drawn, and printed].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Vec<u64>,
    /// How many trials are made with seeds that are drawn.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "seed")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) seeds: u16,
    /// How many days each lasts.
    #[arg(long, value_name = "N", default_value_t = 14)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=400))]
    pub(crate) days: u16,
    /// How many identities call: eight people in ten, one service, one agent.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=300_000))]
    pub(crate) identities: u32,
    /// How many of them are people.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) people: Option<u32>,
    /// How many are services.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) services: Option<u32>,
    /// How many are AI agents.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) agents: Option<u32>,
    /// Which attacks are in it.
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) attacks: Attacks,
    /// Instead of them one of the scenarios: a, b, b2, c, d, e, f, g, h, i, j or k.
    #[arg(long, value_name = "LETTER", value_parser = case, conflicts_with = "attacks")]
    pub(crate) scenario: Option<simulate::Case>,
    /// Judge this log instead of simulated traffic: files, globs, directories; may be given again.
    #[arg(long, value_name = "FILE", requires = "truth", conflicts_with_all = ["seed", "seeds"])]
    pub(crate) log: Vec<String>,
    /// What is true of it, as `simulate --truth` writes it.
    #[arg(long, value_name = "FILE", requires = "log")]
    pub(crate) truth: Option<PathBuf>,
    /// The log's format [default: recognised].
    #[arg(long, value_name = "NAME", requires = "log")]
    pub(crate) format: Option<String>,
    /// Sort the log by time in memory.
    #[arg(long, requires = "log")]
    pub(crate) sort: bool,
    /// End with exit code 3 unless all loud attacks are found, nine moderate ones in ten, every second
    /// weak one, half of the loud ones within 10 s, and at most 10 findings a day belong to none.
    #[arg(long)]
    pub(crate) require: bool,
    #[command(flatten)]
    pub(crate) work: Work,
}

/// Arguments of `replay`.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) logs: Logs,
    #[command(flatten)]
    pub(crate) work: Work,
    /// Write nothing: compare what this configuration finds with what the store has, and say which
    /// findings would appear and disappear.
    #[arg(long)]
    pub(crate) back_test: bool,
    /// Compare only findings whose hour or day begins from this time on, written as in
    /// `findings --since`; the log before it is what is learned from.
    #[arg(long, value_name = "TIME", requires = "back_test")]
    pub(crate) since: Option<String>,
    /// Compare only findings whose hour or day begins before this time.
    #[arg(long, value_name = "TIME", requires = "back_test")]
    pub(crate) until: Option<String>,
    /// End with exit code 1 unless the findings and their severities are the same.
    #[arg(long, requires = "back_test")]
    pub(crate) require_same: bool,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// File or glob to follow as it grows, instead of topics; may be given again.
    #[arg(long, value_name = "FILE")]
    pub(crate) source: Vec<String>,
    /// Do one stage only: normalize turns records into events of one topic, keyed by identity, and
    /// detect reads that topic [default: both, in one process, without the topic].
    #[arg(long, value_enum)]
    pub(crate) stage: Option<Stage>,
    #[command(flatten)]
    pub(crate) work: Work,
}

/// A stage of the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Stage {
    /// Records become events, keyed by identity, in transactions; any number of processes share it.
    Normalize,
    /// Events become findings.
    Detect,
}

/// Arguments of `reshard`.
#[derive(Args, Debug)]
pub(crate) struct Reshard {
    /// The group whose last checkpoint is taken; no process of it should be running.
    #[arg(long, value_name = "GROUP")]
    pub(crate) from_group: String,
    /// The group that goes on with it, which has read nothing yet.
    #[arg(long, value_name = "GROUP")]
    pub(crate) to_group: String,
    /// Topics that it reads, separated by commas [default: source.topics].
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub(crate) topics: Vec<String>,
    /// Where it begins: earliest, latest, or the first record from a time on.
    #[arg(long, value_name = "WHERE")]
    pub(crate) start: String,
}

/// Arguments of `migrate`.
#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// The cluster whose servers all get the tables, replicated.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Also make the roles of users: who may write, ask, look at dashboards, forget, give feedback.
    #[arg(long)]
    pub(crate) roles: bool,
    /// Also make a dashboard role that sees this tenant's rows only; may be given again.
    #[arg(long, value_name = "NAME", requires = "roles")]
    pub(crate) tenant: Vec<String>,
}

/// How quickly simulated lines come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rate {
    /// Each at the moment that it tells of.
    Realtime,
    /// As fast as they can be written.
    Max,
    /// So many a second.
    PerSecond(u32),
}

fn rate(typed: &str) -> Result<Rate, String> {
    match typed {
        "realtime" => Ok(Rate::Realtime),
        "max" => Ok(Rate::Max),
        _ => match typed.parse() {
            Ok(rate) if rate > 0 => Ok(Rate::PerSecond(rate)),
            _ => Err("write realtime, max, or a number of lines a second".to_owned()),
        },
    }
}

fn case(typed: &str) -> Result<simulate::Case, String> {
    let letters = || simulate::Case::ALL.map(simulate::Case::as_str).join(", ");
    simulate::Case::from_name(typed).ok_or_else(|| format!("write one of {}", letters()))
}

impl SimulatedFormat {
    /// What writes a record so.
    pub(crate) const fn writer(self) -> fn(&simulate::Record, &mut Vec<u8>) {
        match self {
            Self::Kong => simulate::kong::write,
            Self::Ndjson => simulate::ndjson::write,
            Self::Canonical => simulate::canonical::write,
            Self::NginxJson => simulate::nginx::write,
            Self::EnvoyJson => simulate::envoy::json,
            Self::Envoy => simulate::envoy::plain,
            Self::Combined => simulate::clf::combined,
            Self::Common => simulate::clf::common,
        }
    }
}

impl Attacks {
    /// What goes wrong, and whether everybody is there.
    pub(crate) const fn plan(self, case: Option<simulate::Case>) -> (simulate::Attacks, bool) {
        match (case, self) {
            (Some(case), _) => (simulate::Attacks::Case(case), true),
            (None, Self::Day) => (simulate::Attacks::Day, false),
            (None, Self::All) => (simulate::Attacks::Spread, true),
            (None, Self::None) => (simulate::Attacks::None, true),
        }
    }
}

/// How simulated calls are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SimulatedFormat {
    /// As Kong's log plugins write them; without agents, delegation and traces.
    Kong,
    /// Flat JSON; without delegation and credentials.
    Ndjson,
    /// Canonical events: everything there is, also sessions, agents, delegation and traces.
    Canonical,
    /// NGINX with a JSON template; without sessions, agents, delegation, credentials and traces.
    NginxJson,
    /// Envoy's JSON; without the same.
    EnvoyJson,
    /// Envoy's default text; without identities and tools too, only addresses.
    Envoy,
    /// Combined text of Apache and NGINX: user names, whole seconds, no tools.
    Combined,
    /// Common text: the same without programs.
    Common,
}

/// Arguments of `simulate`.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// Seed of the traffic: the same seed, start and sizes give the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the lines go: a file, packed if it ends in .zst, or - for standard output [default: -].
    #[arg(long, value_name = "FILE", conflicts_with = "topic")]
    pub(crate) out: Option<PathBuf>,
    /// The Kafka topic that the lines go to, with the settings in [kafka].
    #[arg(long, value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// How they are written.
    #[arg(long, value_enum, default_value = "kong")]
    pub(crate) format: SimulatedFormat,
    /// How quickly they come: realtime (about now, at their moment), max, or lines a second.
    #[arg(long, default_value = "max", value_parser = rate)]
    pub(crate) rate: Rate,
    /// The first moment, written as in `findings --since` [default: 2026-03-02].
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// How many days it lasts [default: 1; with --rate realtime, until it is stopped].
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=400))]
    pub(crate) days: Option<u16>,
    /// How long it lasts: 90s, 10m, 12h or 2d.
    #[arg(long, value_name = "LENGTH")]
    pub(crate) duration: Option<String>,
    /// With --rate realtime, what came so long before now is written first, as fast as it can be;
    /// with 1d or more the attacks are in it.
    #[arg(long, value_name = "LENGTH")]
    pub(crate) history: Option<String>,
    /// Which attacks are in it; all but those of one day need a --start at midnight.
    #[arg(long, value_enum, default_value = "day")]
    pub(crate) attacks: Attacks,
    /// Instead of them one of the scenarios: a, b, b2, c, d, e, f, g, h, i, j or k.
    #[arg(long, value_name = "LETTER", value_parser = case, conflicts_with = "attacks")]
    pub(crate) scenario: Option<simulate::Case>,
    /// Write to this file which attacks are in the traffic; the lines do not say it.
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// How many people call.
    #[arg(long, value_name = "N", default_value_t = 220)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) people: u32,
    /// How many services call.
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) services: u32,
    /// How many AI agents call.
    #[arg(long, value_name = "N", default_value_t = 40)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) agents: u32,
}

/// Arguments of `health`.
#[derive(Args, Debug)]
pub(crate) struct Health {
    /// Ask whether it is at work (/health/ready), not only whether it runs (/health/live).
    #[arg(long)]
    pub(crate) ready: bool,
}

/// Arguments of `normalize`.
#[derive(Args, Debug)]
pub(crate) struct Normalize {
    #[command(flatten)]
    pub(crate) logs: Logs,
    #[command(flatten)]
    pub(crate) work: Work,
}

/// A span of time.
#[derive(Args, Clone, Debug)]
pub(crate) struct Span {
    /// Only from this time on: 2026-03-02, 2026-03-02T14:00 or RFC 3339; UTC without an offset.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before this time, written in the same way.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// Arguments of `findings`.
#[derive(Args, Debug)]
pub(crate) struct Findings {
    #[command(flatten)]
    pub(crate) span: Span,
    /// Only at least this severe: info, low, medium, high or critical.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) severity: Option<String>,
    /// Only of this detector.
    #[arg(long, value_name = "NAME")]
    pub(crate) detector: Option<String>,
    /// Only about this identity: its id, its name as findings say it, or the beginning of either.
    #[arg(long, value_name = "ID")]
    pub(crate) identity: Option<String>,
    /// At most this many, the most severe first.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Also those that feedback suppresses.
    #[arg(long)]
    pub(crate) all: bool,
}

/// Arguments of `incidents`.
#[derive(Args, Debug)]
pub(crate) struct Incidents {
    #[command(flatten)]
    pub(crate) span: Span,
    /// Only at least this severe: info, low, medium, high or critical.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) severity: Option<String>,
    /// At most this many, the most severe first.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The finding's id, or the beginning of it.
    pub(crate) id: String,
}

/// What can be said of a finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Verdict {
    /// It was meant to be: what the scope covers is left out of `findings` from now on.
    Benign,
    /// It was an attack, or might have been; nothing is left out.
    Malicious,
    /// What was said before no longer holds.
    Withdraw,
}

/// Which findings a verdict speaks of, past and future ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Scope {
    /// This one only.
    Finding,
    /// Its detector about its identity and its entity.
    Pattern,
    /// Its detector about its identity, whatever the entity.
    Identity,
    /// Its detector about its entity, whoever calls.
    Entity,
    /// Its detector, whoever calls and whatever the entity.
    Detector,
}

/// Arguments of `feedback`.
#[derive(Args, Debug)]
pub(crate) struct Feedback {
    /// The finding's id, or the beginning of it; to withdraw also that of the feedback; without it,
    /// or with `list`, what was said is listed.
    pub(crate) id: Option<String>,
    /// What it is.
    #[arg(value_enum, requires = "reason")]
    pub(crate) verdict: Option<Verdict>,
    /// Why, in at most 500 characters; kept, and shown by `explain`.
    #[arg(long, value_name = "TEXT", requires = "verdict")]
    pub(crate) reason: Option<String>,
    /// Which findings it is said of, all of the same tenant [default: finding].
    #[arg(long, value_enum, requires = "verdict")]
    pub(crate) scope: Option<Scope>,
    /// Until when benign holds: a time as in `findings --since`, or a length such as 12h or 30d
    /// [default: for good].
    #[arg(long, value_name = "TIME", requires = "verdict")]
    pub(crate) until: Option<String>,
    /// Who says so [default: the user of the operating system].
    #[arg(long, value_name = "NAME", requires = "verdict")]
    pub(crate) by: Option<String>,
}

/// Arguments of `query`.
#[derive(Args, Debug)]
pub(crate) struct Query {
    /// A SELECT over findings, incidents, signals, windows, operations, identities, endpoints, feedback,
    /// audit, `pipeline_health`, and over the views `findings_current`, `findings_latest`,
    /// `feedback_in_force`, `incidents_current`, `identity_timeline`, `identity_risk`,
    /// `identity_profile`, `endpoint_inventory`, `peer_group`, `detector_quality`; docs/tables.md has
    /// their columns.
    pub(crate) sql: String,
}

/// Arguments of `identity`.
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// The principal's id, its name as findings say it, or the beginning of either.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) span: Span,
}

/// Arguments of `forget`.
#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// The principal's id, its name as findings say it, or the beginning of either.
    #[arg(value_name = "PRINCIPAL")]
    pub(crate) id: String,
    /// Only count what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask; needed without a terminal.
    #[arg(long)]
    pub(crate) yes: bool,
    /// How long a service is waited for to forget too.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u32,
    /// File with the key of fingerprints, if the service has one: 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Inputs to read to their end as well: files, globs, directories, or - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
}
