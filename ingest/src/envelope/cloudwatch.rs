//! CloudWatch Logs: `logEvents[].message` of a subscription, alone or as its exported events.

use super::split::Members;
use super::{
    AWSLOGS, Envelope, Form, Found, Inside, LOG_EVENTS, LOG_GROUP, LOG_STREAM, MESSAGE,
    MESSAGE_TYPE, member, string,
};
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
    let packed = base64(&data)?;
    let mut text = String::new();
    let unpacked = flate2::read::GzDecoder::new(packed.as_slice());
    unpacked.take(UNPACKED_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The bytes of a text in base64, with or without padding.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(base64("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(base64("aGVsbG8"), Some(b"hello".to_vec()));
        assert_eq!(base64(""), Some(Vec::new()));
        assert_eq!(base64("a!"), None);
    }
}
