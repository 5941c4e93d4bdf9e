//! Times as logs write them: RFC 3339, common log format, epoch numbers of any unit.

use model::time::NS_PER_S;
use model::{Time, TimePrecision};

/// A time as a log gave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) time: Time,
    pub(crate) precision: TimePrecision,
    /// The log named no zone; UTC was assumed.
    pub(crate) zone_assumed: bool,
}

impl Stamp {
    const fn new(time: Time, precision: TimePrecision) -> Self {
        Self { time, precision, zone_assumed: false }
    }
}

/// Reads a time in any known notation.
pub(crate) fn text(text: &str) -> Option<Stamp> {
    let bytes = text.trim().as_bytes();
    match bytes {
        [_, _, _, _, b'-' | b'/', ..] => iso(bytes),
        [_, _, b'/', ..] => clf(bytes),
        [b'0'..=b'9', ..] => decimal(bytes),
        _ => None,
    }
}

/// Reads a whole number of seconds, milliseconds, microseconds or nanoseconds: its size says which.
pub(crate) fn whole(number: i64) -> Option<Stamp> {
    let (unit_ns, precision) = unit(number as f64);
    Some(Stamp::new(Time::from_ns(number.checked_mul(unit_ns)?), precision))
}

/// Reads a number with decimals; a 64-bit float holds no more than microseconds of a date.
pub(crate) fn float(number: f64) -> Option<Stamp> {
    if !(0.0..9e18).contains(&number) {
        return None;
    }
    let (unit_ns, precision) = unit(number);
    // The fraction is exact; the product of the whole number would not be.
    let unit_us = unit_ns as f64 / 1e3;
    let us = (number.trunc() * unit_us) as i64 + (number.fract() * unit_us).round() as i64;
    let precision =
        if us % 1_000 == 0 { precision.max(TimePrecision::Ms) } else { TimePrecision::Us };
    Some(Stamp::new(Time::from_ns(us.checked_mul(1_000)?), precision))
}

/// The unit of an epoch number by its magnitude, in nanoseconds.
fn unit(number: f64) -> (i64, TimePrecision) {
    match number.abs() {
        it if it < 1e11 => (NS_PER_S, TimePrecision::S),
        it if it < 1e14 => (1_000_000, TimePrecision::Ms),
        it if it < 1e17 => (1_000, TimePrecision::Us),
        _ => (1, TimePrecision::Ns),
    }
}

/// `1773113819.123`, exactly.
fn decimal(bytes: &[u8]) -> Option<Stamp> {
    let dot = memchr::memchr(b'.', bytes);
    let (whole_part, fraction) = match dot {
        Some(at) => (bytes.get(..at)?, bytes.get(at + 1..)?),
        None => (bytes, &[] as &[u8]),
    };
    let number = digits(whole_part, 19)?;
    let (unit_ns, precision) = unit(number as f64);
    if dot.is_none() {
        return Some(Stamp::new(Time::from_ns(number.checked_mul(unit_ns)?), precision));
    }
    let (billionths, of_fraction) = decimals(fraction)?;
    if fraction.is_empty() {
        return None;
    }
    let ns = number.checked_mul(unit_ns)?.checked_add(billionths * unit_ns / NS_PER_S)?;
    let precision = match unit_ns {
        NS_PER_S => of_fraction,
        1_000_000 => TimePrecision::Us,
        _ => TimePrecision::Ns,
    };
    Some(Stamp::new(Time::from_ns(ns), precision))
}

