//! One call in short: what an open window remembers of the first ones.

use crate::snapshot::plain;
use model::{EndpointId, Event, EventBatch, Position, Text, Time};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a call is the first of, in its hour and at its endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct First {
    /// Of a minute, to this endpoint, and answered 2xx with a size.
    pub(crate) sized: bool,
    /// The first call.
    pub(crate) call: bool,
    /// The first that was answered other than with an error.
    pub(crate) accepted: bool,
}

/// One call in short: the first to an endpoint in this hour, or ever.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Call {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) client: Option<IpAddr>,
    #[serde(with = "plain")]
    pub(crate) at: Time,
    /// 0 where the log has none.
    pub(crate) status: u16,
    pub(crate) bytes_out: Option<u64>,
    /// Of a first accepted call: others to its endpoint came before it in the hour, and were refused.
    pub(crate) is_late: bool,
    #[serde(with = "plain")]
    pub(crate) position: Position,
}

impl Call {
    pub(crate) fn of(batch: &EventBatch, event: &Event, endpoint: EndpointId, at: Time) -> Self {
        let client = batch.text(event, Text::ClientAddress);
        Self {
            endpoint,
            client: client.and_then(|address| address.parse().ok()),
            at,
            status: event.status().unwrap_or(0),
            bytes_out: event.bytes_out(),
            is_late: false,
            position: event.position,
        }
    }
}
