//! *Pipeline*: whether what the other dashboards show can be believed.

use crate::column::column;
use crate::dashboard::{Dashboard, tenant};
use crate::panel::Panel;
use crate::query::{Query, query};
use crate::target::Format::{Table, TimeSeries};
use crate::variable;

/// What a line is called: the metric.
const NAME: &str = "name";
/// The process.
const WORKER: &str = "worker";
/// The metric and the process.
const NAME_WORKER: &str = "concat(name, ' ', worker)";
/// The part of the log.
const PARTITION: &str = "concat(labels['topic'], '/', labels['partition'])";
/// The metric, and the table it is about.
const NAME_TABLE: &str = "concat(name, ' ', labels['table'])";
/// The metric, and what became of it.
const NAME_RESULT: &str = "trimRight(concat(name, ' ', labels['result']))";

pub(crate) fn pipeline() -> Dashboard {
    Dashboard {
        uid: "habitus-pipeline",
        description: "Whether the pipeline itself is healthy: every metric of the service, over all tenants. Rates are of counters by worker; one that begins anew is taken to begin at 0. They end with the last full step of time.",
        from: "now-6h",
        variables: vec![
            // These rows name no tenant: it is here so that links carry it on.
            variable::unseen(tenant()),
            variable::one_or_all("app", "Application", query!("variable_app")),
            variable::one_or_all("worker", "Worker", query!("variable_worker")),
        ],
        annotations: Vec::new(),
        panels: [workers(), reading(), losses(), detection(), keeping()]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// Metrics as SQL has them, in quotes.
fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|it| format!("'{it}'")).collect();
    names.join(", ")
}

/// How fast counters grow, by the second.
fn rate(series: &str, names: &[&str]) -> Query {
    query!("pipeline_rate").with("series", series).with("names", &quoted(names))
}

/// What gauges show.
fn gauge(series: &str, names: &[&str]) -> Query {
    query!("pipeline_gauge").with("series", series).with("names", &quoted(names))
}

/// The mean of histograms: the growth of the sum by that of the count.
fn mean(names: &[&str]) -> Query {
    query!("pipeline_mean").with("names", &quoted(names))
}

fn lines(id: u32, title: &'static str, description: &'static str, unit: &str) -> Panel {
    Panel::lines(id, title, description).unit(unit).interval("30s").size(8, 8)
}

fn workers() -> Vec<Panel> {
    vec![
        Panel::table(
            1,
            "Workers",
            "Each process of the time range: its version, since when it runs, what it did last, whether it leads (1; 0 for a process that is a minute behind the others too), and its memory. Exactly one should lead each application.",
        )
        .size(24, 6)
        .columns([
            column("worker").width(260),
            column("started_at").unit("dateTimeAsIso").width(170),
            column("last_seen").unit("dateTimeAsIso").width(170),
            column("memory").unit("bytes"),
        ])
        .query(Table, query!("pipeline_workers")),
        Panel::table(
            2,
            "Partitions",
            "Each partition by the epochs that were committed in the time range: how far it was read and judged, how far its watermark was behind the clock then, and what it held.",
        )
        .size(24, 7)
        .columns([
            column("topic").width(200),
            column("watermark").unit("dateTimeAsIso").width(170),
            column("committed_at").unit("dateTimeAsIso").width(170),
            column("behind").unit("s"),
            column("offset").unit("none"),
            column("partition").unit("none"),
        ])
        .query(Table, query!("pipeline_partitions")),
    ]
}

fn reading() -> Vec<Panel> {
    vec![
        lines(3, "Lag", "Records that the broker has and that are not read yet, by partition. It should come back to nearly 0.", "short")
            .query(TimeSeries, gauge(PARTITION, &["habitus_source_lag_records"])),
        lines(4, "Watermark delay", "How far behind the clock the time is up to which events were judged. It grows while nothing is logged too: look at the lag beside it.", "s")
            .query(TimeSeries, gauge(WORKER, &["habitus_watermark_delay_seconds"])),
        lines(5, "Records and events", "Records read and events that they held, a second.", "cps")
            .query(TimeSeries, rate(NAME, &["habitus_source_records_total", "habitus_events_total"])),
        lines(6, "Bytes read", "Bytes of records read, a second, by partition.", "Bps")
            .query(TimeSeries, rate(PARTITION, &["habitus_source_read_bytes_total"])),
        lines(7, "Waiting", "Events that wait until nothing earlier can come, and parcels that the store does not have yet. Parcels that pile up say that the store does not answer.", "short")
            .query(TimeSeries, gauge(NAME_WORKER, &["habitus_held_events", "habitus_waiting_parcels"])),
        lines(8, "Leading and state", "1 for the process that leads, and for the state that each is in.", "short")
            .query(TimeSeries, gauge("trimRight(concat(name, ' ', worker, ' ', labels['state']))", &["habitus_is_leader", "habitus_state"])),
        lines(9, "Group and configuration", "Rebalances, complaints of the Kafka client, configurations read again, and connections to the process that were refused, a second.", "cps")
            .query(TimeSeries, rate(NAME_RESULT, &[
                "habitus_rebalances_total",
                "habitus_source_complaints_total",
                "habitus_reloads_total",
                "habitus_http_refused_total",
            ])),
    ]
}

