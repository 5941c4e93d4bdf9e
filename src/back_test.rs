//! Two sets of findings side by side: what a store says of a period, and what another run says of it.

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use model::tables::Table;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Detector, Finding, FindingId, Time};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Findings of either side that are held at most.
pub(crate) const FINDINGS_MAX: usize = 200_000;
/// Tenants of either side at most.
pub(crate) const TENANTS_MAX: usize = 10_000;
/// Nanoseconds in one microsecond, the unit of the store's times.
const NS_PER_US: i64 = 1_000;
/// Microseconds in one hour.
const US_PER_H: i64 = NS_PER_H / NS_PER_US;
/// Microseconds in one day.
const US_PER_D: i64 = NS_PER_D / NS_PER_US;

/// A finding as far as it is compared and shown; times are microseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) principal_id: Option<String>,
    pub(crate) detector: String,
    pub(crate) entity: String,
    pub(crate) window_start_us: i64,
    pub(crate) window_end_us: i64,
    pub(crate) detected_at_us: i64,
    pub(crate) severity: String,
    /// What people called it; only a store knows.
    pub(crate) verdict: Option<String>,
    pub(crate) sentence: String,
}

/// The first and the last hour with a call, by tenant; microseconds.
pub(crate) type Extents = BTreeMap<String, (i64, i64)>;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// There are too many findings.
    #[error(
        "the {0} has more than {FINDINGS_MAX} findings to compare: bound them with --since and --until, or lower detect.findings_per_day"
    )]
    Findings(&'static str),
    /// There are too many tenants.
    #[error("the {0} has more than {TENANTS_MAX} tenants: compare the logs of fewer at a time")]
    Tenants(&'static str),
    /// Rows are not what they should be.
    #[error("{0} has no column {1}: `habitus migrate` may be due")]
    Column(&'static str, &'static str),
    /// Arrow refused to read a column.
    #[error("rows could not be read: {0}; report this as a defect")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// What a run finds, held instead of being kept.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Only findings whose window begins within it; microseconds, the end exclusive.
    span_us: (i64, i64),
    /// The last revision of each.
    findings: BTreeMap<FindingId, (u64, Said)>,
    /// What the run has windows of.
    pub(crate) extents: Extents,
}

impl Ledger {
    /// Nothing yet.
    pub(crate) const fn new(span_us: (i64, i64)) -> Self {
        Self { span_us, findings: BTreeMap::new(), extents: Extents::new() }
    }

    /// Takes findings in; a later revision stands for an earlier one.
    pub(crate) fn findings(&mut self, findings: &[Finding]) -> Result<(), LedgerError> {
        for finding in findings {
            let said = Said::of(finding);
            let is_within = (self.span_us.0..self.span_us.1).contains(&said.window_start_us);
            let before = self.findings.get(&finding.id).map(|(revision, _)| *revision);
            if !is_within || before.is_some_and(|before| before > finding.revision) {
                continue;
            }
            if before.is_none() && self.findings.len() >= FINDINGS_MAX {
                return Err(LedgerError::Findings("run"));
            }
            self.findings.insert(finding.id, (finding.revision, said));
        }
        Ok(())
    }

    /// Takes rows of a table in: of windows which hours they are of, of others nothing.
    pub(crate) fn rows(&mut self, table: Table, rows: &RecordBatch) -> Result<(), LedgerError> {
        if table != Table::Windows {
            return Ok(());
        }
        let tenants = texts(rows, "tenant_id")?;
        let starts = times(rows, "window_start")?;
        for (tenant, start) in tenants.iter().zip(starts) {
            let tenant = tenant.unwrap_or_default();
            if let Some((first, last)) = self.extents.get_mut(tenant) {
                (*first, *last) = ((*first).min(start), (*last).max(start));
            } else if self.extents.len() >= TENANTS_MAX {
                return Err(LedgerError::Tenants("log"));
            } else {
                self.extents.insert(tenant.to_owned(), (start, start));
            }
        }
        Ok(())
    }

    /// The findings and the hours.
    pub(crate) fn into_parts(self) -> (Vec<Said>, Extents) {
        (self.findings.into_values().map(|(_, said)| said).collect(), self.extents)
    }
}

impl Said {
    fn of(finding: &Finding) -> Self {
        let us = |time: Time| time.ns().div_euclid(NS_PER_US);
        Self {
            id: finding.id.to_string(),
            tenant_id: finding.tenant_id.clone(),
            principal_id: finding.principal_id.clone(),
            detector: finding.detector.as_str().to_owned(),
            entity: finding.entity.clone(),
            window_start_us: us(finding.window_start),
            window_end_us: us(finding.window_end),
            detected_at_us: us(finding.detected_at),
            severity: finding.severity.as_str().to_owned(),
            verdict: None,
            sentence: finding.sentence.clone(),
        }
    }

    /// The UTC day in which its window begins, as the microsecond at which that begins.
    pub(crate) const fn day_us(&self) -> i64 {
        self.window_start_us.div_euclid(US_PER_D) * US_PER_D
    }
}

/// What a store says: the findings of detectors, with the hashes of the configurations that they were made
/// under. What the pipeline says of itself is no finding of a log, and left out.
pub(crate) fn stored(batches: &[RecordBatch]) -> Result<Vec<(Said, String)>, LedgerError> {
    let mut all = Vec::new();
    for rows in batches {
        let [id, tenant, principal] =
            [texts(rows, "finding_id")?, texts(rows, "tenant_id")?, texts(rows, "principal_id")?];
        let [detector, entity, severity] =
            [texts(rows, "detector")?, texts(rows, "entity")?, texts(rows, "severity")?];
        let [verdict, sentence, config] =
            [texts(rows, "verdict")?, texts(rows, "sentence")?, texts(rows, "config_hash")?];
        let windows = times(rows, "window_start")?.into_iter().zip(times(rows, "window_end")?);
        let each = windows.zip(times(rows, "detected_at")?).enumerate();
        for (row, ((window_start_us, window_end_us), detected_at_us)) in each {
            let of = |texts: &StringArray| texts.value(row).to_owned();
            let or_null = |texts: &StringArray| texts.is_valid(row).then(|| of(texts));
            if Detector::from_name(detector.value(row)).is_none() {
                continue;
            }
            let said = Said {
                id: of(&id),
                tenant_id: of(&tenant),
                principal_id: or_null(&principal),
                detector: of(&detector),
                entity: of(&entity),
                window_start_us,
                window_end_us,
                detected_at_us,
                severity: of(&severity),
                verdict: or_null(&verdict),
                sentence: of(&sentence),
            };
            all.push((said, of(&config)));
        }
    }
    if all.len() > FINDINGS_MAX { Err(LedgerError::Findings("store")) } else { Ok(all) }
}

/// The hours that a store has windows of.
pub(crate) fn extents(batches: &[RecordBatch]) -> Result<Extents, LedgerError> {
    let mut all = Extents::new();
    for rows in batches {
        let tenants = texts(rows, "tenant_id")?;
        let spans = times(rows, "first_at")?.into_iter().zip(times(rows, "last_at")?);
        for (tenant, span) in tenants.iter().zip(spans) {
            all.insert(tenant.unwrap_or_default().to_owned(), span);
        }
    }
    if all.len() > TENANTS_MAX { Err(LedgerError::Tenants("store")) } else { Ok(all) }
}

fn texts(rows: &RecordBatch, name: &'static str) -> Result<StringArray, LedgerError> {
    let column = rows.column_by_name(name).ok_or(LedgerError::Column("a table", name))?;
    let column = arrow::compute::cast(column, &DataType::Utf8)?;
    Ok(column.as_string::<i32>().clone())
}

fn times(rows: &RecordBatch, name: &'static str) -> Result<Vec<i64>, LedgerError> {
    let column = rows.column_by_name(name);
    let column = column.and_then(|it| it.as_primitive_opt::<TimestampMicrosecondType>());
    Ok(column.ok_or(LedgerError::Column("a table", name))?.values().to_vec())
}

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Change {
    /// Only the run finds it.
    Appears,
    /// Only the store has it.
    Disappears,
    /// Both have it.
    Same,
}

impl Change {
    /// The name under which it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Appears => "appears",
            Self::Disappears => "disappears",
            Self::Same => "same",
        }
    }
}

