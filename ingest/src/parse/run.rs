//! The parsing of one chunk: envelopes are opened, header lines noted, records read in their format.

use super::level::{Level, is_own};
use super::{EVENT_TEXT_BYTES, LINE_BYTES, Parsed, Parser};
use crate::Chunk;
use crate::envelope::split::{self, Members};
use crate::envelope::{self, DEPTH_MAX, Inside};
use crate::format::event::{Origin, Writer};
use crate::format::record::Record;
use crate::format::{Columns, Finish, FormatId, Reader};
use crate::json::{self, Shape};
use crate::reject::{Reject, Rejects};
use crate::sniff::{self, Look};
use memchr::memmem;
use model::limit::LINE_BYTES_MAX;
use model::{EventBatch, ParseFlags, Position};
use siphasher::sip::SipHasher13;
use std::borrow::Cow;
use std::hash::Hasher as _;

/// Streams of a container whose lines may come in parts.
const STREAMS: usize = 2;

/// Of objects with one of these that no format reads, the line may be a text inside.
const MAY_HOLD: [&[u8]; 3] = [b"\"resourceLogs\"", b"\"kube-audit", b"\"properties\":\"{"];

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
    /// Parts of lines that wait for their ends, by stream.
    parts: [String; STREAMS],
}

/// How a line is to be read, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// What the input was declared to be or looks like.
    pub(super) format: Option<FormatId>,
    pub(super) position: Position,
    /// How many envelopes it came out of.
    pub(super) depth: usize,
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
            parts: Default::default(),
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
            let at = At { format: None, position: Position::default(), depth: 0 };
            self.attempt(line.trim_ascii(), at, &mut Record::new()).ok();
        }
        self.take_back(0);
        (self.parsed.records, self.parsed.rejects) = (0, Rejects::default());
    }

    pub(super) fn reject(&mut self, reason: Reject, position: Position, record: &[u8]) {
        self.parsed.records += 1;
        self.parsed.rejects.add(reason, position, record);
    }

    /// A line of bytes that may not be UTF-8.
    pub(super) fn bytes(&mut self, bytes: &[u8], at: At) {
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
    pub(super) fn line<'a>(&mut self, line: &'a str, at: At, record: &mut Record<'a>) {
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
    pub(super) fn end(&mut self, position: Position) {
        for stream in 0..STREAMS {
            let part = self.parts.get_mut(stream).map(std::mem::take).unwrap_or_default();
            if !part.is_empty() {
                self.reject(Reject::PartOfLine, position, part.as_bytes());
            }
        }
    }

    /// Reads a line, whatever it is wrapped in; on an error nothing was kept.
    fn attempt<'a>(
        &mut self,
        line: &'a str,
        at: At,
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
    fn open(&mut self, inside: Inside<'_>, at: At) -> Result<(), Reject> {
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
                let Some(parts) = self.parts.get_mut(stream) else { return Ok(()) };
                // Of a line that gets too long no more is kept than shows that it is.
                if parts.len() <= LINE_BYTES_MAX {
                    parts.push_str(&part);
                }
                Ok(())
            }
            Inside::Last(stream, part) => {
                let parts = self.parts.get_mut(stream).map(std::mem::take).unwrap_or_default();
                if parts.is_empty() {
                    return self.attempt(part.trim_ascii(), inner, &mut Record::new());
                }
                // The parts may be another container's, whose lines stand between these.
                if self.is_event_alone(part.trim_ascii(), inner) {
                    self.reject(Reject::PartOfLine, at.position, parts.as_bytes());
                    return Ok(());
                }
                let whole = parts + &part;
                self.attempt(whole.trim_ascii(), inner, &mut Record::new())
            }
            Inside::Nothing => Ok(()),
            Inside::Refused(reason) => Err(reason),
        }
    }

    /// Reads the end of a line as a whole one; `false` if it is no event, and then nothing was kept.
    fn is_event_alone(&mut self, line: &str, at: At) -> bool {
        // Headers, lists and objects in parts say something without being an event.
        if line.starts_with(['#', '[']) && !line.starts_with("[2") {
            return false;
        }
        let first = self.parsed.batch.events.len();
        self.attempt(line, at, &mut Record::new()).is_ok() && self.parsed.batch.events.len() > first
    }

    /// Reads the elements of a list; what stands before the place where it breaks is kept.
    fn list(&mut self, list: &str, at: At) -> Result<(), Reject> {
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

    /// Reads an object: as an envelope if its names are those of one, else in its format.
    fn object<'a>(&mut self, line: &'a str, at: At, record: &mut Record<'a>) -> Result<(), Reject> {
        let may_open = at.depth < DEPTH_MAX;
        let is_long = line.len() > LINE_BYTES_MAX;
        let before = self.levels.get(at.depth).and_then(|it| it.envelope);
        let expects = may_open && before.is_some_and(|it| it == envelope::names(line));
        let stop = if may_open && (is_long || expects) {
            Stop::Envelope
        } else if is_long {
            return Err(Reject::LineTooLong);
        } else {
            match self.in_format(line, at, may_open, record) {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            }
        };
        let reason = match stop {
            Stop::Rejected(reason) => {
                // Logs of OTLP that say nothing in attributes may have the line as their body, and
                // Azure's records have text in the place of an object.
                let has = |part: &&[u8]| memmem::find(line.as_bytes(), part).is_some();
                let may_hold = || MAY_HOLD.iter().any(has);
                if !may_open || reason != Reject::MalformedJson && !may_hold() {
                    return Err(reason);
                }
                Some(reason)
            }
            Stop::Envelope => None,
        };
        let inside = envelope::object(line);
        if let Some(level) = self.levels.get_mut(at.depth) {
            level.envelope = if inside.is_none() {
                None
            } else if expects {
                before
            } else {
                Some(envelope::names(line))
            };
        }
        let is_envelope = inside.is_some();
        if !is_envelope
            && may_open
            && (is_long || reason == Some(Reject::MalformedJson))
            && let Some(objects) = split::objects(line)
        {
            let inner = At { depth: at.depth + 1, ..at };
            for object in objects {
                self.line(object, inner, &mut Record::new());
            }
            return Ok(());
        }
        let reason = match inside.map(|inside| self.open(inside, at)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(reason)) => Some(reason),
            None => reason,
        };
        match reason {
            _ if is_long => Err(reason.unwrap_or(Reject::LineTooLong)),
            Some(reason) if !is_envelope => Err(reason),
            // What is not in the envelope may stand beside it.
            _ => self.in_format(line, at, false, record).map_err(|stop| match (reason, stop) {
                (Some(reason), _) | (None, Stop::Rejected(reason)) => reason,
                (None, Stop::Envelope) => Reject::UnknownFormat,
            }),
        }
    }

    /// Reads an object in the format that was declared, or that it looks like.
    fn in_format<'a>(
        &mut self,
        line: &'a str,
        at: At,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Result<(), Stop> {
        let declared = at.format.filter(|it| it.is_json());
        let mut reason = None;
        if let Some(format) = declared {
            match self.json(line, format, at, may_open, record) {
                Err(Stop::Rejected(of_declared)) => reason = Some(of_declared),
                done => return done,
            }
        } else if let Some(done) = self.read_alike(line, at, may_open, record) {
            return done;
        }
        let look = Look::of(line).map_err(|it| reason.unwrap_or(it))?;
        // What a format knows not to be counted is not counted as something else, if it is its own.
        if let Some(known) = reason.filter(|it| it.is_harmless())
            && look.formats().any(|it| Some(it) == declared)
        {
            return Err(known.into());
        }
        let mut found = None;
        for format in look.formats().filter(|it| Some(*it) != declared) {
            match self.json(line, format, at, may_open, record) {
                Ok(()) => {
                    found = Some(format);
                    break;
                }
                Err(Stop::Rejected(why @ (Reject::UnknownFormat | Reject::NoTime))) => {
                    reason.get_or_insert(why);
                }
                Err(Stop::Rejected(why)) if !why.is_harmless() => {
                    return Err(reason.unwrap_or(why).into());
                }
                Err(stop) => return Err(stop),
            }
        }
        let format = found.ok_or(reason.unwrap_or(Reject::UnknownFormat))?;
        // Where values decided, the names alone say nothing of the next record.
        let is_first = look.formats().next() == Some(format);
        let table = self.parser.tables.get(format.index()).filter(|_| is_first);
        let shape = look.names().zip(table).and_then(|(names, table)| Shape::of(names, table));
        if let (Some(level), Some(shape)) = (self.levels.get_mut(at.depth), shape) {
            level.keep(format, shape);
        }
        Ok(())
    }

    /// Reads a line that has the names of a line before, on which alone rests what it looks like;
    /// `None` if it has not, or is no event: then nothing was kept.
    fn read_alike<'a>(
        &mut self,
        line: &'a str,
        at: At,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Option<Result<(), Stop>> {
        let parser = self.parser;
        let mut alike = self.levels.get(at.depth)?.alike.iter();
        let format = alike.find_map(|(format, shape)| {
            let table = parser.tables.get(format.index())?;
            json::read_alike(line, table, shape, record).ok().map(|()| *format)
        })?;
        let Reader::Json { finish, .. } = &format.format().reader else { return None };
        let has_names = may_open && envelope::is_one(record.marks);
        finish(record);
        if has_names && !is_own(format, record) {
            return Some(Err(Stop::Envelope));
        }
        let first = self.parsed.batch.events.len();
        let origin = Origin { format, position: at.position, content_hash: content_hash(line) };
        let is_event = self.write(record, origin).is_ok();
        if !is_event {
            self.take_back(first);
        }
        is_event.then_some(Ok(()))
    }

    /// Reads an object in a format of JSON, mended where that helps; on an error nothing was kept.
    fn json<'a>(
        &mut self,
        line: &'a str,
        format: FormatId,
        at: At,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Result<(), Stop> {
        let Reader::Json { finish, mends, .. } = &format.format().reader else {
            return Err(Reject::UnknownFormat.into());
        };
        let origin = Origin { format, position: at.position, content_hash: content_hash(line) };
        match self.records(line, *finish, origin, may_open, record) {
            Err(Stop::Rejected(Reject::MalformedJson)) => {
                let pruned = json::prune(line).map(|it| (it, ParseFlags::TRUNCATED));
                let mend = || json::repair(line).filter(|_| *mends);
                let mended = pruned.or_else(|| Some((mend()?, ParseFlags::REPAIRED_JSON)));
                let (mended, flag) = mended.ok_or(Reject::MalformedJson)?;
                let first = self.parsed.batch.events.len();
                self.records(&mended, *finish, origin, may_open, &mut Record::new())?;
                self.flag(first, flag);
                Ok(())
            }
            done => done,
        }
    }

    /// Reads the records of an object, of which most formats have one.
    fn records<'a>(
        &mut self,
        line: &'a str,
        finish: Finish,
        origin: Origin,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Result<(), Stop> {
        let parser = self.parser;
        let table = parser.tables.get(origin.format.index()).ok_or(Reject::UnknownFormat)?;
        let first = self.parsed.batch.events.len();
        let (mut count, mut reasons, mut is_envelope) = (0_u64, Vec::new(), false);
        let read = json::read(line, table, record, &mut |record| {
            if is_envelope {
                return;
            }
            let has_names = may_open && envelope::is_one(record.marks);
            finish(record);
            is_envelope = has_names && !is_own(origin.format, record);
            if is_envelope {
                return;
            }
            // The records of an object are told apart by their place in it.
            let content_hash = origin.content_hash.wrapping_add(count);
            count += 1;
            reasons.extend(self.write(record, Origin { content_hash, ..origin }).err());
        });
        // An object that is whole may be followed by garbage: then it is not to be believed.
        if read.is_err() {
            self.take_back(first);
            return Err(Reject::MalformedJson.into());
        }
        if is_envelope {
            self.take_back(first);
            return Err(Stop::Envelope);
        }
        // A format of lists of records found none: the line is something else.
        if count == 0 {
            return Err(Reject::UnknownFormat.into());
        }
        if self.parsed.batch.events.len() == first || count == 1 {
            let Some(reason) = reasons.pop() else { return Ok(()) };
            self.take_back(first);
            return Err(reason.into());
        }
        for reason in reasons {
            self.reject(reason, origin.position, b"");
        }
        Ok(())
    }

    /// Reads a line of text in the format that was declared, that the header names, or that it looks
    /// like; on an error nothing was kept.
    fn text<'a>(&mut self, line: &'a str, at: At, record: &mut Record<'a>) -> Result<(), Reject> {
        let declared = at.format.filter(|it| !it.is_json());
        let headed = self.columns.as_ref().map(|(format, _)| *format);
        let mut reason = None;
        for format in declared.into_iter().chain(headed.filter(|it| Some(*it) != declared)) {
            match self.scan(line, format, at, record) {
                Ok(()) => return Ok(()),
                Err(why) => reason = better(reason, why),
            }
        }
        if reason != Some(Reject::Repeated) {
            for format in sniff::texts(line) {
                if Some(format) == declared || Some(format) == headed {
                    continue;
                }
                match self.scan(line, format, at, record) {
                    Ok(()) => return Ok(()),
                    Err(why) => reason = better(reason, why),
                }
            }
        }
        Err(reason.unwrap_or(Reject::UnknownFormat))
    }

    /// Reads a line in a format of text; on an error nothing was kept.
    fn scan<'a>(
        &mut self,
        line: &'a str,
        format: FormatId,
        at: At,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
        record.clear();
        match &format.format().reader {
            Reader::Text { scan, .. } => scan(line, record)?,
            Reader::Columns { scan, .. } => {
                let known = self.columns.as_ref().filter(|(of, _)| *of == format);
                scan(line, known.map(|(_, columns)| columns), record)?;
            }
            Reader::Json { .. } => return Err(Reject::UnknownFormat),
        }
        let first = self.parsed.batch.events.len();
        let origin = Origin { format, position: at.position, content_hash: content_hash(line) };
        let done = self.write(record, origin);
        if done.is_err() {
            self.take_back(first);
        }
        done
    }

    /// Notes what a header line says; `false` for a line that is none.
    fn header(&mut self, line: &str) -> bool {
        for format in FormatId::ALL.iter().copied() {
            let Reader::Columns { header, .. } = &format.format().reader else { continue };
            let before = self.columns.as_ref().filter(|(of, _)| *of == format);
            if let Some(columns) = header(line, before.map(|(_, columns)| columns)) {
                self.columns = Some((format, columns));
                return true;
            }
        }
        // `#Software: …`, `#Version: 1.0` say nothing about lines.
        let name = line.trim_start_matches('#').split(':').next().unwrap_or("");
        line.contains(':')
            && (1..=32).contains(&name.len())
            && name.bytes().all(|it| it.is_ascii_alphabetic() || it == b'-')
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
        let calls = std::mem::take(&mut record.calls);
        for (index, call) in (0_u64..).zip(&calls) {
            record.restore(call);
            let content_hash = origin.content_hash.wrapping_add(index << 32);
            self.write_one(record, Origin { content_hash, ..origin })?;
        }
        Ok(())
    }

    fn write_one(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        self.writer.write(record, origin, &mut self.parsed.batch)?;
        self.parsed.records += 1;
        Ok(())
    }
}

/// The reason that says more.
fn better(reason: Option<Reject>, other: Reject) -> Option<Reject> {
    match reason {
        None | Some(Reject::UnknownFormat) => Some(other),
        known => known,
    }
}

/// A fixed hash of all that a line says.
fn content_hash(line: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(line.as_bytes());
    hasher.finish()
}
