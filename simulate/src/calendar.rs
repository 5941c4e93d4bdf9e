//! The calendar that traffic follows: seconds to days, weekdays, and the rhythm of demand.

/// Nanoseconds in one second.
pub(crate) const NS_PER_S: i64 = 1_000_000_000;
/// Nanoseconds in one minute.
pub(crate) const NS_PER_MIN: i64 = 60 * NS_PER_S;
/// Nanoseconds in one hour.
pub(crate) const NS_PER_H: i64 = 60 * NS_PER_MIN;
/// Nanoseconds in one day.
pub(crate) const NS_PER_D: i64 = 24 * NS_PER_H;

/// A length of time in nanoseconds; anything beyond ten years is cut to it.
pub(crate) fn ns(seconds: f64) -> i64 {
    (seconds.clamp(0.0, 3.2e8) * NS_PER_S as f64) as i64
}

/// Year, month and day in UTC, after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub(crate) fn date(time_ns: i64) -> (i64, u8, u8) {
    let z = time_ns.div_euclid(NS_PER_D) + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

/// Whether the day that many days after the epoch is a Saturday or a Sunday.
pub(crate) const fn is_weekend(day: i64) -> bool {
    // The epoch is a Thursday, so day 2 is a Saturday.
    (day - 2).rem_euclid(7) < 2
}

/// How much of the peak demand there is in each UTC hour: most customers live in Europe.
const DEMAND: [f64; 24] = [
    0.30, 0.24, 0.20, 0.20, 0.22, 0.30, 0.48, 0.72, 0.92, 1.00, 1.00, 0.98, 0.94, 0.98, 1.00, 0.98,
    0.90, 0.82, 0.76, 0.72, 0.66, 0.56, 0.46, 0.36,
];

/// Demand at a time, as a share of the peak: 0.1 to 1.
pub(crate) fn demand(time_ns: i64) -> f64 {
    let hour = time_ns.div_euclid(NS_PER_H).rem_euclid(24) as usize;
    let next = (hour + 1) % DEMAND.len();
    let part = time_ns.rem_euclid(NS_PER_H) as f64 / NS_PER_H as f64;
    let of_day = DEMAND[hour] * (1.0 - part) + DEMAND[next] * part;
    if is_weekend(time_ns.div_euclid(NS_PER_D)) { of_day * 0.5 } else { of_day }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T00:00:00Z, a Monday.
    const MONDAY_NS: i64 = 1_772_409_600 * NS_PER_S;

    #[test]
    fn the_weekend_follows_five_days_after_monday() {
        let monday = MONDAY_NS / NS_PER_D;
        let weekend: Vec<bool> = (0..7).map(|day| is_weekend(monday + day)).collect();
        assert_eq!(weekend, [false, false, false, false, false, true, true]);
        assert_eq!(date(MONDAY_NS), (2026, 3, 2));
        assert_eq!(date(951_782_400 * NS_PER_S), (2000, 2, 29));
    }

    #[test]
    fn demand_is_lower_at_night_and_on_weekends() {
        assert!(demand(MONDAY_NS + 3 * NS_PER_H) < 0.3 * demand(MONDAY_NS + 10 * NS_PER_H));
        let sunday = MONDAY_NS - NS_PER_D;
        assert!(demand(sunday + 10 * NS_PER_H) < demand(MONDAY_NS + 10 * NS_PER_H));
    }
}
