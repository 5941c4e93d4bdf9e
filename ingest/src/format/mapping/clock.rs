//! Times as a declared format writes them: a unit since 1970, or a pattern of a date.

use crate::timestamp::{self, Stamp};
use model::time::NS_PER_S;
use model::{Time, TimePrecision};

/// Bytes of a pattern.
pub(super) const PATTERN_BYTES_MAX: usize = 64;

/// How a declared format's times are read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    notation: Notation,
    /// Seconds east of UTC of times that name no zone.
    offset_s: Option<i64>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Notation {
    /// Whatever is known anyway.
    Known,
    /// Units of so many nanoseconds since 1970.
    Unit(i64, TimePrecision),
    /// A date, part by part.
    Pattern(Vec<Part>),
}

/// A part of a date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
    Zone,
    Literal(char),
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl Clock {
    /// Reads what `time_format` and `time_zone` say; `None` where neither says anything. An error says
    /// which of the two cannot be read, and what would be right.
    pub(super) fn parse(
        format: &str,
        zone: &str,
    ) -> Result<Option<Self>, (&'static str, &'static str)> {
        let offset_s = match zone {
            "" => None,
            zone => Some(
                timestamp::offset(zone.as_bytes())
                    .ok_or(("time_zone", "write an offset from UTC such as `+02:00`"))?,
            ),
        };
        let notation = match format {
            "" if offset_s.is_none() => return Ok(None),
            "" => Notation::Known,
            "seconds" => Notation::Unit(NS_PER_S, TimePrecision::S),
            "milliseconds" => Notation::Unit(1_000_000, TimePrecision::Ms),
            "microseconds" => Notation::Unit(1_000, TimePrecision::Us),
            "nanoseconds" => Notation::Unit(1, TimePrecision::Ns),
            pattern => Notation::Pattern(parts(pattern).ok_or((
                "time_format",
                "write seconds, milliseconds, microseconds or nanoseconds, or a pattern of %Y, %m or \
                 %b, %d, %H, %M, %S, %f (decimals) and %z (the zone), each once, such as \
                 `%d.%m.%Y %H:%M:%S`",
            ))?),
        };
        Ok(Some(Self { notation, offset_s }))
    }

    /// Reads a whole number.
    pub(crate) fn whole(&self, number: i64) -> Option<Stamp> {
        match &self.notation {
            Notation::Known => timestamp::whole(number),
            Notation::Unit(unit_ns, precision) => {
                Some(exact(number.checked_mul(*unit_ns)?, *precision))
            }
            Notation::Pattern(_) => self.text(&number.to_string()),
        }
    }

    /// Reads a number with decimals.
    pub(crate) fn float(&self, number: f64) -> Option<Stamp> {
        match &self.notation {
            Notation::Known => timestamp::float(number),
            Notation::Unit(unit_ns, precision) => {
                let us = number * *unit_ns as f64 / 1e3;
                let is_time = (0.0..9e15).contains(&us);
                let precision = (*precision).max(TimePrecision::Us);
                is_time.then(|| exact(us.round() as i64 * 1_000, precision))
            }
            Notation::Pattern(_) => None,
        }
    }

    /// Reads a text.
    pub(crate) fn text(&self, text: &str) -> Option<Stamp> {
        let text = text.trim();
        let stamp = match &self.notation {
            Notation::Known => timestamp::text(text)?,
            Notation::Unit(..) => match text.parse() {
                Ok(whole) => self.whole(whole)?,
                Err(_) => self.float(text.parse().ok()?)?,
            },
            Notation::Pattern(parts) => read(parts, text)?,
        };
        Some(match self.offset_s {
            Some(offset_s) if stamp.zone_assumed => {
                Stamp { time: stamp.time.plus(-offset_s * NS_PER_S), zone_assumed: false, ..stamp }
            }
            _ => stamp,
        })
    }
}

const fn exact(ns: i64, precision: TimePrecision) -> Stamp {
    Stamp { time: Time::from_ns(ns), precision, zone_assumed: false }
}

/// The parts of a pattern; `None` if it is none, or no whole date.
fn parts(pattern: &str) -> Option<Vec<Part>> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let part = match char {
            '%' => match chars.next()? {
                'Y' => Part::Year,
                'm' => Part::Month,
                'b' => Part::MonthName,
                'd' => Part::Day,
                'H' => Part::Hour,
                'M' => Part::Minute,
                'S' => Part::Second,
                'f' => Part::Fraction,
                'z' => Part::Zone,
                '%' => Part::Literal('%'),
                _ => return None,
            },
            char => Part::Literal(char),
        };
        if !matches!(part, Part::Literal(_)) && parts.contains(&part) {
            return None;
        }
        parts.push(part);
    }
    let has = |part| parts.contains(&part);
    let is_date = has(Part::Year) && has(Part::Day) && has(Part::Month) != has(Part::MonthName);
    let is_clock = has(Part::Hour) && has(Part::Minute);
    (is_date && is_clock).then_some(parts)
}

