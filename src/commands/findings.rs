//! `habitus findings`: the findings, the most severe first, or in the order that verdicts suggest.

use super::{Ended, Failure, Setting, identity, span_us};
use crate::cli::{Findings, OutputFormat};
use crate::figures::counted;
use crate::ranking;
use crate::render::{self, plain};
use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use detect::models::verdicts::VERDICTS_MAX;
use model::{FindingId, Origin, Severity, Time};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use store::{Answer, Question, Reader, Value, Values};

/// Characters of an id that a table shows.
pub(super) const ID_CHARS: usize = 8;
/// Characters of a time without its fraction and its zone.
const TIME_CHARS: usize = 19;
/// The column that says what people called a finding.
const VERDICT: &str = "verdict";
/// The columns of a table; what people said, and what follows from it, only where there is any.
const SHORT: [&str; 7] =
    ["finding_id", "detected_at", "severity", ranking::LIKELY, VERDICT, "detector", "sentence"];
/// Findings that are read at once where those of one run are looked for among others: of ordinary ones a
/// tenth of what an answer may hold.
const PAGE_ROWS: i64 = 10_000;
/// Nanoseconds in one microsecond, the unit of the store's times.
const NS_PER_US: i64 = 1_000;

/// Which findings are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// From this microsecond on, and before that one.
    pub(crate) span_us: (i64, i64),
    /// The place of the least severity, from 1.
    pub(crate) severity_min: i64,
    /// The detector; empty for any.
    pub(crate) detector: String,
    /// The identity; empty for any.
    pub(crate) principal_id: String,
    /// At most so many.
    pub(crate) rows_max: i64,
    /// Also those that feedback suppresses.
    pub(crate) with_suppressed: bool,
    /// Only those with one of these ids; without any, all.
    pub(crate) ids: Option<BTreeSet<String>>,
}

impl Wanted {
    /// All within a span, whatever people said of them.
    pub(crate) fn within(span_us: (i64, i64), rows_max: i64) -> Self {
        let any = String::new;
        Self {
            span_us,
            severity_min: 1,
            detector: any(),
            principal_id: any(),
            rows_max,
            with_suppressed: true,
            ids: None,
        }
    }

    /// Those that a run found: the store may hold others of the time that it covers.
    pub(crate) fn of_run(span_us: (i64, i64), found: &BTreeSet<FindingId>, rows_max: i64) -> Self {
        let ids = found.iter().map(ToString::to_string).collect();
        Self { ids: Some(ids), ..Self::within(span_us, rows_max) }
    }

    /// The findings: few columns for a terminal, all of them for programs.
    pub(crate) fn ask(&self, setting: &Setting, reader: &Reader) -> Result<Answer, Failure> {
        let page = |rows_max: i64, skip: i64| -> Result<Answer, Failure> {
            let mut values = self.which();
            values.push(("with_suppressed", i64::from(self.with_suppressed).into()));
            values.push(("rows_max", Value::Int(rows_max)));
            values.push(("skip", Value::Int(skip)));
            Ok(setting.runtime.block_on(reader.ask(Question::Findings, values))?)
        };
        let found = match &self.ids {
            Some(ids) => only(ids, self.rows_max, page)?,
            None => page(self.rows_max, 0)?,
        };
        let verdicts = vec![("rows_max", Value::Int(VERDICTS_MAX as i64))];
        let (_, verdicts) = setting.runtime.block_on(reader.ask(Question::Verdicts, verdicts))?;
        // Whatever the order, these findings are shown and no others.
        let found = match ranking::judge(&verdicts) {
            Some(judge) => ranking::ranked(&judge, found)?,
            None => found,
        };
        match setting.output {
            OutputFormat::Table => short(found),
            _ => Ok(found),
        }
    }

    /// How many of them feedback leaves out.
    fn suppressed(&self, setting: &Setting, reader: &Reader) -> Result<u64, Failure> {
        if self.with_suppressed {
            return Ok(0);
        }
        let asked = reader.ask(Question::Suppressed, self.which());
        let (_, count) = setting.runtime.block_on(asked)?;
        let count = count.iter().find(|it| it.num_rows() > 0).map(|it| it.column(0));
        let count = count.and_then(|it| it.as_primitive_opt::<Int64Type>());
        Ok(count.map_or(0, |it| it.value(0).max(0) as u64))
    }

