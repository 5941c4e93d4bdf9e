//! What benchmarks call and cannot reach otherwise; no part of what others may use.

use crate::format::record::Record;
use crate::format::{Columns, FormatId, Reader, measure};
use model::Event;

/// Reads lines of one format of text into its typed fields, and no further: the texts are borrowed, the time
/// and the numbers are parsed; nothing is redacted, derived or kept.
#[derive(Debug)]
pub struct Fields<'a> {
    format: FormatId,
    columns: Option<Columns>,
    record: Record<'a>,
}

impl<'a> Fields<'a> {
    /// The reader of a format of text, whose columns the header lines name if it has such.
    pub fn new(format: FormatId, header: &str) -> Self {
        let mut columns = None;
        if let Reader::Columns { header: read, .. } = &format.format().reader {
            for line in header.lines() {
                columns = read(line, columns.as_ref()).or(columns);
            }
        }
        Self { format, columns, record: Record::new() }
    }

    /// The number of fields that a line filled; 0 for one that is no record.
    pub fn read(&mut self, line: &'a str) -> usize {
        let record = &mut self.record;
        record.clear();
        record.has_backslash = memchr::memchr(b'\\', line.as_bytes()).is_some();
        let done = match &self.format.format().reader {
            Reader::Text { scan, .. } => scan(line, record),
            Reader::Columns { scan, .. } => scan(line, self.columns.as_ref(), record),
            Reader::Json { .. } => return 0,
        };
        let Some((stamp, _)) = done.ok().and_then(|()| measure::stamp(record).ok()) else {
            return 0;
        };
        let mut event = Event::at(stamp.time);
        measure::integers(record, &mut event);
        std::hint::black_box(&event);
        self.record.present().count_ones() as usize
    }
}
