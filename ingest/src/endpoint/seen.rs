//! Which classes of bytes a segment has: a set of bits.

pub(super) const LOWER: u16 = 1;
pub(super) const UPPER: u16 = 1 << 1;
pub(super) const DIGIT: u16 = 1 << 2;
pub(super) const DASH: u16 = 1 << 3;
pub(super) const UNDERSCORE: u16 = 1 << 4;
pub(super) const DOT: u16 = 1 << 5;
pub(super) const COMMA: u16 = 1 << 6;
pub(super) const AT: u16 = 1 << 7;
pub(super) const PERCENT: u16 = 1 << 8;
pub(super) const PAREN: u16 = 1 << 9;
pub(super) const COLON: u16 = 1 << 10;
pub(super) const PLUS: u16 = 1 << 11;
pub(super) const BRACE: u16 = 1 << 12;
pub(super) const CONTROL: u16 = 1 << 13;
pub(super) const WIDE: u16 = 1 << 14;
pub(super) const OTHER: u16 = 1 << 15;

const fn class(byte: u8) -> u16 {
    match byte {
        b'a'..=b'z' => LOWER,
        b'A'..=b'Z' => UPPER,
        b'0'..=b'9' => DIGIT,
        b'-' => DASH,
        b'_' => UNDERSCORE,
        b'.' => DOT,
        b',' => COMMA,
        b'@' => AT,
        b'%' => PERCENT,
        b'(' | b')' => PAREN,
        b':' => COLON,
        b'+' => PLUS,
        b'{' | b'}' => BRACE,
        0..0x20 | 0x7f => CONTROL,
        0x80.. => WIDE,
        _ => OTHER,
    }
}

pub(super) static CLASS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
};

pub(super) fn of(segment: &str) -> u16 {
    segment.bytes().fold(0, |set, byte| set | CLASS[byte as usize])
}
