//! Google Cloud Logging: the line of a container stands in `textPayload`, or as `jsonPayload` where it
//! was JSON. An entry with a request of its own is a record and no envelope.

use super::{
    Envelope, Form, Found, HTTP_REQUEST, Inside, JSON_PAYLOAD, LOG_NAME, TEXT_PAYLOAD, member,
};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "gcp_logging",
    form: Form::Object { signatures: &[LOG_NAME | TEXT_PAYLOAD, LOG_NAME | JSON_PAYLOAD], open },
};

/// What the payloads have that Google's own gateways write.
const OWN: [&str; 7] = [
    "api_method",
    "apiMethod",
    "service_agent",
    "serviceAgent",
    "apiConfig",
    "consumerNumber",
    "producer_project_id",
];

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    if found.raw(HTTP_REQUEST).is_some() {
        return None;
    }
    if let Some(payload) = found.raw(JSON_PAYLOAD)
        && OWN.iter().any(|name| member(payload, name).is_some())
    {
        return None;
    }
    found.line(TEXT_PAYLOAD).or_else(|| found.line(JSON_PAYLOAD))
}
