//! Rows cut into inserts whose bytes, and so whose tokens, follow from the rows alone.

use crate::error::StoreError;
use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::ipc::writer::StreamWriter;
use model::Time;
use model::tables::Table;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one insert: the server then makes one block of it, which its token covers as a whole.
pub(crate) const ROWS_MAX: usize = 50_000;
/// Bytes of one insert, give or take a row: what one insert holds in memory, twice.
pub(crate) const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes that a value of a fixed width counts for.
const FIXED_BYTES: usize = 8;
/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;

/// A table of the server: its name, its columns, and the column whose month is the partition.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) schema: SchemaRef,
    pub(crate) month_of: Option<&'static str>,
}

impl Target {
    /// The table as the migrations make it.
    pub(crate) fn of(table: Table) -> Self {
        let month_of = match table {
            Table::Findings | Table::Signals | Table::Windows => Some("window_start"),
            Table::Operations => Some("day_start"),
            Table::PipelineHealth => Some("at"),
            Table::Incidents
            | Table::Identities
            | Table::Endpoints
            | Table::Audit
            | Table::Feedback => None,
        };
        Self { name: table.as_str(), schema: table.schema(), month_of }
    }

    /// Whether the columns of `batch` are the table's.
    fn check(&self, batch: &RecordBatch) -> Result<(), StoreError> {
        let (given, wanted) = (batch.schema(), self.schema.fields());
        let same = given.fields().len() == wanted.len()
            && given.fields().iter().zip(wanted).all(|(given, wanted)| {
                given.name() == wanted.name() && given.data_type() == wanted.data_type()
            });
        let what = "it has other columns";
        if same { Ok(()) } else { Err(self.refused(what.to_owned())) }
    }

    fn refused(&self, what: String) -> StoreError {
        StoreError::Rows { table: self.name, what }
    }
}

/// The rows of one insert.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The rows themselves, for the dead-letter file.
    pub(crate) rows: RecordBatch,
    /// The rows as a stream of Arrow.
    pub(crate) bytes: Vec<u8>,
    /// The hash of the bytes, in hexadecimal digits.
    pub(crate) token: String,
}

/// Which rows of `batch` go into which insert: each holds rows of one month, in their order.
pub(crate) fn plan(target: &Target, batch: &RecordBatch) -> Result<Vec<Vec<usize>>, StoreError> {
    target.check(batch)?;
    let mut months: BTreeMap<(i64, u8), Vec<usize>> = BTreeMap::new();
    match target.month_of.and_then(|name| batch.column_by_name(name)) {
        None => {
            months.insert((0, 0), (0..batch.num_rows()).collect());
        }
        Some(times) => {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            for (row, us) in times.values().iter().enumerate() {
                let (year, month, _) = Time::from_ns(us.saturating_mul(NS_PER_US)).date();
                months.entry((year, month)).or_default().push(row);
            }
        }
    }
    let sizes = sizes(batch);
    let chunks = months.into_values().flat_map(|rows| cut(&rows, &sizes));
    Ok(chunks.collect())
}

