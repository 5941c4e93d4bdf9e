//! What is known of the lines at one depth of envelopes, and whether a record is one at all.

use crate::format::FormatId;
use crate::format::field::{Raw, Slot};
use crate::format::record::Record;
use crate::json::Shape;

/// Shapes that are kept: a topic may carry a few kinds of records.
const SHAPES_MAX: usize = 4;

/// Formats that read what stands in an envelope's place of the line, or whose names are those of many.
const LENIENT: [FormatId; 7] = [
    FormatId::GenericJson,
    FormatId::Ecs,
    FormatId::Mcp,
    FormatId::Otlp,
    FormatId::GcpApiGateway,
    FormatId::GcpAudit,
    FormatId::GcpHttpLb,
];

/// What is known of the lines at one depth. It only saves work: what a line is rests on the line.
#[derive(Debug, Default)]
pub(super) struct Level<'p> {
    /// The names of the last object, if it was an envelope.
    pub(super) envelope: Option<u64>,
    /// What the last objects looked like that nobody had declared.
    pub(super) alike: Vec<(FormatId, Shape<'p>)>,
    /// The one of them that makes room for the next.
    oldest: usize,
}

impl<'p> Level<'p> {
    pub(super) fn keep(&mut self, format: FormatId, shape: Shape<'p>) {
        if self.alike.len() < SHAPES_MAX {
            self.alike.push((format, shape));
        } else if let Some(place) = self.alike.get_mut(self.oldest) {
            *place = (format, shape);
            self.oldest = (self.oldest + 1) % SHAPES_MAX;
        }
    }
}

/// Whether a record with an envelope's names is an event in its own right: it says when and what was
/// asked. Such a name may hold what a caller wrote, who must not choose the event.
pub(super) fn is_own(format: FormatId, record: &mut Record<'_>) -> bool {
    !LENIENT.contains(&format)
        && record.refused().is_none()
        && record.has(Slot::Raw(Raw::Time))
        && crate::format::has_request(record)
}