    fn which(&self) -> Values {
        vec![
            ("since_us", self.span_us.0.into()),
            ("until_us", self.span_us.1.into()),
            ("severity_min", self.severity_min.into()),
            ("detector", Value::Text(self.detector.clone())),
            ("principal_id", Value::Text(self.principal_id.clone())),
        ]
    }
}

/// Lists findings.
pub(crate) fn run(setting: &Setting, args: &Findings) -> Result<Ended, Failure> {
    let mut wanted = wanted(args)?;
    let reader = setting.reader()?;
    if let Some(typed) = &args.identity {
        wanted.principal_id = identity::resolve(setting, &reader, typed)?.id;
    }
    let (schema, found) = wanted.ask(setting, &reader)?;
    let suppressed = wanted.suppressed(setting, &reader)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if setting.output == OutputFormat::Table && is_empty(&found) {
        let any = reader.ask(Question::AnyFinding, Vec::new());
        let why = if suppressed > 0 {
            " but suppressed ones".to_owned()
        } else if is_empty(&setting.runtime.block_on(any)?.1) {
            format!(": the store in {reader} holds none")
        } else {
            asked(args)
        };
        writeln!(out, "no findings{}", plain(&why))?;
    } else {
        render::rows(&mut out, setting.output, &schema, &found)?;
    }
    out.flush()?;
    if suppressed > 0 {
        let findings = counted(suppressed, "finding", "findings");
        crate::note(&format!("{findings} suppressed by feedback: --all shows them"));
    }
    Ok(Ended::Done)
}

/// Those findings that have one of these ids, at most so many, of the pages that `page` answers for a number
/// of rows and one of rows before them. The store may hold far more of the same time than one answer may.
fn only(
    ids: &BTreeSet<String>,
    rows_max: i64,
    page: impl Fn(i64, i64) -> Result<Answer, Failure>,
) -> Result<Answer, Failure> {
    // Somebody else may write between two pages: what moves from one to the next is shown once.
    let mut missing: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let mut left = usize::try_from(rows_max).unwrap_or(usize::MAX).min(missing.len());
    let (mut kept, mut skip) = (Vec::new(), 0);
    loop {
        // An answer without rows has its columns.
        let asked = if left == 0 { 0 } else { PAGE_ROWS };
        let (schema, found) = page(asked, skip)?;
        let mut read = 0;
        for batch in &found {
            read += batch.num_rows();
            let column = batch.column_by_name("finding_id");
            let column = column.and_then(|it| it.as_string_opt::<i32>());
            let column = column.ok_or("findings have other columns")?;
            let is_one = |id: Option<&str>| Some(id.is_some_and(|id| missing.remove(id)));
            let is_one: BooleanArray = column.iter().map(is_one).collect();
            let batch = filter_record_batch(batch, &is_one)?;
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            kept.push(batch);
        }
        if left == 0 || read < PAGE_ROWS as usize {
            return Ok((schema, kept));
        }
        skip += PAGE_ROWS;
    }
}

/// The same for a terminal: few columns, ids cut, and times without fractions.
fn short((schema, found): Answer) -> Result<Answer, Failure> {
    let is_said = |name: &str| {
        let mut columns = found.iter().filter_map(|it| it.column_by_name(name));
        columns.any(|it| it.null_count() < it.len())
    };
    let is_extra = |name: &str| matches!(name, VERDICT | ranking::LIKELY);
    let names: Vec<_> = SHORT.into_iter().filter(|name| !is_extra(name) || is_said(name)).collect();
    let mut fields = Vec::new();
    for name in &names {
        let field = schema.field_with_name(name)?;
        fields.push(match *name {
            "finding_id" => Field::new("id", DataType::Utf8, false),
            "detected_at" => Field::new(*name, DataType::Utf8, false),
            _ => field.clone(),
        });
    }
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Vec::new();
    for batch in &found {
        let columns = names.iter().map(|name| -> Option<ArrayRef> {
            let column = batch.column_by_name(name)?;
            Some(match *name {
                "finding_id" => Arc::new(ids(column.as_string_opt::<i32>()?)),
                "detected_at" => Arc::new(times(column.as_primitive_opt()?)),
                _ => Arc::clone(column),
            })
        });
        let columns = columns.collect::<Option<Vec<_>>>().ok_or("findings have other columns")?;
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    Ok((schema, batches))
}

/// The beginnings of ids.
pub(super) fn ids(ids: &StringArray) -> StringArray {
    ids.iter().map(|id| id.map(|id| id.get(..ID_CHARS).unwrap_or(id))).collect()
}

/// Times to the second, as a person reads them.
pub(super) fn times(times: &TimestampMicrosecondArray) -> StringArray {
    let second = |us: i64| {
        let text = Time::from_ns(us.saturating_mul(NS_PER_US)).to_string().replacen('T', " ", 1);
        text.get(..TIME_CHARS).unwrap_or(&text).to_owned()
    };
    times.iter().map(|us| us.map(second)).collect()
}

fn is_empty(batches: &[RecordBatch]) -> bool {
    batches.iter().all(|batch| batch.num_rows() == 0)
}

/// What was asked for; not the identity, which only the store can tell.
fn wanted(args: &Findings) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::within(span_us(&args.span)?, i64::from(args.limit));
    wanted.severity_min = severity_min(args.severity.as_deref())?;
    wanted.with_suppressed = args.all;
    if let Some(name) = &args.detector {
        let detector = Origin::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Origin::all().map(Origin::as_str).collect();
            format!("no detector is called `{name}`; the detectors are {}", known.join(", "))
        })?;
        detector.as_str().clone_into(&mut wanted.detector);
    }
    Ok(wanted)
}

