//! Objects: what is in an envelope, or a record of the format that was declared or that it looks like.

use super::{At, Run, Stop, content_hash};
use crate::envelope::{self, DEPTH_MAX, split};
use crate::format::event::Origin;
use crate::format::record::Record;
use crate::format::{Finish, FormatId, Reader};
use crate::json::{self, Shape};
use crate::parse::level::is_own;
use crate::reject::Reject;
use crate::sniff::Look;
use memchr::memmem;
use model::ParseFlags;
use model::limit::LINE_BYTES_MAX;

/// Of objects with one of these that no format reads, the line may be a text inside.
const MAY_HOLD: [&[u8]; 3] = [b"\"resourceLogs\"", b"\"kube-audit", b"\"properties\":\"{"];

impl Run<'_, '_> {
    /// Reads an object: as an envelope if its names are those of one, else in its format.
    pub(super) fn object<'a>(
        &mut self,
        line: &'a str,
        at: At<'_>,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
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
        let reason = match inside.map(|inside| self.open_object(line, inside, at)) {
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
        at: At<'_>,
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
        at: At<'_>,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Option<Result<(), Stop>> {
        let parser = self.parser;
        let alike = &mut self.levels.get_mut(at.depth)?.alike;
        let found = alike.iter().position(|(format, shape)| {
            let table = parser.tables.get(format.index());
            table.is_some_and(|table| json::read_alike(line, table, shape, record).is_ok())
        })?;
        // Mostly the next one is like this one.
        alike.swap(0, found);
        let format = alike.first()?.0;
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
        at: At<'_>,
        may_open: bool,
        record: &mut Record<'a>,
    ) -> Result<(), Stop> {
        let Reader::Json { finish, mends, .. } = &format.format().reader else {
            return Err(Reject::UnknownFormat.into());
        };
        let origin = Origin { format, position: at.position, content_hash: content_hash(line) };
        match self.records(line, (*finish, ParseFlags(0)), origin, may_open, record) {
            Err(Stop::Rejected(Reject::MalformedJson)) => {
                let pruned = json::prune(line).map(|it| (it, ParseFlags::TRUNCATED));
                let mend = || json::repair(line).filter(|_| *mends);
                let mended = pruned.or_else(|| Some((mend()?, ParseFlags::REPAIRED_JSON)));
                let (mended, flag) = mended.ok_or(Reject::MalformedJson)?;
                self.records(&mended, (*finish, flag), origin, may_open, &mut Record::new())
            }
            done => done,
        }
    }

    /// Reads the records of an object, of which most formats have one; `flag` is what is known of them all.
    fn records<'a>(
        &mut self,
        line: &'a str,
        (finish, flag): (Finish, ParseFlags),
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
            record.flags.insert(flag);
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
        // Of a list of records some may be lines of text: its envelope tells them apart one by one.
        if may_open && !reasons.is_empty() && count > 1 {
            self.take_back(first);
            return Err(Stop::Envelope);
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
}
