//! Row groups: rows cut where the rows themselves say, however they were batched on the way here.

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use model::tables::Table;

/// Rows of a row group.
const GROUP_ROWS_MAX: usize = 64 * 1024;
/// Rows of a row group of findings, whose rows are texts of many KiB.
const GROUP_FINDINGS_MAX: usize = 4 * 1024;
/// Bytes of a row group before encoding, give or take one row: what one table holds back at most.
const GROUP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Batches held as they came; more small ones are joined, since each costs far more than its rows.
const PIECES_MAX: usize = 256;
/// Bytes that a value of a fixed width counts for.
const FIXED_BYTES: usize = 8;

/// Rows of one table that do not fill a row group yet.
#[derive(Debug)]
pub(crate) struct Group {
    rows_max: usize,
    bytes_max: usize,
    /// The first `joined` pieces are joins of [`PIECES_MAX`] batches; the rest are as they came.
    pieces: Vec<RecordBatch>,
    joined: usize,
    rows: usize,
    bytes: usize,
}

impl Group {
    /// An empty row group of the size that suits the table.
    pub(crate) const fn of(table: Table) -> Self {
        let rows_max = match table {
            Table::Findings => GROUP_FINDINGS_MAX,
            Table::Incidents
            | Table::Signals
            | Table::Windows
            | Table::Identities
            | Table::Endpoints
            | Table::Audit
            | Table::Feedback
            | Table::Operations
            | Table::PipelineHealth => GROUP_ROWS_MAX,
        };
        Self::with_limits(rows_max, GROUP_BYTES_MAX)
    }

    const fn with_limits(rows_max: usize, bytes_max: usize) -> Self {
        Self { rows_max, bytes_max, pieces: Vec::new(), joined: 0, rows: 0, bytes: 0 }
    }

    /// Takes rows from the front of `batch`, and yields the row group if they filled it.
    pub(crate) fn fill(
        &mut self,
        batch: &mut RecordBatch,
    ) -> Result<Option<Vec<RecordBatch>>, ArrowError> {
        let wanted = batch.num_rows().min(self.rows_max - self.rows);
        let (rows, bytes) = rows_within(&batch.slice(0, wanted), self.bytes_max - self.bytes);
        let rest = batch.slice(rows, batch.num_rows() - rows);
        let piece = std::mem::replace(batch, rest).slice(0, rows);
        self.keep(piece)?;
        self.rows += rows;
        self.bytes += bytes;
        let full = self.rows >= self.rows_max || self.bytes >= self.bytes_max;
        Ok(full.then(|| self.take()))
    }

    /// The rows held so far, which start no other row group.
    pub(crate) fn take(&mut self) -> Vec<RecordBatch> {
        let empty = Self::with_limits(self.rows_max, self.bytes_max);
        std::mem::replace(self, empty).pieces
    }

    fn keep(&mut self, piece: RecordBatch) -> Result<(), ArrowError> {
        if piece.num_rows() > 0 {
            let schema = piece.schema();
            self.pieces.push(piece);
            if self.pieces.len() - self.joined == PIECES_MAX {
                let join = concat_batches(&schema, self.pieces.iter().skip(self.joined))?;
                self.pieces.truncate(self.joined);
                self.pieces.push(join);
                self.joined += 1;
            }
        }
        Ok(())
    }
}

/// How many rows of `batch` it takes to reach `bytes_max`, and their bytes; all of them if it stays below.
fn rows_within(batch: &RecordBatch, bytes_max: usize) -> (usize, usize) {
    let all = (0..batch.num_columns()).map(|column| bytes_of(batch, column, 0, batch.num_rows()));
    let all = all.sum();
    if all < bytes_max {
        return (batch.num_rows(), all);
    }
    let mut bytes = 0;
    for row in 0..batch.num_rows() {
        let columns = 0..batch.num_columns();
        bytes += columns.map(|column| bytes_of(batch, column, row, 1)).sum::<usize>();
        if bytes >= bytes_max {
            return (row + 1, bytes);
        }
    }
    (batch.num_rows(), bytes)
}

/// The bytes of `len` values of a column from `start` on; the same for the same values in any batch.
fn bytes_of(batch: &RecordBatch, column: usize, start: usize, len: usize) -> usize {
    let array = batch.column(column);
    let text = match array.data_type() {
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            match (offsets.get(start), offsets.get(start + len)) {
                (Some(from), Some(to)) => to.abs_diff(*from) as usize,
                _ => 0,
            }
        }
        _ => 0,
    };
    text + FIXED_BYTES * len
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;
    use std::sync::Arc;

    fn rows(texts: &[&str]) -> RecordBatch {
        RecordBatch::try_from_iter([("text", Arc::new(StringArray::from(texts.to_vec())) as _)])
            .unwrap()
    }

    /// The lengths of the groups that the batches are cut into.
    fn cut(mut group: Group, batches: &[RecordBatch]) -> Vec<usize> {
        let len = |pieces: Vec<RecordBatch>| pieces.iter().map(RecordBatch::num_rows).sum();
        let mut lengths: Vec<usize> = Vec::new();
        for batch in batches {
            let mut rest = batch.clone();
            while rest.num_rows() > 0 {
                lengths.extend(group.fill(&mut rest).unwrap().map(len));
            }
        }
        lengths.push(len(group.take()));
        lengths
    }

    #[test]
    fn a_group_is_full_at_its_rows() {
        let batch = rows(&["a"; 10]);
        assert_eq!(cut(Group::with_limits(4, 1000), std::slice::from_ref(&batch)), [4, 4, 2]);
        let single: Vec<_> = (0..10).map(|row| batch.slice(row, 1)).collect();
        assert_eq!(cut(Group::with_limits(4, 1000), &single), [4, 4, 2]);
    }

    #[test]
    fn a_group_is_full_at_its_bytes_wherever_the_batches_end() {
        let long = "x".repeat(30);
        let batch = rows(&["", "", &long, "", &long, &long, ""]);
        let expected = cut(Group::with_limits(100, 50), std::slice::from_ref(&batch));
        assert_eq!(expected, [3, 3, 1]);
        for size in 1..7 {
            let parts = (0..7).step_by(size).map(|start| batch.slice(start, size.min(7 - start)));
            let parts: Vec<_> = parts.collect();
            assert_eq!(cut(Group::with_limits(100, 50), &parts), expected, "batches of {size}");
        }
    }

    #[test]
    fn small_batches_are_joined() {
        let mut group = Group::of(Table::Signals);
        for _ in 0..10 * PIECES_MAX {
            assert!(group.fill(&mut rows(&["a"])).unwrap().is_none());
        }
        assert!(group.pieces.len() <= 10 + PIECES_MAX, "{}", group.pieces.len());
        assert_eq!(cut(group, &[]), [10 * PIECES_MAX]);
    }
}
