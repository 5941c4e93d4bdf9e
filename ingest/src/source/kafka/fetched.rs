//! Records as lines, each with its place.

use crate::Chunk;
use crate::header::Headers;
use crate::source::lines::line_bytes_max;
use std::borrow::Cow;
use std::io::Read as _;

/// Fewer bytes than this are not worth another thread.
const PART_BYTES_MIN: usize = 64 * 1024;
/// How a record begins that its producer packed, as CloudWatch's subscriptions are.
const GZIP: &[u8] = b"\x1f\x8b\x08";
/// How a field begins in protobuf that is the first of its message and has a length, and the second.
const FIELDS: [u8; 2] = [0x0a, 0x12];
/// Bytes of a length in protobuf.
const LENGTH_BYTES_MAX: usize = 5;
/// Bytes that a packed record may unpack to.
const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024;

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
    /// The offsets of records that are exports of OpenTelemetry in protobuf, which are not read.
    pub protobuf: Vec<i64>,
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
        if is_otlp(record) {
            self.protobuf.push(offset);
            return;
        }
        let record = &*as_text(record);
        let before = self.offsets.len();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', record).chain([record.len()]) {
            let line = record.get(start..end).unwrap_or_default();
            start = end + 1;
            if line.trim_ascii_start().is_empty() {
                continue;
            }
            if !self.offsets.is_empty() {
                self.chunk.bytes.push(b'\n');
            }
            if line.len() > line_bytes_max(line.trim_ascii_start()) {
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

    /// The same in at most so many parts of about the same size, each of whole records, so that
    /// several threads can read them; small ones stay whole.
    pub fn into_parts(self, parts_max: usize) -> Vec<Self> {
        let lines = self.offsets.len();
        let parts = parts_max.min(self.chunk.bytes.len() / PART_BYTES_MIN);
        if parts < 2 || !self.chunk.oversize.is_empty() {
            return vec![self];
        }
        let mut cuts = Vec::new();
        let (mut line, mut target) = (0, 1);
        for end in memchr::memchr_iter(b'\n', &self.chunk.bytes) {
            line += 1;
            let is_new = self.offsets.get(line) != self.offsets.get(line - 1);
            if is_new && end * parts >= self.chunk.bytes.len() * target {
                cuts.push((end, line));
                target += 1;
            }
        }
        let mut all = Vec::with_capacity(parts);
        let (mut from, mut first) = (0, 0);
        let mut headers = Headers::default();
        headers.note(&self.chunk.header);
        for (end, line) in cuts.into_iter().chain([(self.chunk.bytes.len(), lines)]) {
            let bytes = self.chunk.bytes.get(from..end).unwrap_or_default().to_vec();
            let offsets = self.offsets.get(first..line).unwrap_or_default().to_vec();
            let header = headers.lines();
            headers.note(&bytes);
            let chunk = Chunk { source: self.chunk.source, bytes, header, ..Chunk::default() };
            let next = offsets.last().map_or(self.next, |last| last + 1);
            all.push(Self { chunk, offsets, next, ..Self::default() });
            (from, first) = (end + 1, line);
        }
        if let Some(last) = all.last_mut() {
            last.next = self.next;
            (last.empty, last.damaged, last.wire) = (self.empty, self.damaged, self.wire);
            last.protobuf = self.protobuf;
        }
        all
    }
}

/// A record as lines: unpacked if it is packed, and in one line if a schema registry's frame is around
/// it, which may hold any byte.
fn as_text(record: &[u8]) -> Cow<'_, [u8]> {
    if record.starts_with(GZIP) {
        let mut text = Vec::new();
        let mut unpacked = flate2::read::MultiGzDecoder::new(record).take(UNPACKED_BYTES_MAX);
        // What is damaged is read up to there.
        return if unpacked.read_to_end(&mut text).is_ok() || !text.is_empty() {
            Cow::Owned(text)
        } else {
            Cow::Borrowed(record)
        };
    }
    if let [0, _, _, _, _, ..] = record {
        let plain = |it: &u8| if *it == b'\n' { b' ' } else { *it };
        return Cow::Owned(record.iter().map(plain).collect());
    }
    Cow::Borrowed(record)
}