/// The place of the least severity that is wanted, from 1.
pub(crate) fn severity_min(name: Option<&str>) -> Result<i64, Failure> {
    let Some(name) = name else { return Ok(1) };
    let least = Severity::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
        let known: Vec<_> = Severity::ALL.iter().map(|it| it.as_str()).collect();
        format!("no severity is called `{name}`; from low to high they are {}", known.join(", "))
    })?;
    let place = (1..).zip(Severity::ALL).find(|(_, it)| **it == least);
    Ok(place.map_or(1, |(place, _)| place))
}

/// The same in words, as the end of a sentence.
fn asked(args: &Findings) -> String {
    let said = [
        ("since", &args.span.since),
        ("until", &args.span.until),
        ("of a severity of at least", &args.severity),
        ("of the detector", &args.detector),
        ("about the identity", &args.identity),
    ];
    let said = said.into_iter().filter_map(|(what, value)| Some((what, value.as_ref()?)));
    said.map(|(what, value)| format!(" {what} {value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What is shown of a store with so many findings, and the rows of the pages that were read for it.
    fn shown(stored: usize, wanted: &[usize], rows_max: i64) -> (Vec<String>, Vec<usize>) {
        let id = |number: usize| format!("{number:08}");
        let schema = Arc::new(Schema::new(vec![Field::new("finding_id", DataType::Utf8, false)]));
        let read = RefCell::new(Vec::new());
        let page = |rows_max: i64, skip: i64| -> Result<Answer, Failure> {
            let ids = (0..stored).map(id).skip(skip as usize).take(rows_max as usize);
            let ids: ArrayRef = Arc::new(ids.map(Some).collect::<StringArray>());
            read.borrow_mut().push(ids.len());
            Ok((Arc::clone(&schema), vec![RecordBatch::try_new(Arc::clone(&schema), vec![ids])?]))
        };
        let ids = wanted.iter().map(|it| id(*it)).collect();
        let (_, found) = only(&ids, rows_max, page).unwrap();
        let columns = found.iter().map(|it| it.column(0).as_string::<i32>());
        let shown =
            columns.flat_map(|it| it.iter().flatten().map(str::to_owned).collect::<Vec<_>>());
        (shown.collect(), read.into_inner())
    }

    #[test]
    fn those_of_a_run_are_read_page_by_page_and_no_further_than_they_are_shown() {
        let of = |ids: &[usize]| ids.iter().map(|it| format!("{it:08}")).collect::<Vec<_>>();
        let wanted = [3, 9_999, 10_000, 24_000];
        assert_eq!(shown(25_000, &wanted, 20), (of(&wanted), vec![10_000, 10_000, 5_000]));
        assert_eq!(shown(250_000, &wanted, 2), (of(&wanted[..2]), vec![10_000]));
        assert_eq!(shown(250_000, &wanted[..3], 20), (of(&wanted[..3]), vec![10_000, 10_000]));
        assert_eq!(shown(20_000, &[30_000], 20), (vec![], vec![10_000, 10_000, 0]));
        assert_eq!(shown(20_000, &[], 20), (vec![], vec![0]));
    }
}
