//! The encoder: row groups of one table become numbered Parquet files in the staging directory.

use crate::error::StoreError;
use crate::layout::{self, RunId};
use crate::lock::Lock;
use crate::manifest::Listed;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use datafusion::parquet::schema::types::ColumnPath;
use model::tables::Table;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a file; the row group that passes this is the file's last.
const FILE_ROWS_MAX: usize = 1024 * 1024;
/// Columns that queries select by: only these carry statistics, which would cost the others time.
const KEYS: [&str; 10] = [
    "finding_id",
    "tenant_id",
    "principal_id",
    "entity",
    "detector",
    "endpoint",
    "window_start",
    "window_end",
    "detected_at",
    "score",
];

/// A whole file in the staging directory.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) table: Table,
    pub(crate) path: PathBuf,
    pub(crate) listed: Listed,
}

/// What turns one table's row groups into files; not async, because it computes.
#[derive(Debug)]
pub(crate) struct Encoder {
    table: Table,
    run: RunId,
    dir: PathBuf,
    open: Option<Open>,
    whole: Vec<Staged>,
    /// Held here too, so that a writer dropped in the middle lets go only when its last task ends.
    _lock: Arc<Lock>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    rows: usize,
    writer: ArrowWriter<Hashing>,
}

impl Encoder {
    /// An encoder whose files will be numbered from zero.
    pub(crate) const fn new(dir: PathBuf, run: RunId, table: Table, lock: Arc<Lock>) -> Self {
        Self { table, run, dir, open: None, whole: Vec::new(), _lock: lock }
    }

    /// Appends one row group, given in pieces.
    pub(crate) fn append(&mut self, pieces: &[RecordBatch]) -> Result<(), StoreError> {
        let table = self.table;
        let encode = |what: String| StoreError::Encode { table, what };
        let group = match pieces {
            [] => return Ok(()),
            [one] => one.clone(),
            many => concat_batches(&table.schema(), many).map_err(|e| encode(e.to_string()))?,
        };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        open.writer.write(&group).map_err(|e| refused(table, &open.path, e))?;
        open.writer.flush().map_err(|e| refused(table, &open.path, e))?;
        open.rows += group.num_rows();
        if open.rows >= FILE_ROWS_MAX {
            self.close(open)
        } else {
            self.open = Some(open);
            Ok(())
        }
    }

    /// Closes the last file and yields all of them, each already on the disk.
    pub(crate) fn finish(mut self) -> Result<Vec<Staged>, StoreError> {
        if let Some(open) = self.open.take() {
            self.close(open)?;
        }
        Ok(self.whole)
    }

    fn start(&self) -> Result<Open, StoreError> {
        let path = layout::staged(&self.dir, &self.run, self.table, self.whole.len());
        let parent = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).map_err(StoreError::io("creating", parent))?;
        let file = File::create_new(&path).map_err(StoreError::io("creating", &path))?;
        let schema = self.table.schema();
        let properties = properties(&schema);
        let writer = ArrowWriter::try_new(Hashing::new(file), schema, Some(properties))
            .map_err(|error| refused(self.table, &path, error))?;
        Ok(Open { path, rows: 0, writer })
    }

    fn close(&mut self, open: Open) -> Result<(), StoreError> {
        let Open { path, rows, writer } = open;
        let Hashing { file, hasher, bytes } =
            writer.into_inner().map_err(|error| refused(self.table, &path, error))?;
        file.sync_all().map_err(StoreError::io("writing", &path))?;
        let name = layout::file_name(&self.run, self.whole.len(), &hasher.finalize());
        let listed = Listed { name, rows: rows as u64, bytes };
        self.whole.push(Staged { table: self.table, path, listed });
        Ok(())
    }
}

/// A full disk is the file's fault; everything else is the encoder's.
fn refused(table: Table, path: &Path, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => StoreError::io("writing", path)(*source),
            Err(source) => StoreError::Encode { table, what: source.to_string() },
        },
        error => StoreError::Encode { table, what: error.to_string() },
    }
}

/// How the columns are written: the same rows give the same bytes, also in another version of parquet.
fn properties(schema: &Schema) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut builder = WriterProperties::builder()
        .set_created_by("habitus".to_owned())
        .set_max_row_group_row_count(None)
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_compression(zstd);
    for field in schema.fields() {
        builder = column(builder, field.name(), field.data_type());
    }
    builder.build()
}

fn column(
    mut builder: WriterPropertiesBuilder,
    name: &str,
    data_type: &DataType,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name);
    if KEYS.contains(&name) {
        builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
    }
    match data_type {
        DataType::Int64 | DataType::Timestamp(_, _) => builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        DataType::Float64 => builder.set_column_dictionary_enabled(path, false),
        _ => builder,
    }
}

/// A file that hashes what is written to it.
#[derive(Debug)]
struct Hashing {
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn new(file: File) -> Self {
        Self { file, hasher: blake3::Hasher::new(), bytes: 0 }
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
