//! The command line: what may be typed, and what it means.

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
    /// check and formats explain print text, normalize NDJSON, and demo tables or one JSON object.
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
    /// Read access logs, detect, and keep the findings in the store.
    Replay(Replay),
    /// Print access logs as canonical events, always one JSON object per line.
    Normalize(Normalize),
    /// List the log formats, or explain how a file would be read.
    Formats(Formats),
    /// List findings.
    Findings(Findings),
    /// Explain one finding: the evidence, the band, what would have been ordinary.
    Explain(Explain),
    /// Ask the store in SQL.
    Query(Query),
    /// Show what is normal for one identity, and what was found about it.
    Identity(IdentityArgs),
    /// Read topics of access logs, or files as they grow, as a service, detect, and keep the findings in the store.
    Run(Run),
    /// Merge the small runs of a service in a directory, and remove what is too old.
    Compact,
    /// Take what a group has learned to another group, and to other topics.
    Reshard(Reshard),
    /// Make or renew the tables of a ClickHouse server.
    Migrate(Migrate),
    /// Forget one identity everywhere: in the store, in the service, in dead letters.
    Forget(Forget),
    /// Generate gateway traffic with known attacks, as lines in a file or records of a topic.
    Simulate(Simulate),
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

/// Arguments of `replay`.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) logs: Logs,
    #[command(flatten)]
    pub(crate) work: Work,
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

/// How simulated calls are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SimulatedFormat {
    /// As Kong's log plugins write them.
    Kong,
    /// Flat JSON.
    Ndjson,
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

/// Arguments of `formats`.
#[derive(Args, Debug)]
pub(crate) struct Formats {
    /// What to do with them [default: list them].
    #[command(subcommand)]
    pub(crate) action: Option<FormatsAction>,
}

/// What can be done with formats.
#[derive(Debug, Subcommand)]
pub(crate) enum FormatsAction {
    /// Print as text the mapping that a file would be read with, or why it is refused.
    Explain {
        /// One file, or - for standard input.
        file: String,
    },
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
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The finding's id, or the beginning of it.
    pub(crate) id: String,
}

/// Arguments of `query`.
#[derive(Args, Debug)]
pub(crate) struct Query {
    /// A SELECT over findings, `findings_current`, signals, windows, identities, endpoints,
    /// `identity_timeline`, audit.
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