fn read(parts: &[Part], text: &str) -> Option<Stamp> {
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    let (mut ns, mut precision, mut offset_s) = (0, TimePrecision::S, None);
    let mut rest = text;
    for part in parts {
        let slot = match part {
            Part::Year => {
                (year, rest) = digits(rest, 4)?;
                continue;
            }
            Part::Month => &mut month,
            Part::Day => &mut day,
            Part::Hour => &mut hour,
            Part::Minute => &mut minute,
            Part::Second => &mut second,
            Part::MonthName => {
                let name = rest.get(..3)?;
                let found = MONTHS.iter().position(|it| it.eq_ignore_ascii_case(name))?;
                (month, rest) = (found as u32 + 1, rest.get(3..)?);
                continue;
            }
            Part::Fraction => {
                let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
                let (decimals, after) = rest.split_at(end);
                (ns, precision) = fraction(decimals)?;
                rest = after;
                continue;
            }
            Part::Zone => {
                let end = rest.find([' ', ']', ')']).unwrap_or(rest.len());
                let (zone, after) = rest.split_at(end);
                offset_s = Some(timestamp::offset(zone.as_bytes())?);
                rest = after;
                continue;
            }
            Part::Literal(char) => {
                rest = rest.strip_prefix(*char)?;
                continue;
            }
        };
        (*slot, rest) = digits(rest, 2)?;
    }
    let time = Time::from_civil((i64::from(year), month, day), (hour, minute, second), ns)?;
    let time = time.plus(-offset_s.unwrap_or(0) * NS_PER_S);
    rest.is_empty().then_some(Stamp { time, precision, zone_assumed: offset_s.is_none() })
}

/// A number of so many digits, and the rest; fewer only before something that is no digit.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(count).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

/// Decimals of a second in nanoseconds; those beyond nine are cut.
fn fraction(decimals: &str) -> Option<(u32, TimePrecision)> {
    let precision = match decimals.len() {
        0 => return None,
        1..=3 => TimePrecision::Ms,
        4..=6 => TimePrecision::Us,
        _ => TimePrecision::Ns,
    };
    let kept: String = decimals.chars().chain("000000000".chars()).take(9).collect();
    Some((kept.parse().ok()?, precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, zone: &str, text: &str, expected: &str) {
        let clock = Clock::parse(format, zone).expect("a clock").expect("one that says something");
        let shown = clock.text(text).map_or_else(String::new, |it| {
            let zone = if it.zone_assumed { " assumed" } else { "" };
            format!("{} {}{zone}", it.time, it.precision)
        });
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn a_pattern_reads_dates_as_they_are_written() {
        let german = "%d.%m.%Y %H:%M:%S";
        check(german, "", "10.03.2026 03:36:59", "2026-03-10T03:36:59Z s assumed");
        check(german, "+02:00", "10.03.2026 03:36:59", "2026-03-10T01:36:59Z s");
        check(german, "", "10.03.2026 03:36", "");
        check(german, "", "10.03.2026 03:36:59 x", "");
        check(german, "", "31.02.2026 03:36:59", "");
        check(
            "%Y-%m-%d %H:%M:%S,%f %z",
            "",
            "2026-03-10 03:36:59,123 +0100",
            "2026-03-10T02:36:59.123Z ms",
        );
        check("%b %d %Y %H:%M:%S", "Z", "Mar 9 2026 03:36:59", "2026-03-09T03:36:59Z s");
    }

    #[test]
    fn a_declared_unit_counts_whatever_the_size() {
        check("milliseconds", "", "1773113819123", "2026-03-10T03:36:59.123Z ms");
        check("seconds", "", "1773113819.5", "2026-03-10T03:36:59.500Z us");
        // Milliseconds that were declared as seconds are far in the future, and are refused later.
        let clock = Clock::parse("seconds", "").expect("a clock").expect("one");
        let stamp = clock.whole(1_773_113_819_123);
        assert!(stamp.is_none_or(|it| !it.time.is_plausible()));
    }

    #[test]
    fn what_is_no_date_is_refused_with_the_setting() {
        for (format, zone, key) in [
            ("%Y-%m-%d", "", "time_format"),
            ("%H:%M:%S", "", "time_format"),
            ("%Y-%m-%d %H:%M:%S %Q", "", "time_format"),
            ("%Y%Y-%m-%d %H:%M", "", "time_format"),
            ("minutes", "", "time_format"),
            ("seconds", "CET", "time_zone"),
        ] {
            let error = Clock::parse(format, zone).expect_err("no clock");
            assert_eq!(error.0, key, "{format} {zone}");
        }
        assert_eq!(Clock::parse("", ""), Ok(None));
    }
}
