//! Google Pub/Sub: the record as base64 in `message.data` of a push, or in `data` of a pulled message.

use super::{
    DATA, Envelope, Form, Found, INSERT_ID, Inside, MESSAGE, MESSAGE_ID, SUBSCRIPTION, member,
    string,
};
use crate::base64;
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "pubsub",
    form: Form::Object {
        signatures: &[MESSAGE | SUBSCRIPTION, MESSAGE | INSERT_ID, DATA | MESSAGE_ID],
        open,
    },
};

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    let data = found.raw(DATA).or_else(|| member(found.raw(MESSAGE)?, "data"))?;
    let text = String::from_utf8(base64::decode(&string(data)?)?).ok()?;
    Some(Inside::Line(Cow::Owned(text)))
}
