//! Lines of text: records of the format that was declared, that a header names, or that they look like;
//! and the header lines themselves.

use super::{At, Run, content_hash};
use crate::format::event::Origin;
use crate::format::record::Record;
use crate::format::{FormatId, Reader, columns};
use crate::reject::Reject;
use crate::sniff;

impl Run<'_, '_> {
    /// Reads a line of text in the format that was declared, that the header names, or that it looks
    /// like; on an error nothing was kept.
    pub(super) fn text<'a>(
        &mut self,
        line: &'a str,
        at: At<'_>,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
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
        Err(match reason.unwrap_or(Reject::UnknownFormat) {
            Reject::UnknownFormat if columns::are_unnamed(line) => Reject::UnnamedColumns,
            reason => reason,
        })
    }

    /// Reads a line in a format of text; on an error nothing was kept.
    fn scan<'a>(
        &mut self,
        line: &'a str,
        format: FormatId,
        at: At<'_>,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
        record.clear();
        record.has_backslash = memchr::memchr(b'\\', line.as_bytes()).is_some();
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
    pub(super) fn header(&mut self, line: &str) -> bool {
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
}

/// The reason that says more.
fn better(reason: Option<Reject>, other: Reject) -> Option<Reject> {
    match reason {
        None | Some(Reject::UnknownFormat) => Some(other),
        known => known,
    }
}
