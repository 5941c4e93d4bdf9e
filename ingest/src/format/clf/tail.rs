//! What follows the user agent of a common line: sizes, times, upstreams, with and without names.

use super::super::address;
use super::super::line::{Line, is_decimal, is_number};
use super::super::record::Record;
use super::{At, put};

/// A lone number of fewer digits is no duration in microseconds: it may be Apache's `%T`, in seconds.
const MICROS_DIGITS_MIN: usize = 3;

/// What follows the user agent; `None` where it has no certain meaning.
pub(super) fn extra<'a>(mut tail: Line<'a>, record: &mut Record<'a>) -> Option<()> {
    if tail.0.starts_with('"') && times(tail).is_none() {
        let list = tail.quoted()?;
        let is_list = address::first(list).is_some_and(|it| it.ip.is_some());
        if is_list {
            put(record, At::Forwarded, list);
        } else if list != "-" {
            return None;
        }
        if tail.0.is_empty() {
            return Some(());
        }
    }
    if tail.0.split(' ').next().is_some_and(|it| it.contains('=')) {
        return named(tail, record);
    }
    if let Some((time, upstream)) = times(tail) {
        put(record, At::RequestTime, time);
        put(record, At::UpstreamTime, upstream);
        return Some(());
    }
    let all = tail;
    let (first, second) = (tail.word()?, tail.word().unwrap_or(""));
    let is_end = tail.0.is_empty();
    if is_number(first) && is_decimal(second) && tail.0.starts_with('[') {
        put(record, At::RequestLength, first);
        put(record, At::RequestTime, second);
        return ingress(tail, record);
    }
    let both = first.split_once('/').filter(|(seconds, _)| is_number(seconds));
    let micros = both.map_or(first, |(_, micros)| micros);
    let is_micros = is_number(micros) && (both.is_some() || micros.len() >= MICROS_DIGITS_MIN);
    if is_micros && second.is_empty() {
        // Apache's `%D`, also as `%T/%D`: from the request's start.
        put(record, At::Micros, micros);
        put(record, At::TimeKind, "start");
    } else if is_number(first) && is_number(second) && is_end {
        // Apache's `%I %O`, the sizes with headers.
        put(record, At::BytesIn, first);
        put(record, At::BytesOut, second);
    } else if is_end && is_number(first) && is_decimal(second) {
        // NGINX's `$request_length $request_time`: its times have decimals.
        put(record, At::RequestLength, first);
        put(record, At::RequestTime, second);
    } else if is_end
        && is_decimal(first)
        && first.contains('.')
        && (is_decimal(second) || matches!(second, "-" | ""))
    {
        // NGINX's `$request_time`, and perhaps `$upstream_response_time`.
        put(record, At::RequestTime, first);
        put(record, At::UpstreamTime, second);
    } else {
        return named(all, record);
    }
    Some(())
}

/// NGINX's `$request_time` and `$upstream_response_time`, both in quotes or the latter a list of tries.
fn times(mut tail: Line<'_>) -> Option<(&str, &str)> {
    let in_quotes = tail.0.starts_with('"');
    let time = tail.value().filter(|it| is_decimal(it) && it.contains('.'))?;
    let upstream = if in_quotes && tail.0.starts_with('"') { tail.quoted()? } else { tail.0 };
    let is_whole = if in_quotes { tail.0.is_empty() } else { upstream.contains(',') };
    let is_time = |it: &str| it == "-" || is_decimal(it) && it.contains('.');
    (is_whole && upstream.split(", ").all(is_time)).then_some((time, upstream))
}

/// Columns with their names: `rt=0.005 urt="0.001, 0.004"`.
fn named<'a>(mut tail: Line<'a>, record: &mut Record<'a>) -> Option<()> {
    while let Some((name, rest)) = tail.0.split_once('=') {
        if name.contains([' ', '"']) {
            return None;
        }
        tail = Line(rest);
        let value = tail.value().unwrap_or("");
        let at = match name {
            "rt" | "request_time" => At::RequestTime,
            "urt" | "upstream_response_time" => At::UpstreamTime,
            "us" | "upstream_status" => At::UpstreamStatus,
            "rid" | "req_id" | "request_id" => At::RequestId,
            _ => continue,
        };
        put(record, at, value.trim_end_matches(','));
    }
    tail.0.is_empty().then_some(())
}

/// What ingress-nginx says about upstreams: `[name] [alternative] address length time status id`.
fn ingress<'a>(mut tail: Line<'a>, record: &mut Record<'a>) -> Option<()> {
    let name = tail.bracketed()?;
    put(record, At::UpstreamName, name);
    // Until 0.21 there was no alternative; an address of version 6 has a port behind its bracket.
    let mut next = tail;
    if next.bracketed().is_some() && !next.0.starts_with(':') {
        tail = next;
    }
    // Address, length, time and status are lists when an upstream was tried again.
    let mut values = [""; 5];
    let mut filled = 0_usize;
    for part in tail.0.split_ascii_whitespace() {
        if part == ":" {
            filled = filled.saturating_sub(1);
        } else {
            if let Some(value) = values.get_mut(filled) {
                *value = part.trim_end_matches(',');
            }
            filled += usize::from(!part.ends_with(','));
        }
    }
    let [_address, _length, time, status, id] = values;
    put(record, At::UpstreamTime, time);
    put(record, At::UpstreamStatus, status);
    put(record, At::RequestId, id);
    (filled <= values.len()).then_some(())
}
