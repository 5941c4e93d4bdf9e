//! The parsing of one chunk: envelopes are opened, header lines noted, records read in their format.

mod object;
mod parts;
mod text;

use super::level::Level;
use super::{EVENT_TEXT_BYTES, LINE_BYTES, Parsed, Parser};
use crate::Chunk;
use crate::envelope::split::Members;
use crate::envelope::{self, DEPTH_MAX, Inside};
use crate::format::event::{Origin, Writer};
use crate::format::record::Record;
use crate::format::{Columns, FormatId};
use crate::reject::{Reject, Rejects};
use model::limit::LINE_BYTES_MAX;
use model::{EventBatch, ParseFlags, Position};
use parts::{Around, Owner, Parts, Waiting};
use siphasher::sip::SipHasher13;
use std::borrow::Cow;
use std::hash::Hasher as _;

/// Sees every record that a format filled, and whether it became an event.
pub(crate) type Watch<'w> = &'w mut dyn FnMut(FormatId, &mut Record<'_>, Result<(), Reject>);

/// The parsing of one chunk.
pub(super) struct Run<'p, 'w> {
    parser: &'p Parser,
    writer: Writer<'p>,
    pub(super) parsed: Parsed,
    watch: Option<Watch<'w>>,
    /// What is known of the lines at each depth of envelopes.
    levels: [Level<'p>; DEPTH_MAX + 1],
    /// What the latest header lines say.
    columns: Option<(FormatId, Columns)>,
    /// Parts of lines that wait for their ends.
    parts: Parts,
}

/// How a line is to be read, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// What the input was declared to be or looks like.
    pub(super) format: Option<FormatId>,
    pub(super) position: Position,
    /// How many envelopes it came out of.
    pub(super) depth: usize,
    /// The objects among them, from the inside out.
    pub(super) around: Option<&'a Around<'a>>,
}

impl At<'_> {
    /// Whose line a part is of: every object around it has a say, for all parts of a line alike.
    fn owner(&self, stream: usize) -> Owner {
        Owner { carrier: self.around.map_or(0, Around::carrier), stream }
    }
}

/// Why an object was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stop {
    Rejected(Reject),
    /// Its names are those of an envelope.
    Envelope,
}

impl From<Reject> for Stop {
    fn from(reason: Reject) -> Self {
        Self::Rejected(reason)
    }
}

impl<'p, 'w> Run<'p, 'w> {
    pub(super) fn new(parser: &'p Parser, chunk: &Chunk, watch: Option<Watch<'w>>) -> Self {
        let events = chunk.bytes.len() / LINE_BYTES + 1;
        let batch = EventBatch::with_capacity(events, events * EVENT_TEXT_BYTES);
        let parsed = Parsed { batch, ..Parsed::default() };
        let mut run = Self {
            parser,
            writer: Writer::new(&parser.policy),
            parsed,
            watch: None,
            levels: Default::default(),
            columns: None,
            parts: Parts::default(),
        };
        run.take_header(&chunk.header);
        run.watch = watch;
        if parser.keeps_rejects {
            run.parsed.rejects = Rejects::keeping_all();
        }
        run
    }

    /// Reads header lines from before the chunk; nothing comes of them but what they say.
    fn take_header(&mut self, header: &[u8]) {
        for line in header.split(|it| *it == b'\n') {
            let line = String::from_utf8_lossy(line);
            let at = At { format: None, position: Position::default(), depth: 0, around: None };
            self.attempt(line.trim_ascii(), at, &mut Record::new()).ok();
        }
        self.take_back(0);
        self.parts = Parts::default();
        (self.parsed.records, self.parsed.rejects) = (0, Rejects::default());
    }

    pub(super) fn reject(&mut self, reason: Reject, position: Position, record: &[u8]) {
        self.parsed.records += 1;
        self.parsed.rejects.add(reason, position, record);
    }

    /// A line of bytes that may not be UTF-8.
    pub(super) fn bytes(&mut self, bytes: &[u8], at: At<'_>) {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let first = self.parsed.batch.events.len();
        self.line(&text, at, &mut Record::new());
        if matches!(text, Cow::Owned(_)) {
            self.flag(first, ParseFlags::INVALID_UTF8);
        }
    }

    /// Flags the events from the `first` on.
    fn flag(&mut self, first: usize, flag: ParseFlags) {
        for event in self.parsed.batch.events.iter_mut().skip(first) {
            event.parse_flags.insert(flag);
        }
    }