/// Whether a record is an export of OpenTelemetry in protobuf: nothing but resources, each with its
/// length, which begin with what a resource has. No text has the byte before its scopes.
fn is_otlp(record: &[u8]) -> bool {
    let [resources, scopes] = FIELDS;
    if record.first() != Some(&resources) || memchr::memchr(scopes, record).is_none() {
        return false;
    }
    let mut rest = record;
    while let Some((tag, after)) = rest.split_first() {
        let Some((resource, next)) = field(after).filter(|_| *tag == resources) else {
            return false;
        };
        let begins = resource.split_first().filter(|(tag, _)| FIELDS.contains(tag));
        if begins.and_then(|(_, inner)| field(inner)).is_none() {
            return false;
        }
        rest = next;
    }
    true
}

/// The content of a field whose tag was taken, and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(LENGTH_BYTES_MAX) {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..)?.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resource with a name in its attributes, and a scope with a record of so many bytes.
    fn export(bytes: u8) -> Vec<u8> {
        let resource: &[u8] = b"\x0a\x06\x0a\x04\x0a\x02ab";
        let mut record = vec![0x0a, resource.len() as u8 + 4 + bytes];
        record.extend(resource);
        record.extend([0x12, bytes + 2, 0x12, bytes]);
        record.extend((0..bytes).map(|it| it.wrapping_mul(7)));
        record
    }

    #[test]
    fn an_export_in_protobuf_is_known_and_not_read() {
        let mut fetched = Fetched::default();
        fetched.add(&export(60), 1);
        fetched.add(&[export(3), export(90)].concat(), 2);
        // A length of two bytes.
        let mut long = b"\x0a\xae\x02\x0a\x02\x0a\x00\x12\xa7\x02\x12\xa4\x02".to_vec();
        long.extend(vec![b'\n'; 292]);
        fetched.add(&long, 3);
        assert_eq!((fetched.protobuf.as_slice(), fetched.next), ([1, 2, 3].as_slice(), 4));
        assert!(fetched.chunk.bytes.is_empty() && fetched.empty.is_empty());
        // What is cut, and what only begins like one.
        let whole = export(60);
        let longer = [whole.as_slice(), b"x".as_slice()].concat();
        let records: [&[u8]; 6] =
            [&whole[..whole.len() - 1], &longer, b"\n{\"a\":1}", &[b'\n'; 12], b"\n\x12", b""];
        for record in records {
            let mut fetched = Fetched::default();
            fetched.add(record, 9);
            assert!(fetched.protobuf.is_empty(), "{record:?}");
        }
    }

    #[test]
    fn parts_hold_whole_records_and_all_of_them() {
        let mut fetched = Fetched::default();
        for offset in 0..3_000 {
            let line = format!("line {offset} of some length, so that there are bytes enough");
            fetched.add(format!("{line}\nand another").as_bytes(), offset);
        }
        fetched.add(b"", 3_000);
        let whole = fetched.clone();
        let parts = fetched.into_parts(3);
        assert_eq!(parts.len(), 3);
        let offsets = |one: &Fetched| (one.offsets.first().copied(), one.offsets.last().copied());
        for pair in parts.windows(2) {
            let (left, right) = (offsets(&pair[0]).1.unwrap(), offsets(&pair[1]).0.unwrap());
            assert_eq!((left + 1, pair[0].next), (right, right), "a record is in two parts");
        }
        let bytes: Vec<&[u8]> = parts.iter().map(|it| it.chunk.bytes.as_slice()).collect();
        assert_eq!(bytes.join(&b'\n'), whole.chunk.bytes);
        assert_eq!(parts.iter().map(|it| it.offsets.len()).sum::<usize>(), whole.offsets.len());
        let last = parts.last().unwrap();
        assert_eq!((last.next, &last.empty), (3_001, &vec![3_000]));
        assert_eq!(whole.into_parts(1).len(), 1);
    }

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
