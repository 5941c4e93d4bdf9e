//! The calls that a finding shows: the one that crossed a tripwire, those after it, or what the hour remembers.

use super::Alarm;
use crate::detectors::{Reading, write_burst};
use crate::engine::Context;
use crate::incidents::key_of;
use crate::open_window::{Call, OpenWindow};
use model::{Detector, EndpointId, Event, EventBatch, Evidence, Finding, Links, Text};

/// The tenant of what names none.
const TENANT: &str = "default";

/// The event that crossed the tripwire, where it belongs to what was found; else remembered samples.
pub(super) fn first_evidence(
    context: &Context<'_>,
    open: &OpenWindow,
    alarm: Option<&Alarm<'_>>,
    reading: &Reading,
) -> Vec<Evidence> {
    // No other call of the hour is what was found.
    if reading.detector == Detector::ForeignObject {
        return open.foreign_read.clone();
    }
    // Which of its calls those whom it acts for never make is known of them alone.
    if let (Detector::Delegation, Some(_), Some(acted)) =
        (reading.detector, reading.entity, &open.acted)
    {
        return acted.beyond.evidence.clone();
    }
    let is_about = |alarm: &&Alarm<'_>| reading.entity.is_none_or(|it| it == alarm.endpoint);
    match alarm.filter(is_about) {
        Some(alarm) => vec![evidence_of(alarm.batch, alarm.event)],
        None => remembered(context, open, reading),
    }
}

/// What the open window remembers of the calls that a reading is about, by endpoint instead of path.
pub(super) fn remembered(
    context: &Context<'_>,
    open: &OpenWindow,
    reading: &Reading,
) -> Vec<Evidence> {
    let probed = || Some(&open.probes.as_ref()?.at(reading.entity?)?.samples);
    let repeated = open.loops.as_ref().and_then(|loops| loops.longest().map(|(_, run)| run.sample));
    let new_origins = open.origins.as_ref().map(|origins| origins.samples()).unwrap_or_default();
    let tools = open.tools.as_ref().map(|tools| tools.samples()).unwrap_or_default();
    let calls = match reading.detector {
        Detector::FirstSeenEndpoint => &*open.novel,
        Detector::SecretHarvesting => {
            open.secrets.as_ref().map_or(&*open.samples, |secrets| &*secrets.samples)
        }
        Detector::RunawayLoop => repeated.as_slice(),
        Detector::ToxicFlow => {
            let sent = open.flows.as_ref().and_then(|flows| flows.sent.as_ref());
            sent.map_or(&*open.samples, |sent| &*sent.samples)
        }
        Detector::Injection => probed().map_or(&*open.samples, |samples| &**samples),
        Detector::NewNetwork => &*new_origins,
        Detector::ToolDrift => &*tools,
        _ => &*open.samples,
    };
    let is_about = |call: &&Call| {
        let name = context.endpoints.name(call.endpoint);
        let method = name.split(' ').next().unwrap_or_default();
        // Its own samples are secrets.
        is_of_kind(reading.detector, call.status, method, true)
            && reading.entity.is_none_or(|entity| entity == call.endpoint)
    };
    let calls = calls.iter().filter(is_about).take(Finding::EVIDENCE_MAX);
    calls
        .map(|call| Evidence {
            time: call.at,
            request: context.endpoints.name(call.endpoint).to_owned(),
            status: (call.status > 0).then_some(call.status),
            bytes_out: call.bytes_out,
            client_address: call.client.map(|address| address.to_string()),
            agent: None,
            links: Links::default(),
            position: call.position,
            input: None,
        })
        .collect()
}

/// Whether a call with this status and method, of a secret or not, is the kind that a detector counts.
const fn is_of_kind(detector: Detector, status: u16, method: &str, is_secret: bool) -> bool {
    match detector {
        Detector::DeniedProbing => matches!(status, 403 | 404),
        Detector::ObjectEnumeration => matches!(status, 0 | 200..=299),
        Detector::SecretHarvesting => is_secret,
        Detector::WriteBurst => matches!(status, 0 | 200..=299) && write_burst::is_change(method),
        _ => true,
    }
}

