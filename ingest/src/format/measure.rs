//! Times, durations and other numbers of a record, in canonical units.

use super::Format;
use super::field::{How, Raw, Slot};
use super::record::{Filled, Record, Value, last_of_list};
use crate::reject::Reject;
use crate::timestamp::{self, Stamp};
use model::time::{NS_PER_D, NS_PER_S};
use model::{Event, Int, ParseFlags, Text, TimeKind, TimePrecision};

/// A longer duration is taken for a mistaken unit and left out.
const DURATION_NS_MAX: i64 = 7 * NS_PER_D;

fn flag(event: &mut Event, flag: ParseFlags, is_set: bool) {
    if is_set {
        event.parse_flags.insert(flag);
    }
}

/// The event's time as the record gave it.
pub(crate) fn stamp(record: &Record<'_>) -> Result<(Stamp, How), Reject> {
    let filled = record.filled(Slot::Raw(Raw::Time)).ok_or(Reject::NoTime)?;
    let stamp = stamp_of(record, filled).ok_or(Reject::NoTime)?;
    if !stamp.time.is_plausible() {
        return Err(Reject::TimeOutOfRange);
    }
    Ok((stamp, filled.field.how))
}

fn stamp_of<'a>(record: &Record<'a>, filled: Filled<'a>) -> Option<Stamp> {
    match (filled.field.how, filled.value) {
        (How::Clock(clock), Value::Int(number)) => clock.whole(number),
        (How::Clock(clock), Value::Float(number)) => clock.float(number),
        (How::Clock(clock), text) => record.text_of(text).and_then(|it| clock.text(it)),
        (_, Value::Int(number)) => timestamp::whole(number),
        (_, Value::Float(number)) => timestamp::float(number),
        (_, text) => record.text_of(text).and_then(timestamp::text),
    }
}

/// Which instant the time is; where it is the end and the duration is known, the start.
pub(super) fn time(
    record: &Record<'_>,
    event: &mut Event,
    stamp: Stamp,
    how: How,
    format: &Format,
) {
    flag(event, ParseFlags::TZ_ASSUMED, stamp.zone_assumed);
    if let (None, Some(duration)) = (event.int(Int::DurationNs), between(record, stamp)) {
        event.set_int(Int::DurationNs, duration);
    }
    let precision = record.text(Slot::Raw(Raw::TimePrecision)).and_then(TimePrecision::from_name);
    event.time_precision = precision.unwrap_or(stamp.precision);
    let given = record.text(Slot::Raw(Raw::TimeKind)).and_then(TimeKind::from_name);
    event.time_kind =
        given.unwrap_or(if how == How::End { TimeKind::End } else { format.time_kind });
    if let (None, TimeKind::End, Some(duration)) =
        (given, event.time_kind, event.int(Int::DurationNs))
    {
        let start = event.time.plus(-duration);
        if start.is_plausible() {
            event.time = start;
            event.time_kind = TimeKind::EndMinusDuration;
        }
    }
}

/// The time from the start to the end, where both are known more finely than to the second.
fn between(record: &Record<'_>, start: Stamp) -> Option<i64> {
    let end = stamp_of(record, record.filled(Slot::Raw(Raw::EndTime))?)?;
    if start.precision == TimePrecision::S || end.precision == TimePrecision::S {
        return None;
    }
    let ns = end.time.ns().checked_sub(start.time.ns())?;
    (0..=DURATION_NS_MAX).contains(&ns).then_some(ns)
}

/// The integer columns.
pub(crate) fn integers(record: &mut Record<'_>, event: &mut Event) {
    let mut bits = record.present() >> Text::COUNT & ((1 << Int::COUNT) - 1);
    while bits != 0 {
        let column = Int::ALL.get(bits.trailing_zeros() as usize).copied();
        bits &= bits - 1;
        let Some(column) = column else { continue };
        let value = match column {
            Int::DurationNs | Int::UpstreamDurationNs => duration(record, column),
            Int::RpcErrorCode => error_code(record),
            _ => record.int(Slot::Int(column)),
        };
        let Some(value) = value else { continue };
        let fits = match column {
            Int::HttpResponseStatusCode => {
                flag(event, ParseFlags::CLIENT_ABORT, value == 0);
                (100..600).contains(&value)
            }
            Int::UpstreamStatusCode => (100..600).contains(&value),
            Int::ServerPort | Int::ClientPort => (1..65_536).contains(&value),
            _ => true,
        };
        if fits {
            event.set_int(column, value);
        }
    }
}

/// A JSON-RPC error code: the only integer below zero.
fn error_code(record: &Record<'_>) -> Option<i64> {
    match record.filled(Slot::Int(Int::RpcErrorCode))?.value {
        Value::Int(code) => Some(code),
        text => record.text_of(text)?.parse().ok(),
    }
}

/// A duration in nanoseconds, `None` where it is negative or out of all proportion.
fn duration(record: &mut Record<'_>, column: Int) -> Option<i64> {
    let slot = Slot::Int(column);
    let filled = record.filled(slot)?;
    let mut is_list = false;
    let (number, is_whole, suffix) = match filled.value {
        Value::Int(number) => (number as f64, true, ""),
        Value::Float(number) => (number, false, ""),
        text => {
            let (last, list) = last_of_list(record.text_of(text)?);
            is_list = list;
            let digits = |it: char| it.is_ascii_digit() || matches!(it, '.' | '-');
            let end = last.find(|it| !digits(it)).unwrap_or(last.len());
            let (number, suffix) = last.split_at(end);
            (number.parse().ok()?, !number.contains('.'), suffix)
        }
    };
    let unit_ns = match (suffix, filled.field.how) {
        ("", How::Guess) if is_whole => 1e6,
        ("s", _) | ("", How::Seconds | How::Guess) => NS_PER_S as f64,
        ("ms", _) | ("", How::Millis) => 1e6,
        ("us" | "µs" | "μs", _) | ("", How::Micros) => 1e3,
        ("ns", _) | ("", How::Nanos | How::Plain) => 1.0,
        _ => return compound(record, filled.value),
    };
    if is_list {
        record.flags.insert(ParseFlags::LIST_VALUE);
    }
    let ns = (number * unit_ns).round();
    (0.0..=DURATION_NS_MAX as f64).contains(&ns).then_some(ns as i64)
}

/// A duration as Go writes it, in nanoseconds: `1m2.5s`, `1h0m3s`.
fn compound<'a>(record: &Record<'a>, value: Value<'a>) -> Option<i64> {
    let mut rest = record.text_of(value)?;
    let mut ns = 0.0;
    // Hours, minutes, seconds, and nothing after them.
    for _ in 0..3 {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, unit) = rest.split_at(end);
        let (unit_ns, tail) = match unit.as_bytes().first()? {
            b'h' => (3_600.0 * NS_PER_S as f64, unit.get(1..)?),
            b'm' => (60.0 * NS_PER_S as f64, unit.get(1..)?),
            b's' => (NS_PER_S as f64, unit.get(1..)?),
            _ => return None,
        };
        ns += number.parse::<f64>().ok()? * unit_ns;
        rest = tail;
        if rest.is_empty() {
            return (0.0..=DURATION_NS_MAX as f64).contains(&ns).then_some(ns.round() as i64);
        }
    }
    None
}