/// `2026-03-10T03:36:59.123+01:00`, also with a space, with slashes and without a zone.
fn iso(bytes: &[u8]) -> Option<Stamp> {
    let &[
        y0,
        y1,
        y2,
        y3,
        b'-' | b'/',
        m0,
        m1,
        b'-' | b'/',
        d0,
        d1,
        b'T' | b't' | b' ',
        h0,
        h1,
        b':',
        i0,
        i1,
        b':',
        s0,
        s1,
        ref rest @ ..,
    ] = bytes
    else {
        return None;
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let date = (i64::from(year), two(m0, m1)?, two(d0, d1)?);
    let clock = (two(h0, h1)?, two(i0, i1)?, two(s0, s1)?);
    let (fraction, zone) = match rest {
        [b'.' | b',', after @ ..] => {
            let end = after.iter().position(|it| !it.is_ascii_digit()).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            after.split_at(end)
        }
        _ => (&[] as &[u8], rest),
    };
    let (ns, precision) = decimals(fraction)?;
    let time = Time::from_civil(date, clock, ns as u32)?;
    let (offset_s, zone_assumed) = match zone {
        [] => (0, true),
        [b'Z' | b'z'] | b" UTC" | b" GMT" => (0, false),
        [b' ', zone @ ..] | zone => (offset(zone)?, false),
    };
    Some(Stamp { time: time.plus(-offset_s * NS_PER_S), precision, zone_assumed })
}

/// `10/Oct/2000:13:55:36 -0700`.
pub(crate) fn clf(bytes: &[u8]) -> Option<Stamp> {
    let &[
        d0,
        d1,
        b'/',
        m0,
        m1,
        m2,
        b'/',
        y0,
        y1,
        y2,
        y3,
        b':',
        h0,
        h1,
        b':',
        i0,
        i1,
        b':',
        s0,
        s1,
        ref rest @ ..,
    ] = bytes
    else {
        return None;
    };
    let month = match &[m0, m1, m2] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (fraction, zone) = match rest {
        [b'.', after @ ..] => {
            let end = after.iter().position(|it| !it.is_ascii_digit()).unwrap_or(after.len());
            after.split_at(end)
        }
        _ => (&[] as &[u8], rest),
    };
    let (ns, precision) = decimals(fraction)?;
    let clock = (two(h0, h1)?, two(i0, i1)?, two(s0, s1)?);
    let time = Time::from_civil((i64::from(year), month, two(d0, d1)?), clock, ns as u32)?;
    let (offset_s, zone_assumed) = match zone {
        [] => (0, true),
        [b' ', zone @ ..] => (offset(zone)?, false),
        _ => return None,
    };
    Some(Stamp { time: time.plus(-offset_s * NS_PER_S), precision, zone_assumed })
}

/// `+01:00`, `+0100`, `+01` or `Z`, in seconds east of UTC.
pub(crate) fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, h0, h1, m0, m1) = match *zone {
        [b'Z'] => return Some(0),
        [sign, h0, h1] => (sign, h0, h1, b'0', b'0'),
        [sign, h0, h1, m0, m1] | [sign, h0, h1, b':', m0, m1] => (sign, h0, h1, m0, m1),
        _ => return None,
    };
    let (hours, minutes) = (two(h0, h1)?, two(m0, m1)?);
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = i64::from(hours * 3_600 + minutes * 60);
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Decimals of one second as nanoseconds, and how fine they are; more than nine are cut.
fn decimals(fraction: &[u8]) -> Option<(i64, TimePrecision)> {
    let mut ns = 0;
    let mut weight = NS_PER_S / 10;
    for byte in fraction {
        if !byte.is_ascii_digit() {
            return None;
        }
        ns += i64::from(byte - b'0') * weight;
        weight /= 10;
    }
    let precision = match fraction.len() {
        0 => TimePrecision::S,
        1..=3 => TimePrecision::Ms,
        4..=6 => TimePrecision::Us,
        _ => TimePrecision::Ns,
    };
    Some((ns, precision))
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// A whole number of at most `digits_max` digits.
fn digits(bytes: &[u8], digits_max: usize) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > digits_max {
        return None;
    }
    bytes.iter().try_fold(0_i64, |number, byte| {
        byte.is_ascii_digit().then_some(())?;
        number.checked_mul(10)?.checked_add(i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let shown = text(input).map_or_else(
            || "none".to_owned(),
            |it| {
                let zone = if it.zone_assumed { " zone assumed" } else { "" };
                format!("{} {}{zone}", it.time, it.precision)
            },
        );
        assert_eq!(shown, expected, "{input}");
    }

    #[test]
    fn rfc_3339_is_read_with_any_offset_and_fraction() {
        check("2026-03-10T03:36:59Z", "2026-03-10T03:36:59Z s");
        check("2026-03-10T03:36:59.123+01:00", "2026-03-10T02:36:59.123Z ms");
        check("2026-03-10t03:36:59.123456-0330", "2026-03-10T07:06:59.123456Z us");
        check("2026-03-10T03:36:59.1234567891Z", "2026-03-10T03:36:59.123456789Z ns");
        check("2026-03-10 03:36:59.5", "2026-03-10T03:36:59.500Z ms zone assumed");
        check("2026-03-10 03:36:59 UTC", "2026-03-10T03:36:59Z s");
        check("2026/03/10 03:36:59.5", "2026-03-10T03:36:59.500Z ms zone assumed");
    }

    #[test]
    fn a_common_log_date_is_read_with_its_offset() {
        check("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z s");
        check("10/Oct/2020:13:55:36.042 +0000", "2020-10-10T13:55:36.042Z ms");
        check("10/Oct/2020:13:55:36", "2020-10-10T13:55:36Z s zone assumed");
    }

    #[test]
    fn the_size_of_an_epoch_number_says_its_unit() {
        check("1773113819", "2026-03-10T03:36:59Z s");
        check("1773113819.123", "2026-03-10T03:36:59.123Z ms");
        check("1773113819123", "2026-03-10T03:36:59.123Z ms");
        check("1773113819123.5", "2026-03-10T03:36:59.123500Z us");
        check("1773113819123456", "2026-03-10T03:36:59.123456Z us");
        check("1773113819123456789", "2026-03-10T03:36:59.123456789Z ns");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for input in
            ["", "-", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "12.", "1e9"]
        {
            check(input, "none");
        }
        check("99999999999999999999", "none");
        check("2026-03-10T03:36:59+99:00", "none");
        check("2026-03-10T03:36:59.Z", "none");
    }

    #[test]
    fn a_float_is_rounded_to_microseconds() {
        let stamp = float(1_773_113_819.123).expect("a time");
        assert_eq!((stamp.time.ns() % NS_PER_S, stamp.precision), (123_000_000, TimePrecision::Ms));
        let stamp = float(1_646_861_401.524_102_4).expect("a time");
        assert_eq!(stamp.time.ns() % NS_PER_S, 524_102_000);
        assert_eq!(float(f64::NAN), None);
        assert_eq!(float(-1.0), None);
    }
}
