//! Numbers, hexadecimal ids and times as text, without going through the formatting machinery.

use crate::calendar::{NS_PER_S, date};

/// A number in decimal, written to the end of `buffer`.
pub(crate) fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    for (place, slot) in buffer.iter_mut().enumerate().rev() {
        *slot = digit((number % 10) as u8);
        number /= 10;
        start = place;
        if number == 0 {
            break;
        }
    }
    buffer.get(start..).unwrap_or_default()
}

/// Appends a number in decimal.
pub(crate) fn push_number(out: &mut String, number: u64) {
    let mut buffer = [0; 20];
    out.push_str(text(decimal(number, &mut buffer)));
}

/// Appends a number in decimal with leading zeros up to `width` digits.
pub(crate) fn push_padded(out: &mut String, number: u64, width: u32) {
    let mut limit = 10_u64.saturating_pow(width.saturating_sub(1));
    while number < limit && limit > 1 {
        out.push('0');
        limit /= 10;
    }
    push_number(out, number);
}

/// Thirty-two hexadecimal digits.
pub(crate) fn hex(id: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id.to_be_bytes()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    digits
}

/// A UUID; `id` gives all bits but those that make it one of version 4.
pub(crate) fn uuid(id: u128) -> [u8; 36] {
    let digits = hex(id & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62));
    let mut out = [b'-'; 36];
    // Where each group of digits goes, and where it comes from.
    for (to, from) in
        [(0..8, 0..8), (9..13, 8..12), (14..18, 12..16), (19..23, 16..20), (24..36, 20..32)]
    {
        out[to].copy_from_slice(&digits[from]);
    }
    out
}

/// The digits of [`hex`] or [`uuid`] as text.
pub(crate) fn text(digits: &[u8]) -> &str {
    // Digits and hyphens are always UTF-8.
    std::str::from_utf8(digits).unwrap_or_default()
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// Appends a date: `2026-03-02`.
pub(crate) fn push_date(out: &mut String, time_ns: i64) {
    let (year, month, day) = date(time_ns);
    push_padded(out, year.unsigned_abs(), 4);
    out.push('-');
    push_padded(out, u64::from(month), 2);
    out.push('-');
    push_padded(out, u64::from(day), 2);
}

/// Appends a time in UTC with milliseconds: `2026-03-02T08:15:00.042Z`.
pub(crate) fn push_time(out: &mut String, time_ns: i64) {
    push_date(out, time_ns);
    let ms = time_ns.div_euclid(NS_PER_S / 1_000).rem_euclid(86_400_000).unsigned_abs();
    let parts = [('T', ms / 3_600_000), (':', ms / 60_000 % 60), (':', ms / 1_000 % 60)];
    for (separator, part) in parts {
        out.push(separator);
        push_padded(out, part, 2);
    }
    out.push('.');
    push_padded(out, ms % 1_000, 3);
    out.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(push: impl FnOnce(&mut String), expected: &str) {
        let mut out = String::new();
        push(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        check(|out| push_number(out, 0), "0");
        check(|out| push_number(out, u64::MAX), &u64::MAX.to_string());
        check(|out| push_padded(out, 7, 3), "007");
        check(|out| push_padded(out, 0, 2), "00");
        check(|out| push_padded(out, 1_234, 2), "1234");
    }

    #[test]
    fn a_uuid_is_marked_as_one_of_version_4() {
        assert_eq!(text(&uuid(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(text(&uuid(u128::MAX)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(text(&hex(0xab)), "000000000000000000000000000000ab");
        let counted = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        assert_eq!(text(&uuid(counted)), "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn a_time_is_written_in_utc() {
        check(|out| push_time(out, 1_772_439_300_042_999_999), "2026-03-02T08:15:00.042Z");
        check(|out| push_time(out, 0), "1970-01-01T00:00:00.000Z");
    }
}