/// One finding of either side, or of both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) change: Change,
    /// As the store has it, else as the run does.
    pub(crate) said: Said,
    /// The severity that the run gives it.
    pub(crate) severity_now: Option<String>,
}

impl Compared {
    /// The severity that the store gives it.
    pub(crate) fn severity_stored(&self) -> Option<&str> {
        (self.change != Change::Appears).then_some(&*self.said.severity)
    }

    /// Whether both have it, and think differently of how much it matters.
    fn is_other_severity(&self) -> bool {
        self.change == Change::Same && self.severity_now.as_ref() != Some(&self.said.severity)
    }
}

/// What became of the findings of one day, or of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Counts {
    /// In the store and in the run.
    pub(crate) same: u64,
    /// Of those, how many would have another severity.
    pub(crate) other_severity: u64,
    /// In the run alone.
    pub(crate) would_appear: u64,
    /// In the store alone.
    pub(crate) would_disappear: u64,
}

impl Counts {
    fn add(&mut self, one: &Compared) {
        self.other_severity += u64::from(one.is_other_severity());
        *match one.change {
            Change::Same => &mut self.same,
            Change::Appears => &mut self.would_appear,
            Change::Disappears => &mut self.would_disappear,
        } += 1;
    }

    /// Whether nothing would change.
    pub(crate) const fn is_same(self) -> bool {
        self.other_severity + self.would_appear + self.would_disappear == 0
    }
}