fn losses() -> Vec<Panel> {
    vec![
        lines(10, "Late and early", "Events that came after later ones were judged, those whose hour was over (in no window), and those more than five minutes ahead of the clock, a second.", "cps")
            .query(TimeSeries, rate(NAME, &[
                "habitus_events_late_total",
                "habitus_events_late_not_scored_total",
                "habitus_events_ahead_total",
            ])),
        lines(11, "Rejected", "Records that held no event, by why, a second. A jump says that the log's format changed.", "cps")
            .query(TimeSeries, rate("labels['reason']", &["habitus_rejects_total"])),
        lines(12, "Dead letters", "Rows that the store refused and that were set aside in a file, by table, a second. Any is one too many.", "cps")
            .query(TimeSeries, rate("labels['table']", &["habitus_dead_letters_total"])),
        lines(13, "Overflow", "Calls of identities beyond detect.state_bytes_max, identities that made room, and notes beyond what is watched at once, a second: what is judged less closely.", "cps")
            .query(TimeSeries, rate(NAME, &[
                "habitus_overflowed_calls_total",
                "habitus_evicted_identities_total",
                "habitus_unnoted_total",
            ])),
    ]
}

fn detection() -> Vec<Panel> {
    vec![
        lines(14, "Findings and windows", "Findings, their revisions and closed windows, a second. No findings beside many windows is ordinary; no windows is not.", "cps")
            .query(TimeSeries, rate(NAME, &[
                "habitus_findings_total",
                "habitus_finding_revisions_total",
                "habitus_windows_total",
            ])),
        lines(15, "Identities", "Identities with a state, and about how many were judged together as one.", "short")
            .query(TimeSeries, gauge(NAME_WORKER, &["habitus_identities", "habitus_overflowed_identities"])),
        lines(16, "Memory", "Memory of the process, of it what the state of identities takes, and the size of the last checkpoint.", "bytes")
            .query(TimeSeries, gauge(NAME_WORKER, &[
                "process_resident_memory_bytes",
                "habitus_identity_state_bytes",
                "habitus_checkpoint_bytes",
            ])),
        lines(17, "Deny feed", "Entries of the deny feed, and what it has no room for.", "short")
            .query(TimeSeries, gauge(NAME_WORKER, &["habitus_deny_entries", "habitus_deny_left_out"])),
        lines(18, "Deny feed failures", "Times that the store was not read for the deny feed, or its topic did not take it, a second.", "cps")
            .query(TimeSeries, rate(WORKER, &["habitus_deny_failures_total"])),
    ]
}

fn keeping() -> Vec<Panel> {
    vec![
        lines(19, "Rows stored", "Rows that the store took, by table, a second.", "cps")
            .query(TimeSeries, rate("labels['table']", &["habitus_store_rows_total"])),
        lines(20, "Inserts and their errors", "Inserts that the store took, tries that were repeated, and inserts that it took at no try, by table, a second. What is not taken is kept and tried again.", "cps")
            .query(TimeSeries, rate(NAME_TABLE, &[
                "habitus_store_inserts_total",
                "habitus_store_retries_total",
                "habitus_store_failures_total",
            ])),
        lines(21, "Epochs and commits", "Epochs that ended with a commit, and commits of offsets by what became of them, a second.", "cps")
            .query(TimeSeries, rate(NAME_RESULT, &["habitus_epochs_total", "habitus_commits_total"])),
        lines(22, "Durations", "The mean length of an epoch, of its end, and of writing a checkpoint, which is the snapshot that a restart goes on from.", "s")
            .query(TimeSeries, mean(&[
                "habitus_epoch_duration_seconds_sum",
                "habitus_epoch_duration_seconds_count",
                "habitus_epoch_end_duration_seconds_sum",
                "habitus_epoch_end_duration_seconds_count",
                "habitus_checkpoint_duration_seconds_sum",
                "habitus_checkpoint_duration_seconds_count",
            ])),
    ]
}
