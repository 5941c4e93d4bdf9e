//! The values of the metrics, and the text in which Prometheus reads them.

use super::Operation;
use super::health::State;
use super::table::{BUCKETS_MS, Dimension, Kind, Unit};
pub(crate) use super::table::{Metric, OF_METRICS, PLACES_MAX};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::clickhouse::{Sample, SampleKind};

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
                        let (labels, value) = (braces(&labels), shown(*value, metric.unit()));
                        writeln!(out, "{name}{labels} {value}").ok();
                    }
                }
            }
        }
        out
    }

    /// The values of now, as a store keeps them: of a histogram the sum and the count, of a gauge nothing
    /// while it is unknown. Of what is told apart by two labels, only what has happened: zeros are in
    /// a process's first sample alone.
    pub(crate) fn samples(&self, is_first: bool) -> Vec<Sample> {
        let mut out = Vec::new();
        for (metric, cells) in Metric::ALL.iter().zip(&self.series) {
            let (name, unit) = (metric.name(), metric.unit());
            let kind = match metric.kind() {
                Kind::Counter | Kind::Histogram => SampleKind::Counter,
                Kind::Gauge => SampleKind::Gauge,
            };
            let mut add =
                |name: String, labels, value| out.push(Sample { name, labels, kind, value });
            let values: Vec<i64> = cells.iter().map(|it| it.load(Ordering::Relaxed)).collect();
            if metric.kind() == Kind::Histogram {
                if let Some((sum, counts)) = values.split_last() {
                    add(format!("{name}_sum"), Vec::new(), in_unit(*sum, unit));
                    add(format!("{name}_count"), Vec::new(), counts.iter().sum::<i64>() as f64);
                }
                continue;
            }
            let is_sparse = !is_first && metric.dimensions().len() > 1;
            for (index, value) in values.into_iter().enumerate() {
                if value == UNKNOWN || is_sparse && value == 0 {
                    continue;
                }
                if let Some(labels) = self.labels(*metric, index) {
                    add(name.to_owned(), labels, in_unit(value, unit));
                }
            }
        }
        out
    }

    /// The labels of a series; `None` of a place that has no name.
    fn labels(&self, metric: Metric, mut index: usize) -> Option<Vec<(&'static str, String)>> {
        let mut labels = Vec::new();
        for dimension in metric.dimensions().iter().rev() {
            let at = index % dimension.len();
            index /= dimension.len();
            if *dimension == Dimension::Place {
                let (topic, partition) = self.places.get(at)?.get()?;
                labels.push(("partition", partition.clone()));
                labels.push(("topic", topic.clone()));
            } else {
                let values = dimension.values();
                labels.push((dimension.label(), (*values.get(at)?).to_owned()));
            }
        }
        labels.reverse();
        Some(labels)
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

/// The same as a number.
fn in_unit(value: i64, unit: Unit) -> f64 {
    if unit == Unit::Seconds { value as f64 / NS_PER_S as f64 } else { value as f64 }
}

/// Labels as the format wants them.
fn braces(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let each = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", each.collect::<Vec<_>>().join(","))
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
    fn samples_hold_every_metric_and_never_too_many() {
        /// Rows that the store takes of one sample.
        const ROWS_MAX: usize = 8_192;
        let metrics = Metrics::new();
        for place in 0..PLACES_MAX {
            metrics.name_place(place, "logs", &place.to_string());
        }
        for metric in Metric::ALL.iter().filter(|it| it.kind() == Kind::Gauge) {
            let count: usize = metric.dimensions().iter().map(|it| it.len()).product();
            for index in 0..count {
                metrics.set(*metric, &[index], 1_500_000_000);
            }
        }
        metrics.observe(Metric::EpochSeconds, Duration::from_millis(2_500));
        metrics.add(Metric::Findings, &[1, 2], 3);
        let first = metrics.samples(true);
        assert!(first.len() < ROWS_MAX, "{}", first.len());
        let value = |name: &str| first.iter().find(|it| it.name == name).map(|it| it.value);
        for metric in Metric::ALL {
            let name = metric.name();
            let suffix = if metric.kind() == Kind::Histogram { "_sum" } else { "" };
            assert!(value(&format!("{name}{suffix}")).is_some(), "{name}");
        }
        assert_eq!(value("habitus_epoch_duration_seconds_sum"), Some(2.5));
        assert_eq!(value("habitus_epoch_duration_seconds_count"), Some(1.0));
        assert_eq!(value("habitus_watermark_delay_seconds"), Some(1.5));
        let of_findings = |samples: &[Sample]| {
            samples.iter().filter(|it| it.name == Metric::Findings.name()).count()
        };
        assert_eq!(of_findings(&first), model::Detector::ALL.len() * model::Severity::ALL.len());
        assert_eq!(of_findings(&metrics.samples(false)), 1, "what has not happened is left out");
        let lag = first.iter().find(|it| it.name == Metric::Lag.name()).unwrap();
        let labels = [("topic", "logs".to_owned()), ("partition", "0".to_owned())];
        assert_eq!((lag.labels.as_slice(), lag.kind), (&labels[..], SampleKind::Gauge));
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
