//! The values of the metrics, and the text in which Prometheus reads them.

use super::Operation;
use super::health::State;
use super::table::{BUCKETS_MS, Dimension, Kind, Unit};
pub(crate) use super::table::{Metric, PLACES_MAX};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A gauge that nobody has set is not written.
const UNKNOWN: i64 = i64::MIN;
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;

/// What became of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Done,
    Refused,
    Failed,
}

/// The values. One thread writes almost all of them, anybody reads.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// For each metric, its series in the order of its dimensions' values.
    series: Vec<Box<[AtomicI64]>>,
    /// The partitions' topics and numbers, in the order of their places.
    places: Box<[OnceLock<(String, String)>]>,
}

impl Metrics {
    /// Counters of nothing and unknown gauges.
    pub(crate) fn new() -> Self {
        let series = Metric::ALL.iter().map(|metric| {
            let first = if metric.kind() == Kind::Gauge { UNKNOWN } else { 0 };
            let count = match metric.kind() {
                // One for each bucket, one for what is larger, and the sum.
                Kind::Histogram => BUCKETS_MS.len() + 2,
                Kind::Counter | Kind::Gauge => {
                    metric.dimensions().iter().map(|it| it.len()).product()
                }
            };
            (0..count).map(|_| AtomicI64::new(first)).collect()
        });
        let series = series.collect();
        Self { series, places: (0..PLACES_MAX).map(|_| OnceLock::new()).collect() }
    }

    /// Names a place, once; its series are written from now on.
    pub(crate) fn name_place(&self, place: usize, topic: &str, partition: &str) {
        if let Some(slot) = self.places.get(place.min(PLACES_MAX - 1)) {
            let is_last = place >= PLACES_MAX - 1;
            let name = if is_last { ("", "other") } else { (topic, partition) };
            // A place keeps the name that it was given first.
            slot.set((name.0.to_owned(), name.1.to_owned())).ok();
        }
    }

    fn cell(&self, metric: Metric, at: &[usize]) -> Option<&AtomicI64> {
        let dimensions = metric.dimensions();
        let mut index = 0;
        for (dimension, at) in dimensions.iter().zip(at) {
            let at = if *dimension == Dimension::Place { (*at).min(PLACES_MAX - 1) } else { *at };
            index = index * dimension.len() + at;
        }
        self.series.get(metric as usize)?.get(index)
    }

    /// Sets a gauge, or a counter that is counted elsewhere.
    pub(crate) fn set(&self, metric: Metric, at: &[usize], value: i64) {
        if let Some(cell) = self.cell(metric, at) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// Adds to a counter.
    pub(crate) fn add(&self, metric: Metric, at: &[usize], more: u64) {
        if let Some(cell) = self.cell(metric, at) {
            cell.fetch_add(more as i64, Ordering::Relaxed);
        }
    }

    /// Makes a gauge unknown again.
    pub(crate) fn forget(&self, metric: Metric) {
        for cell in self.series.get(metric as usize).into_iter().flatten() {
            cell.store(UNKNOWN, Ordering::Relaxed);
        }
    }

    /// Counts a commit or a reload.
    pub(crate) fn count(&self, metric: Metric, outcome: Outcome) {
        self.add(metric, &[outcome as usize], 1);
    }

    /// Adds to a histogram.
    pub(crate) fn observe(&self, metric: Metric, took: Duration) {
        let ns = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
        let bucket = BUCKETS_MS.partition_point(|bound| bound * NS_PER_MS < ns);
        let Some(cells) = self.series.get(metric as usize) else { return };
        for (cell, more) in [(cells.get(bucket), 1), (cells.last(), ns)] {
            if let Some(cell) = cell {
                cell.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    /// All of it, in the text format 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        for (metric, cells) in Metric::ALL.iter().zip(&self.series) {
            let (name, help) = (metric.name(), metric.help());
            let kind = match metric.kind() {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing to a text cannot fail.
            writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
            let values: Vec<i64> = cells.iter().map(|it| it.load(Ordering::Relaxed)).collect();
            if metric.kind() == Kind::Histogram {
                histogram(&mut out, name, &values);
            } else {
                for (index, value) in values.iter().enumerate() {
                    if *value == UNKNOWN {
                        continue;
                    }
                    if let Some(labels) = self.labels(*metric, index) {
                        writeln!(out, "{name}{labels} {}", shown(*value, metric.unit())).ok();
                    }
                }
            }
        }
        out
    }

    /// The labels of a series in braces; `None` of a place that has no name.
    fn labels(&self, metric: Metric, mut index: usize) -> Option<String> {
        let mut labels = Vec::new();
        for dimension in metric.dimensions().iter().rev() {
            let at = index % dimension.len();
            index /= dimension.len();
            if *dimension == Dimension::Place {
                let (topic, partition) = self.places.get(at)?.get()?;
                labels.push(format!("partition=\"{}\"", escaped(partition)));
                labels.push(format!("topic=\"{}\"", escaped(topic)));
            } else {
                let values = dimension.values();
                labels.push(format!("{}=\"{}\"", dimension.label(), values.get(at)?));
            }
        }
        labels.reverse();
        Some(if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) })
    }
}

/// Notes what is only looked at when somebody asks: what the service does, and its memory.
pub(crate) fn at_scrape(operation: &Operation) {
    let (metrics, now) = (&operation.metrics, operation.health.state());
    for (index, state) in State::ALL.iter().enumerate() {
        metrics.set(Metric::State, &[index], i64::from(*state == now));
    }
    if let Some(bytes) = resident_bytes() {
        metrics.set(Metric::ResidentBytes, &[], bytes);
    }
}

/// The memory that this process holds, as Linux counts it (`VmRSS`).
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok()? * 1024)
}

