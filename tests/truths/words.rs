//! Numbers in sentences: where they stand, and whether they say what they should.

/// A number as a sentence writes it, with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said {
    /// In the unit's base: bytes, seconds, shares of one.
    pub(super) value: f64,
    /// Half of what its last digit is worth.
    pub(super) half: f64,
}

impl Said {
    /// Whether a value is written so.
    pub(super) fn is(self, value: f64) -> bool {
        (self.value - value).abs() <= self.half * 1.000_001 + 1e-9
    }
}

/// The words of a text; the thin space between thousands parts none.
fn words(text: &str) -> Vec<&str> {
    text.split([' ', '\n']).filter(|it| !it.is_empty()).collect()
}

/// The number that a word, and the unit after it, say.
fn parse(word: &str, unit: &str) -> Option<Said> {
    let digits: String = word.chars().filter(|it| *it != '\u{202f}').collect();
    let digits = digits.trim_matches(['(', ')', ',', ';', '.', ':']);
    let value: f64 = digits.parse().ok()?;
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len() as i32);
    let half = 0.5 * 10_f64.powi(exponent.parse::<i32>().ok()? - decimals);
    let scale = match unit.trim_matches([',', ';', '.', ')', ':']) {
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "ms" => 1e-3,
        "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "%" => 1e-2,
        _ => 1.0,
    };
    Some(Said { value: value * scale, half: half * scale })
}

/// The number that ends right before the first `mark`.
#[track_caller]
pub(super) fn before(text: &str, mark: &str) -> Said {
    let head = text.split_once(mark).unwrap_or_else(|| panic!("`{mark}` in: {text}")).0;
    let head = words(head);
    let last = head.last().copied().unwrap_or_default();
    let one_before = head.get(head.len().saturating_sub(2)).copied().unwrap_or_default();
    parse(last, mark.trim_start().split(' ').next().unwrap_or_default())
        .or_else(|| parse(one_before, last))
        .unwrap_or_else(|| panic!("a number before `{mark}` in: {text}"))
}

/// The number that begins right after the first `mark`.
#[track_caller]
pub(super) fn after(text: &str, mark: &str) -> Said {
    let tail = text.split_once(mark).unwrap_or_else(|| panic!("`{mark}` in: {text}")).1;
    let tail = words(tail);
    let unit = tail.get(1).copied().unwrap_or_default();
    parse(tail.first().copied().unwrap_or_default(), unit)
        .unwrap_or_else(|| panic!("a number after `{mark}` in: {text}"))
}

/// What stands between two marks.
#[track_caller]
pub(super) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let tail = text.split_once(from).unwrap_or_else(|| panic!("`{from}` in: {text}")).1;
    tail.split_once(to).unwrap_or_else(|| panic!("`{to}` in: {text}")).0
}

#[test]
fn numbers_are_read_with_their_units() {
    let text =
        "it made 1\u{202f}001 calls in 60 s, 20.2 MB of 2.8e-3, and 97 % more; at most 5 days.";
    assert_eq!(before(text, " calls"), Said { value: 1_001.0, half: 0.5 });
    assert_eq!(after(text, " in "), Said { value: 60.0, half: 0.5 });
    assert!(before(text, " of 2").is(20.24e6) && !before(text, " of 2").is(20.26e6));
    assert!(after(text, "and ").is(0.9749) && !after(text, "and ").is(0.976));
    assert!(after(text, "MB of ").is(2.84e-3) && !after(text, "MB of ").is(2.86e-3));
    assert_eq!(between(text, "more; ", " days"), "at most 5");
}