/// The counts of one UTC day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Day {
    pub(crate) day: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// A back-test as one object.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// The first hour of the log, and the end of its last.
    pub(crate) log_from: Option<String>,
    pub(crate) log_until: Option<String>,
    /// The same of the store.
    pub(crate) store_from: Option<String>,
    pub(crate) store_until: Option<String>,
    /// From when on the run had seen enough of others to judge anyone.
    pub(crate) judges_from: Option<String>,
    /// From when on the run had a model of all features together.
    pub(crate) models_from: Option<String>,
    /// Findings of the store and of the run that lie where the other side saw nothing.
    pub(crate) stored_not_compared: u64,
    pub(crate) run_not_compared: u64,
    /// Settings that differ, where those of the store are at hand.
    pub(crate) changed: Option<Vec<String>>,
    /// All days together.
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Days with a finding on either side.
    pub(crate) days: Vec<Day>,
}

/// Findings side by side.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// In the order of their windows.
    pub(crate) all: Vec<Compared>,
    /// Hashes of the configurations that the store's were made under.
    pub(crate) configs: BTreeSet<String>,
    stored_not_compared: u64,
    run_not_compared: u64,
}

impl Comparison {
    /// Compares what both sides saw: of each tenant of the log the hours that the log and the store have.
    pub(crate) fn of(
        (run, log): (Vec<Said>, &Extents),
        (stored, store): (Vec<(Said, String)>, &Extents),
    ) -> Self {
        let mut out = Self::default();
        let mut now: BTreeMap<String, Said> = BTreeMap::new();
        for said in run {
            if is_seen(&said, log, store) {
                now.insert(said.id.clone(), said);
            } else {
                out.run_not_compared += 1;
            }
        }
        // Of other tenants the log says nothing.
        for (said, config) in stored.into_iter().filter(|it| log.contains_key(&it.0.tenant_id)) {
            if !is_seen(&said, log, store) {
                out.stored_not_compared += 1;
                continue;
            }
            out.configs.insert(config);
            let severity_now = now.remove(&said.id).map(|it| it.severity);
            let change = if severity_now.is_some() { Change::Same } else { Change::Disappears };
            out.all.push(Compared { change, said, severity_now });
        }
        out.all.extend(now.into_values().map(|said| Compared {
            change: Change::Appears,
            severity_now: Some(said.severity.clone()),
            said,
        }));
        out.all.sort_by(|a, b| {
            let place = |it: &Compared| (it.said.window_start_us, it.said.detected_at_us);
            place(a).cmp(&place(b)).then_with(|| a.said.id.cmp(&b.said.id))
        });
        out
    }

    /// All counts.
    pub(crate) fn report(&self, log: &Extents, store: &Extents) -> Report {
        let (mut counts, mut days) = (Counts::default(), BTreeMap::<i64, Counts>::new());
        for one in &self.all {
            counts.add(one);
            days.entry(one.said.day_us()).or_default().add(one);
        }
        let day = |(us, counts)| Day { day: date(us), counts };
        let (log_from, log_until) = ends(log.values());
        let (store_from, store_until) =
            ends(store.iter().filter(|(tenant, _)| log.contains_key(*tenant)).map(|it| it.1));
        Report {
            log_from,
            log_until,
            store_from,
            store_until,
            stored_not_compared: self.stored_not_compared,
            run_not_compared: self.run_not_compared,
            counts,
            days: days.into_iter().map(day).collect(),
            ..Report::default()
        }
    }
}

/// Whether both sides saw the whole window of a finding, as far as either saw its end. A side that has
/// no more than the other is as whole as the other is.
fn is_seen(said: &Said, log: &Extents, store: &Extents) -> bool {
    let Some((log, store)) = log.get(&said.tenant_id).zip(store.get(&said.tenant_id)) else {
        return false;
    };
    let has_start = log.0 == store.0 || said.window_start_us >= log.0.max(store.0);
    let has_end = log.1 == store.1 || said.window_end_us <= log.1.min(store.1) + US_PER_H;
    has_start && has_end
}

/// From when until when some hours last.
fn ends<'a>(hours: impl Iterator<Item = &'a (i64, i64)>) -> (Option<String>, Option<String>) {
    let both = hours.copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    (both.map(|it| clock(it.0)), both.map(|it| clock(it.1.saturating_add(US_PER_H))))
}

/// A time, as people read it.
fn clock(us: i64) -> String {
    Time::from_ns(us.saturating_mul(NS_PER_US)).to_string()
}

/// The UTC day of a time.
pub(crate) fn date(us: i64) -> String {
    let (year, month, day) = Time::from_ns(us.saturating_mul(NS_PER_US)).date();
    format!("{year:04}-{month:02}-{day:02}")
}
