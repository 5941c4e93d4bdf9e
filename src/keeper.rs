//! The keeper: hands rows and findings to the store.

use arrow::array::RecordBatch;
use detect::Output;
use model::tables::Table;
use store::{StoreError, Writer, Written};
use tokio::runtime::Handle;

/// Writes to one run of the store, which encodes beside the thinking when there are threads for it.
#[derive(Debug)]
pub(crate) struct Keeper {
    writer: Writer,
    runtime: Handle,
    /// The inputs' names, by their numbers.
    inputs: Vec<String>,
}

impl Keeper {
    /// A keeper whose store works on the calling thread alone when `threads` is one.
    pub(crate) fn new(
        writer: Writer,
        runtime: Handle,
        threads: usize,
        inputs: Vec<String>,
    ) -> Self {
        Self { writer: if threads <= 1 { writer.alone() } else { writer }, runtime, inputs }
    }

    /// Keeps what the engine put out.
    pub(crate) fn keep(&mut self, mut output: Output) -> Result<(), StoreError> {
        for rows in output.windows {
            self.rows(Table::Windows, rows)?;
        }
        for rows in output.signals {
            self.rows(Table::Signals, rows)?;
        }
        if output.findings.is_empty() {
            return Ok(());
        }
        for evidence in output.findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
            evidence.input = self.inputs.get(evidence.position.source as usize).cloned();
        }
        self.runtime.block_on(self.writer.findings(&output.findings))
    }

    /// Keeps rows of a table.
    pub(crate) fn rows(&mut self, table: Table, rows: RecordBatch) -> Result<(), StoreError> {
        self.runtime.block_on(self.writer.write(table, rows))
    }

    /// Makes everything visible at once.
    pub(crate) fn commit(self) -> Result<Written, StoreError> {
        self.runtime.block_on(self.writer.commit())
    }
}
