//! Event time: nanoseconds since the Unix epoch, UTC.

use std::fmt;

/// Nanoseconds in one second.
pub const NS_PER_S: i64 = 1_000_000_000;
/// Nanoseconds in one minute.
pub const NS_PER_MIN: i64 = 60 * NS_PER_S;
/// Nanoseconds in one hour.
pub const NS_PER_H: i64 = 60 * NS_PER_MIN;
/// Nanoseconds in one day.
pub const NS_PER_D: i64 = 24 * NS_PER_H;

/// An instant of event time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(i64);

impl Time {
    /// The earliest time that an event may carry: 2000-01-01T00:00:00Z.
    pub const MIN_EVENT: Self = Self(946_684_800 * NS_PER_S);
    /// The first time that an event may no longer carry: 2101-01-01T00:00:00Z.
    pub const END_EVENT: Self = Self(4_133_980_800 * NS_PER_S);

    /// The instant that lies `ns` nanoseconds after the epoch.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the epoch.
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// Whether an event may carry this time (years 2000 to 2100).
    pub fn is_plausible(self) -> bool {
        Self::MIN_EVENT <= self && self < Self::END_EVENT
    }

    /// The start of the UTC-aligned window of `span_ns` that holds this instant.
    ///
    /// `span_ns` is in nanoseconds and above zero.
    #[must_use]
    pub const fn floor(self, span_ns: i64) -> Self {
        Self(self.0.div_euclid(span_ns) * span_ns)
    }

    /// This instant moved by `ns` nanoseconds, held within what 64 bits can say.
    #[must_use]
    pub const fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC hour that holds this instant, counted from the epoch: 0 begins at 1970-01-01T00:00:00Z.
    pub const fn hour_number(self) -> i32 {
        self.0.div_euclid(NS_PER_H) as i32
    }

    /// The UTC day that holds this instant, counted from the epoch: 0 is 1970-01-01.
    pub const fn day_number(self) -> i32 {
        self.0.div_euclid(NS_PER_D) as i32
    }

    /// The UTC hour of the day, 0 to 23.
    pub const fn hour_of_day(self) -> u8 {
        (self.0.div_euclid(NS_PER_H).rem_euclid(24)) as u8
    }

    /// Year, month (1 to 12) and day (1 to 31) in UTC.
    ///
    /// Civil-from-days, after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    pub const fn date(self) -> (i64, u8, u8) {
        let z = self.0.div_euclid(NS_PER_D) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month as u8, day as u8)
    }

    /// The instant of a UTC calendar date and time of day, or `None` where the calendar has none.
    ///
    /// `second` may be 60 (a leap second is read as the second after it).
    pub fn from_civil(date: (i64, u32, u32), clock: (u32, u32, u32), ns: u32) -> Option<Self> {
        let ((year, month, day), (hour, minute, second)) = (date, clock);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let fits = (1..=days_in_month).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60
            && i64::from(ns) < NS_PER_S
            && (1678..=2261).contains(&year);
        if !fits {
            return None;
        }
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let year_of_era = y - era * 400;
        let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
        let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let seconds =
            days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        seconds.checked_mul(NS_PER_S)?.checked_add(i64::from(ns)).map(Self)
    }
}

/// RFC 3339 in UTC, with as many of 0, 3, 6 or 9 decimals as the instant needs.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let of_day = self.0.rem_euclid(NS_PER_D);
        let (seconds, ns) = (of_day / NS_PER_S, of_day % NS_PER_S);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match ns {
            0 => {}
            _ if ns % 1_000_000 == 0 => write!(f, ".{:03}", ns / 1_000_000)?,
            _ if ns % 1_000 == 0 => write!(f, ".{:06}", ns / 1_000)?,
            _ => write!(f, ".{ns:09}")?,
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(civil: ((i64, u32, u32), (u32, u32, u32), u32), shown: &str) {
        let time = Time::from_civil(civil.0, civil.1, civil.2).expect("a date of the calendar");
        assert_eq!(time.to_string(), shown);
    }

    #[test]
    fn hours_and_days_are_counted_downwards_too() {
        let at = |hours: i64| Time::from_ns(hours * NS_PER_H);
        assert_eq!((at(0).hour_number(), at(0).day_number()), (0, 0));
        assert_eq!((at(49).hour_number(), at(49).plus(NS_PER_H - 1).day_number()), (49, 2));
        assert_eq!((at(0).plus(-1).hour_number(), at(0).plus(-1).day_number()), (-1, -1));
        assert_eq!(Time::END_EVENT.day_number(), 47_847);
    }

    #[test]
    fn a_date_survives_the_way_there_and_back() {
        check(((2015, 5, 17), (10, 5, 3), 0), "2015-05-17T10:05:03Z");
        check(((2024, 2, 29), (23, 59, 59), 1_000_000), "2024-02-29T23:59:59.001Z");
        check(((2000, 1, 1), (0, 0, 0), 0), &Time::MIN_EVENT.to_string());
        check(((2101, 1, 1), (0, 0, 0), 0), &Time::END_EVENT.to_string());
        check(((1969, 12, 31), (23, 59, 59), 999_999_999), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn a_date_outside_the_calendar_is_none() {
        assert_eq!(Time::from_civil((2023, 2, 29), (0, 0, 0), 0), None);
        assert_eq!(Time::from_civil((2023, 13, 1), (0, 0, 0), 0), None);
        assert_eq!(Time::from_civil((2023, 1, 1), (24, 0, 0), 0), None);
    }

    #[test]
    fn a_window_start_is_aligned_even_before_the_epoch() {
        assert_eq!(Time::from_ns(-1).floor(NS_PER_H), Time::from_ns(-NS_PER_H));
        assert_eq!(Time::from_ns(NS_PER_H + 5).floor(NS_PER_H), Time::from_ns(NS_PER_H));
    }
}