/// Adds an event to the evidence of the findings that it belongs to.
pub(crate) fn add_evidence(
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    endpoint: EndpointId,
    is_secret: bool,
) {
    let method = batch.text(event, Text::HttpRequestMethod).unwrap_or_default();
    let is_repeat = open.loops.as_ref().is_some_and(|loops| loops.is_repeat);
    for raised in &mut open.raised {
        let about = raised.entity.is_none_or(|entity| entity == endpoint);
        let is_kind = is_of_kind(raised.detector, event.status().unwrap_or(0), method, is_secret);
        // The findings of first calls, new networks and tools and of others' objects list those, and no
        // others; what an agent did for others is none of its own calls.
        let is_listed = matches!(
            raised.detector,
            Detector::FirstSeenEndpoint
                | Detector::ForeignObject
                | Detector::NewNetwork
                | Detector::ToolDrift
                | Detector::Delegation
        );
        let about = about
            && is_kind
            && !is_listed
            && (is_repeat || raised.detector != Detector::RunawayLoop)
            && (raised.detector != Detector::Injection || !event.injection_classes.is_empty());
        if about && raised.evidence.len() < Finding::EVIDENCE_MAX {
            raised.evidence.push(evidence_of(batch, event));
        }
    }
}

/// What stands for an event's object among the links of its evidence; 0 where it has none.
pub(crate) fn object_link(batch: &EventBatch, event: &Event) -> u64 {
    let tenant = batch.text(event, Text::TenantId).unwrap_or(TENANT);
    event.object.map_or(0, |object| object ^ key_of(tenant, "") ^ event.endpoint_hash)
}

/// An event as evidence.
pub(crate) fn evidence_of(batch: &EventBatch, event: &Event) -> Evidence {
    let text = |column| batch.text(event, column);
    let method = text(Text::HttpRequestMethod).or(text(Text::RpcMethod)).unwrap_or("-");
    let tenant = text(Text::TenantId).unwrap_or(TENANT);
    // What two tenants call alike is not the same.
    let hash = |column| text(column).map_or(0, |it| key_of(tenant, it));
    let target =
        text(Text::UrlPath).or(text(Text::HttpRoute)).or(text(Text::Endpoint)).unwrap_or("-");
    Evidence {
        time: event.time,
        request: format!("{method} {target}"),
        status: event.status(),
        bytes_out: event.bytes_out(),
        client_address: text(Text::ClientAddress).map(str::to_owned),
        agent: text(Text::AgentId).or(text(Text::AgentName)).map(str::to_owned),
        links: Links([
            key_of(tenant, text(Text::PrincipalId).unwrap_or_default()),
            hash(Text::CredentialId),
            hash(Text::SessionId),
            hash(Text::TraceId),
            object_link(batch, event),
        ]),
        position: event.position,
        input: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Time;

    #[test]
    fn what_two_tenants_call_alike_links_nothing() {
        let links = |tenant: &str| {
            let mut batch = EventBatch::default();
            let mut event = Event::at(Time::from_ns(0));
            batch.set_text(&mut event, Text::TenantId, tenant);
            for column in [Text::PrincipalId, Text::CredentialId, Text::SessionId, Text::TraceId] {
                batch.set_text(&mut event, column, "same");
            }
            event.object = Some(7);
            evidence_of(&batch, &event).links
        };
        assert_eq!(links("a"), links("a"));
        let shared = links("a").0.into_iter().filter(|it| links("b").0.contains(it)).count();
        assert_eq!(shared, 0);
    }

    #[test]
    fn an_object_is_told_apart_without_the_rest_of_its_call() {
        let of = |tenant: &str, object, endpoint_hash| {
            let mut batch = EventBatch::default();
            let mut event = Event::at(Time::from_ns(0));
            batch.set_text(&mut event, Text::TenantId, tenant);
            (event.object, event.endpoint_hash) = (object, endpoint_hash);
            let link = object_link(&batch, &event);
            assert_eq!(evidence_of(&batch, &event).links.0.last(), Some(&link));
            link
        };
        let links =
            [of("a", Some(7), 1), of("a", Some(8), 1), of("a", Some(7), 2), of("b", Some(7), 1)];
        assert!(links.iter().enumerate().all(|(index, link)| !links[..index].contains(link)));
        assert_eq!(of("a", None, 1), 0);
    }
}