    /// A line that is not blank: it becomes events, or a counted reject.
    ///
    /// Of a list that goes over several lines the brackets stand alone, and a comma follows an element.
    pub(super) fn line<'a>(&mut self, line: &'a str, at: At<'_>, record: &mut Record<'a>) {
        let line = match line.strip_suffix(',') {
            Some(element) if element.starts_with('{') => element,
            _ if matches!(line, "[" | "]") => return,
            _ => line,
        };
        if let Err(reason) = self.attempt(line, at, record) {
            self.reject(reason, at.position, line.as_bytes());
        }
    }

    /// Ends the chunk: what waits for the rest of its line waits in vain.
    pub(super) fn end(&mut self) {
        for waiting in self.parts.take_all() {
            self.give_up(&waiting);
        }
    }

    /// Rejects a line whose end does not come, at its first part.
    fn give_up(&mut self, line: &Waiting) {
        self.reject(Reject::PartOfLine, line.position, line.text.as_bytes());
    }

    /// Reads a line, whatever it is wrapped in; on an error nothing was kept.
    fn attempt<'a>(
        &mut self,
        line: &'a str,
        at: At<'_>,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
        match line.as_bytes() {
            [] => return Ok(()),
            [b'{', ..] => return self.object(line, at, record),
            [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'{' | b']', ..]) => {
                let inner = At { depth: at.depth + 1, ..at };
                return if inner.depth > DEPTH_MAX {
                    Err(Reject::UnknownFormat)
                } else {
                    self.list(line, inner)
                };
            }
            _ if line.len() > LINE_BYTES_MAX => return Err(Reject::LineTooLong),
            [b'#', ..] if self.header(line) => return Ok(()),
            _ => {}
        }
        if at.depth < DEPTH_MAX
            && let Some(inside) = envelope::text(line)
        {
            let opened = self.open(inside, at);
            // What looked like the head of an envelope may be a line of a format.
            return opened.or_else(|reason| self.text(line, at, record).map_err(|_| reason));
        }
        self.text(line, at, record)
    }

    /// Reads what is in an envelope; on an error nothing was kept.
    fn open(&mut self, inside: Inside<'_>, at: At<'_>) -> Result<(), Reject> {
        let inner = At { depth: at.depth + 1, ..at };
        match inside {
            Inside::Line(line) => self.attempt(line.trim_ascii(), inner, &mut Record::new()),
            Inside::Lines(lines) => {
                for line in lines {
                    self.line(line.trim_ascii(), inner, &mut Record::new());
                }
                Ok(())
            }
            Inside::List(list) => self.list(list, inner),
            Inside::Part(stream, part) => {
                if let Some(given_up) = self.parts.add(at.owner(stream), at.position, &part) {
                    self.give_up(&given_up);
                }
                Ok(())
            }
            Inside::Last(stream, part) => {
                // Most lines are whole, and whose they are is not asked.
                let parts =
                    if self.parts.is_empty() { None } else { self.parts.take(at.owner(stream)) };
                let Some(parts) = parts else {
                    return self.attempt(part.trim_ascii(), inner, &mut Record::new());
                };
                // The parts may be another container's, whose lines stand between these.
                if self.is_event_alone(part.trim_ascii(), inner) {
                    self.give_up(&parts);
                    return Ok(());
                }
                let whole = parts.text + &part;
                self.attempt(whole.trim_ascii(), inner, &mut Record::new())
            }
            Inside::Nothing => Ok(()),
            Inside::Refused(reason) => Err(reason),
        }
    }

    /// Opens an object's envelope, which what is inside has around it.
    fn open_object(&mut self, object: &str, inside: Inside<'_>, at: At<'_>) -> Result<(), Reject> {
        let around = Around::new(object, at.around);
        self.open(inside, At { around: Some(&around), ..at })
    }

    /// Reads the end of a line as a whole one; `false` if it is no event, and then nothing was kept.
    fn is_event_alone(&mut self, line: &str, at: At<'_>) -> bool {
        // Headers, lists and objects in parts say something without being an event.
        if line.starts_with(['#', '[']) && !line.starts_with("[2") {
            return false;
        }
        let first = self.parsed.batch.events.len();
        self.attempt(line, at, &mut Record::new()).is_ok() && self.parsed.batch.events.len() > first
    }

    /// Reads the elements of a list; what stands before the place where it breaks is kept.
    fn list(&mut self, list: &str, at: At<'_>) -> Result<(), Reject> {
        let members = Members::of(list).ok_or(Reject::MalformedJson)?;
        let mut record = Record::new();
        for (index, member) in members.enumerate() {
            match member {
                Ok((_, element)) if element.starts_with('{') => self.line(element, at, &mut record),
                Ok((_, element)) => match envelope::inside(element) {
                    Some(inside) if at.depth < DEPTH_MAX => {
                        if let Err(reason) = self.open(inside, at) {
                            self.reject(reason, at.position, element.as_bytes());
                        }
                    }
                    _ => self.reject(Reject::UnknownFormat, at.position, element.as_bytes()),
                },
                Err(_) if index == 0 => return Err(Reject::MalformedJson),
                Err(_) => self.reject(Reject::MalformedJson, at.position, b""),
            }
        }
        Ok(())
    }

    /// Forgets the events from the `first` on.
    fn take_back(&mut self, first: usize) {
        let events = &mut self.parsed.batch.events;
        self.parsed.records -= (events.len() - first) as u64;
        events.truncate(first);
    }

    /// Writes the events of a filled record.
    fn write(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        let done = self.write_all(record, origin);
        if let Some(watch) = &mut self.watch {
            watch(origin.format, record, done);
        }
        done
    }

    fn write_all(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        if record.calls.is_empty() {
            return self.write_one(record, origin);
        }
        let (calls, whole) = (std::mem::take(&mut record.calls), record.present());
        for (index, call) in (0_u64..).zip(&calls) {
            record.restore(call);
            if index == 1 {
                record.hide_sums();
            }
            let content_hash = origin.content_hash.wrapping_add(index << 32);
            self.write_one(record, Origin { content_hash, ..origin })?;
        }
        record.show(whole);
        Ok(())
    }

    fn write_one(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        self.writer.write(record, origin, &mut self.parsed.batch)?;
        self.parsed.records += 1;
        Ok(())
    }
}

/// A fixed hash of all that a line says.
fn content_hash(line: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(line.as_bytes());
    hasher.finish()
}
