//! Records as lines, each with its place.

use crate::Chunk;

/// Records of one partition, as lines.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The lines; [`Chunk::source`] is the partition's place in the list, lines count from 0.
    pub chunk: Chunk,
    /// The offset of each line.
    pub offsets: Vec<i64>,
    /// The offset after the last record.
    pub next: i64,
    /// The offsets of records without a value.
    pub empty: Vec<i64>,
    /// Offsets that are lost, because the broker holds a damaged batch there: the first, and the
    /// first after them.
    pub damaged: Option<(i64, i64)>,
    /// Records of the topic between the stages, with their offsets: no lines, but as
    /// [`crate::wire`] has them.
    pub wire: Vec<(i64, Vec<u8>)>,
}

impl Fetched {
    /// Adds a record: its lines, each with the record's offset.
    pub fn add(&mut self, record: &[u8], offset: i64) {
        self.next = offset + 1;
        let before = self.offsets.len();
        for line in record.split(|byte| *byte == b'\n').filter(|it| !it.trim_ascii().is_empty()) {
            if !self.offsets.is_empty() {
                self.chunk.bytes.push(b'\n');
            }
            if line.len() > model::limit::LINE_BYTES_MAX {
                self.chunk.oversize.push((self.offsets.len() as u64, line.len() as u64));
            } else {
                self.chunk.bytes.extend_from_slice(line);
            }
            self.offsets.push(offset);
        }
        if self.offsets.len() == before {
            self.empty.push(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_hold_several_lines_or_none() {
        let mut fetched = Fetched::default();
        fetched.add(b"{\"a\":1}", 7);
        fetched.add(b"one\r\ntwo\n\n", 8);
        fetched.add(b"", 9);
        fetched.add(&vec![b'x'; model::limit::LINE_BYTES_MAX + 1], 10);
        fetched.add(b"last", 11);
        assert_eq!(fetched.chunk.bytes, b"{\"a\":1}\none\r\ntwo\n\nlast");
        assert_eq!(fetched.offsets, [7, 8, 8, 10, 11]);
        assert_eq!(fetched.chunk.oversize, [(3, model::limit::LINE_BYTES_MAX as u64 + 1)]);
        assert_eq!((fetched.next, fetched.empty), (12, vec![9]));
    }
}
