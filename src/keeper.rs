//! The keeper: hands rows and findings to the store, beside the thinking when there are threads for it.

use detect::Output;
use model::Finding;
use model::tables::Table;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use store::{StoreError, Writer, Written};
use tokio::runtime::Handle;

/// Batches in flight to the store; a slow disk fills this, and then the pipeline waits.
const QUEUE_BATCHES_MAX: usize = 8;

enum Kept {
    Rows(Table, arrow::array::RecordBatch),
    Findings(Vec<Finding>),
}

/// Writes to one run of the store.
#[derive(Debug)]
pub(crate) struct Keeper {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Inline(Box<Writer>, Handle),
    Beside(SyncSender<Kept>, JoinHandle<Result<Writer, StoreError>>, Handle),
}

impl Keeper {
    /// A keeper that works on the calling thread when `threads` is one, else on a thread of its own.
    pub(crate) fn new(writer: Writer, runtime: Handle, threads: usize) -> Self {
        if threads <= 1 {
            return Self { way: Way::Inline(Box::new(writer), runtime) };
        }
        let (send, receive) = sync_channel(QUEUE_BATCHES_MAX);
        let handle = runtime.clone();
        let thread = std::thread::spawn(move || keep_all(writer, &receive, &handle));
        Self { way: Way::Beside(send, thread, runtime) }
    }

    /// Keeps what the engine put out.
    pub(crate) fn keep(&mut self, output: Output) -> Result<(), StoreError> {
        let rows = output.windows.into_iter().map(|rows| Kept::Rows(Table::Windows, rows));
        let rows =
            rows.chain(output.signals.into_iter().map(|rows| Kept::Rows(Table::Signals, rows)));
        for kept in rows {
            self.send(kept)?;
        }
        if output.findings.is_empty() { Ok(()) } else { self.send(Kept::Findings(output.findings)) }
    }

    /// Keeps rows of a table.
    pub(crate) fn rows(
        &mut self,
        table: Table,
        rows: arrow::array::RecordBatch,
    ) -> Result<(), StoreError> {
        self.send(Kept::Rows(table, rows))
    }

    fn send(&mut self, kept: Kept) -> Result<(), StoreError> {
        match &mut self.way {
            Way::Inline(writer, runtime) => runtime.block_on(keep_one(writer, kept)),
            // A closed channel means that the thread ended with an error, which `commit` yields.
            Way::Beside(send, ..) => {
                send.send(kept).ok();
                Ok(())
            }
        }
    }

    /// Makes everything visible at once.
    pub(crate) fn commit(self) -> Result<Written, StoreError> {
        match self.way {
            Way::Inline(writer, runtime) => runtime.block_on(writer.commit()),
            Way::Beside(send, thread, runtime) => {
                drop(send);
                match thread.join() {
                    Ok(writer) => runtime.block_on(writer?.commit()),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        }
    }
}

fn keep_all(
    mut writer: Writer,
    receive: &Receiver<Kept>,
    runtime: &Handle,
) -> Result<Writer, StoreError> {
    while let Ok(kept) = receive.recv() {
        runtime.block_on(keep_one(&mut writer, kept))?;
    }
    Ok(writer)
}

async fn keep_one(writer: &mut Writer, kept: Kept) -> Result<(), StoreError> {
    match kept {
        Kept::Rows(table, rows) => writer.write(table, rows).await,
        Kept::Findings(findings) => writer.findings(&findings).await,
    }
}