/// The rows in pieces that keep the limits.
fn cut(rows: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for &row in rows {
        piece.push(row);
        bytes += sizes.get(row).copied().unwrap_or_default();
        if piece.len() >= ROWS_MAX || bytes >= BYTES_MAX {
            pieces.push(std::mem::take(&mut piece));
            bytes = 0;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// The bytes of each row.
fn sizes(batch: &RecordBatch) -> Vec<usize> {
    let mut sizes = vec![FIXED_BYTES * batch.num_columns(); batch.num_rows()];
    for column in batch.columns() {
        if let Some(texts) = column.as_string_opt::<i32>() {
            for (size, ends) in sizes.iter_mut().zip(texts.value_offsets().windows(2)) {
                if let [from, to] = ends {
                    *size += to.abs_diff(*from) as usize;
                }
            }
        }
    }
    sizes
}

impl Chunk {
    /// Copies the rows out of `batch` and encodes them.
    ///
    /// The copy is the point: equal rows then have equal bytes, whatever batch they were cut from,
    /// since a slice drags along the bits and texts that its neighbours and its NULLs left behind.
    pub(crate) fn of(
        target: &Target,
        batch: &RecordBatch,
        rows: &[usize],
    ) -> Result<Self, StoreError> {
        let refused = |error: arrow::error::ArrowError| target.refused(error.to_string());
        let columns = batch.columns().iter().map(|column| copied(column, rows));
        let columns: Option<Vec<_>> = columns.collect();
        let columns =
            columns.ok_or_else(|| target.refused("a column has no type of ours".into()))?;
        let rows = RecordBatch::try_new(Arc::clone(&target.schema), columns).map_err(refused)?;
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &target.schema).map_err(refused)?;
        writer.write(&rows).map_err(refused)?;
        writer.finish().map_err(refused)?;
        drop(writer);
        let token = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { rows, bytes, token })
    }
}

fn copied(column: &ArrayRef, rows: &[usize]) -> Option<ArrayRef> {
    let rows = rows.iter().map(|&row| column.is_valid(row).then_some(row));
    Some(match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            Arc::new(rows.map(|row| row.map(|row| texts.value(row))).collect::<StringArray>())
        }
        DataType::Int64 => {
            let counts = column.as_primitive::<Int64Type>();
            Arc::new(rows.map(|row| row.map(|row| counts.value(row))).collect::<Int64Array>())
        }
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>();
            Arc::new(rows.map(|row| row.map(|row| numbers.value(row))).collect::<Float64Array>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            let times = rows.map(|row| row.map(|row| times.value(row)));
            let times = times.collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample::rows;
    use arrow::buffer::NullBuffer;
    use arrow::compute::concat_batches;
    use arrow::ipc::reader::StreamReader;
    use proptest::prelude::*;

    fn tokens(table: Table, batch: &RecordBatch) -> Vec<String> {
        let target = Target::of(table);
        let plan = plan(&target, batch).unwrap();
        plan.iter().map(|rows| Chunk::of(&target, batch, rows).unwrap().token).collect()
    }

    #[test]
    fn equal_rows_have_one_token_wherever_they_lay() {
        for table in Table::ALL {
            let whole = rows(table, 0, 300);
            let parts = [rows(table, 0, 123), rows(table, 123, 300)];
            let joined = concat_batches(&table.schema(), &parts).unwrap();
            let slice = rows(table, 0, 1_000).slice(0, 300);
            let later = concat_batches(&table.schema(), &[rows(table, 900, 905), whole.clone()]);
            let later = later.unwrap().slice(5, 300);
            for same in [&joined, &slice, &later] {
                assert_eq!(tokens(table, same), tokens(table, &whole), "{}", table.as_str());
            }
            assert_ne!(tokens(table, &rows(table, 1, 301)), tokens(table, &whole));
        }
    }

    #[test]
    fn what_lies_beneath_a_null_does_not_count() {
        let with = |hidden: f64| {
            let batch = rows(Table::Endpoints, 0, 2);
            let numbers = Float64Array::new(
                vec![1.0, hidden].into(),
                Some(NullBuffer::from(vec![true, false])),
            );
            let mut columns = batch.columns().to_vec();
            *columns.last_mut().unwrap() = Arc::new(numbers);
            RecordBatch::try_new(batch.schema(), columns).unwrap()
        };
        assert_eq!(tokens(Table::Endpoints, &with(3.0)), tokens(Table::Endpoints, &with(7.0)));
    }

    #[test]
    fn a_chunk_is_the_rows_in_arrow() {
        let target = Target::of(Table::Findings);
        let batch = rows(Table::Findings, 0, 10);
        let chunk = Chunk::of(&target, &batch, &[7, 2]).unwrap();
        let read: Vec<_> = StreamReader::try_new(chunk.bytes.as_slice(), None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(read, [chunk.rows]);
        assert_eq!(read[0].slice(1, 1), batch.slice(2, 1));
    }

    #[test]
    fn a_batch_of_another_shape_is_refused() {
        let target = Target::of(Table::Windows);
        let error = plan(&target, &rows(Table::Signals, 0, 3)).unwrap_err().to_string();
        assert!(error.contains("windows"), "{error}");
    }

    #[test]
    fn months_and_limits_cut() {
        // 500 rows an hour from March 1st, 10:00: April begins after 734 hours.
        let batch = rows(Table::Signals, 0, 367_200);
        let lengths: Vec<_> =
            plan(&Target::of(Table::Signals), &batch).unwrap().iter().map(Vec::len).collect();
        assert_eq!(lengths, [vec![ROWS_MAX; 7], vec![17_000, 200]].concat());
        let lengths: Vec<_> =
            plan(&Target::of(Table::Endpoints), &rows(Table::Endpoints, 0, 60_000))
                .unwrap()
                .iter()
                .map(Vec::len)
                .collect();
        assert_eq!(lengths, [ROWS_MAX, 10_000]);
        assert!(plan(&Target::of(Table::Signals), &batch.slice(0, 0)).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_piece(sizes in prop::collection::vec(0..2 * BYTES_MAX, 0..50)) {
            let rows: Vec<_> = (0..sizes.len()).collect();
            let pieces = cut(&rows, &sizes);
            prop_assert_eq!(pieces.concat(), rows);
            for piece in &pieces {
                let all_but_last = piece.iter().rev().skip(1).map(|&row| sizes[row]).sum::<usize>();
                prop_assert!(!piece.is_empty() && all_but_last < BYTES_MAX);
            }
        }
    }
}