/// The buckets as Prometheus wants them: each with all that are below it.
fn histogram(out: &mut String, name: &str, values: &[i64]) {
    let mut below = 0;
    let bounds = BUCKETS_MS.iter().map(|ms| shown(ms * NS_PER_MS, Unit::Seconds));
    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(values) {
        below += count;
        writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {below}").ok();
    }
    let sum = shown(values.last().copied().unwrap_or(0), Unit::Seconds);
    writeln!(out, "{name}_sum {sum}\n{name}_count {below}").ok();
}

/// A value in its unit: seconds are kept as nanoseconds.
fn shown(value: i64, unit: Unit) -> String {
    if unit != Unit::Seconds {
        return value.to_string();
    }
    let sign = if value < 0 { "-" } else { "" };
    let (whole, ns) =
        (value.unsigned_abs() / NS_PER_S as u64, value.unsigned_abs() % NS_PER_S as u64);
    let text = format!("{sign}{whole}.{ns:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    crate::render::plain(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metrics: &Metrics, line: &str) {
        let text = metrics.text();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }

    #[test]
    fn values_are_written_with_their_labels() {
        let metrics = Metrics::new();
        metrics.add(Metric::Findings, &[1, 2], 3);
        let (detector, severity) = (model::Detector::ALL[1], model::Severity::ALL[2]);
        check(
            &metrics,
            &format!(
                "habitus_findings_total{{detector=\"{}\",severity=\"{}\"}} 3",
                detector.as_str(),
                severity.as_str()
            ),
        );
        metrics.set(Metric::WatermarkDelay, &[], -1_500_000_000);
        check(&metrics, "habitus_watermark_delay_seconds -1.5");
        metrics.forget(Metric::WatermarkDelay);
        assert!(!metrics.text().contains("\nhabitus_watermark_delay_seconds"));
        metrics.count(Metric::Commits, Outcome::Refused);
        check(&metrics, "habitus_commits_total{result=\"refused\"} 1");
    }

    #[test]
    fn a_place_is_written_once_it_has_a_name_and_its_name_is_escaped() {
        let metrics = Metrics::new();
        metrics.add(Metric::Records, &[0], 7);
        assert!(!metrics.text().contains("habitus_source_records_total{"));
        metrics.name_place(0, "a\"b\\c\nd", "4");
        check(&metrics, "habitus_source_records_total{topic=\"a\\\"b\\\\c d\",partition=\"4\"} 7");
        for place in [PLACES_MAX - 1, PLACES_MAX, 9 * PLACES_MAX] {
            metrics.name_place(place, "logs", "5");
            metrics.add(Metric::Records, &[place], 1);
        }
        check(&metrics, "habitus_source_records_total{topic=\"\",partition=\"other\"} 3");
    }

    #[test]
    fn a_histogram_adds_up() {
        let metrics = Metrics::new();
        for ms in [5, 6, 70_000] {
            metrics.observe(Metric::EpochSeconds, Duration::from_millis(ms));
        }
        let name = "habitus_epoch_duration_seconds";
        check(&metrics, &format!("{name}_bucket{{le=\"0.005\"}} 1"));
        check(&metrics, &format!("{name}_bucket{{le=\"0.01\"}} 2"));
        check(&metrics, &format!("{name}_bucket{{le=\"60\"}} 2"));
        check(&metrics, &format!("{name}_bucket{{le=\"+Inf\"}} 3"));
        check(&metrics, &format!("{name}_sum 70.011"));
        check(&metrics, &format!("{name}_count 3"));
    }

    #[test]
    fn every_series_has_a_cell_of_its_own() {
        let metrics = Metrics::new();
        let mut all = 0;
        for metric in Metric::ALL.iter().filter(|it| it.dimensions().len() == 2) {
            let [first, second] = metric.dimensions() else { continue };
            for a in 0..first.len() {
                for b in 0..second.len() {
                    metrics.add(*metric, &[a, b], 1);
                    all += 1;
                }
            }
        }
        let ones = metrics.text().lines().filter(|it| it.ends_with("\"} 1")).count();
        assert_eq!((all, ones), (2 * 5 * model::Detector::ALL.len(), all));
    }
}
