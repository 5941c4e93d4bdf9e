//! Numbers as a person reads them: few digits, groups of three, bytes with a unit.

/// Stands between thousands: narrow, and no line is broken there.
const THOUSANDS: char = '\u{202f}';
/// Significant digits of a value in a finding's unit.
const VALUE_DIGITS: usize = 3;
/// From this size on, a whole number is written with an exponent too.
const WHOLE_MAX: f64 = 1e15;

/// A number rounded to so many significant digits, with an exponent where it would be long.
pub fn significant(value: f64, digits: usize) -> String {
    let short = format!("{value:.*e}", digits.saturating_sub(1));
    match short.parse::<f64>() {
        Ok(rounded) if (1e-4..1e6).contains(&rounded.abs()) => rounded.to_string(),
        Ok(rounded) if rounded.abs() > 0.0 && rounded.is_finite() => format!("{rounded:e}"),
        Ok(rounded) if rounded.is_finite() => "0".to_owned(),
        _ => value.to_string(),
    }
}

/// A number rounded to so many significant digits, but never above its decimal point: `23153`, `13.94`.
pub fn rounded(value: f64, digits: usize) -> String {
    let whole_min = 10_f64.powi(digits as i32 - 1);
    if (whole_min..WHOLE_MAX).contains(&value.abs()) {
        format!("{value:.0}")
    } else {
        significant(value, digits)
    }
}

/// A whole number with its digits in groups of three; any other text stays as it is.
pub fn grouped(number: &str) -> String {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut out = String::with_capacity(number.len() * 2);
    if digits.len() < number.len() {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(THOUSANDS);
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, which is `one` of one and `many` of any other number: `1 row`, `2 rows`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(&count.to_string()), if count == 1 { one } else { many })
}

/// Bytes in decimal units: `2.3 GB`.
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (value.max(0.0), 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {name}")
    } else {
        format!("{value:.1} {name}")
    }
}

/// A value in the unit of a finding; the unit itself only for bytes, which get one that fits.
pub fn in_unit(value: f64, unit: &str) -> String {
    if unit == "bytes" { bytes(value) } else { grouped(&rounded(value, VALUE_DIGITS)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_digits_are_shown() {
        let shown = |value| significant(value, 3);
        assert_eq!(shown(5.244_626_587_777_443e27), "5.24e27");
        assert_eq!(shown(150.661_750), "151");
        assert_eq!(shown(12_345.6), "12300");
        assert_eq!(shown(0.008_804_6), "0.0088");
        assert_eq!(shown(0.000_001_234), "1.23e-6");
        assert_eq!([shown(0.0), shown(-0.0), shown(4.0)], ["0", "0", "4"]);
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::INFINITY), "inf");
    }

    #[test]
    fn what_stands_before_the_point_is_never_rounded_away() {
        let shown = |value| rounded(value, 4);
        assert_eq!(shown(23_152.847_724_199_86), "23153");
        assert_eq!(shown(13.937_5), "13.94");
        assert_eq!(shown(0.008_804_635_934_144_812), "0.008805");
        assert_eq!(shown(-1_234_567.0), "-1234567");
        assert_eq!(shown(5.244_626_587_777_443e27), "5.245e27");
    }

    #[test]
    fn a_noun_follows_its_count() {
        let shown = |count| counted(count, "identity", "identities");
        assert_eq!(shown(0), "0 identities");
        assert_eq!(shown(1), "1 identity");
        assert_eq!(shown(2_500), "2\u{202f}500 identities");
    }

    #[test]
    fn values_follow_their_unit() {
        assert_eq!(in_unit(2.31e9, "bytes"), "2.3 GB");
        assert_eq!(in_unit(12.0, "bytes"), "12 B");
        assert_eq!(in_unit(1_234_567.0, "calls"), "1\u{202f}234\u{202f}567");
        assert_eq!(in_unit(162.0, "distinct objects"), "162");
        assert_eq!(in_unit(2.909_391_655_349_183, "distinct objects"), "2.91");
    }
}
