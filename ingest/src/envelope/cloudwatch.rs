//! CloudWatch Logs: `logEvents[].message` of a subscription, alone or as its exported events.

use super::split::Members;
use super::{
    AWSLOGS, Envelope, Form, Found, Inside, LOG_EVENTS, LOG_GROUP, LOG_STREAM, MESSAGE,
    MESSAGE_TYPE, member, string,
};
use crate::base64;
use crate::reject::Reject;
use std::borrow::Cow;
use std::io::Read as _;

/// Bytes that a packed subscription may unpack to.
const UNPACKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "cloudwatch",
    form: Form::Object {
        signatures: &[LOG_EVENTS, AWSLOGS, MESSAGE | LOG_GROUP, MESSAGE | LOG_STREAM],
        open,
    },
};

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    if let Some(packed) = found.raw(AWSLOGS) {
        return Some(
            unpack(packed)
                .map_or(Inside::Refused(Reject::MalformedJson), |it| Inside::Line(Cow::Owned(it))),
        );
    }
    // Whether the destination can be reached is asked with a message of its own.
    if found.raw(MESSAGE_TYPE) == Some("\"CONTROL_MESSAGE\"") {
        return Some(Inside::Nothing);
    }
    let Some(events) = found.raw(LOG_EVENTS) else { return found.line(MESSAGE) };
    let messages = Members::of(events)?.map_while(Result::ok);
    let messages = messages.filter_map(|(_, event)| string(member(event, "message")?));
    Some(Inside::Lines(messages.collect()))
}

/// `{"data":"…"}`: gzip as base64, as a function gets it.
fn unpack(object: &str) -> Option<String> {
    let data = member(object, "data").and_then(string)?;
    let packed = base64::decode(&data)?;
    let mut text = String::new();
    let unpacked = flate2::read::GzDecoder::new(packed.as_slice());
    unpacked.take(UNPACKED_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}
