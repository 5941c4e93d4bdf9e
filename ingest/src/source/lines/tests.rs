//! Tests of reading lines: whole inputs in, numbered lines and problems out.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

fn input(path: &Path) -> Input {
    let name = "access.log".to_owned();
    Input { number: 3, name, path: Some(path.to_owned()), bytes: None }
}

/// An open input that holds these bytes.
fn reader(bytes: &[u8]) -> Reader {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    // An open file outlives its name.
    Reader::open(&input(file.path())).unwrap()
}

/// All lines of an input with their numbers, checking that chunks fit together.
fn lines(reader: &mut Reader, bytes_target: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(chunk) = reader.next(bytes_target).unwrap() {
        assert_eq!(chunk.source, 3);
        assert_eq!(chunk.first_line as usize, lines.len() + 1);
        let text = chunk.bytes.strip_suffix(b"\n").expect("whole lines");
        let first = lines.len();
        lines.extend(
            text.split(|byte| *byte == b'\n')
                .map(|line| String::from_utf8_lossy(line).into_owned()),
        );
        assert!(chunk.bytes.len() <= bytes_target || lines.len() == first + 1);
        for (line, len) in chunk.oversize {
            let slot = &mut lines[line as usize - 1];
            assert_eq!(slot, "", "an empty line stands in its place");
            *slot = format!("<{len} bytes>");
        }
    }
    lines
}

fn check(bytes: &[u8], expected: &[&str], problem: &str) {
    for bytes_target in [1, 7, CHUNK_BYTES] {
        let mut reader = reader(bytes);
        assert_eq!(lines(&mut reader, bytes_target), expected);
        let found = reader.problem().map(ToString::to_string).unwrap_or_default();
        assert_eq!(found, problem);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Ten thousand lines that do not compress to nothing.
fn many() -> (Vec<u8>, Vec<String>) {
    let line = |n: u64| format!("line {n} {:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let lines: Vec<String> = (0..10_000).map(line).collect();
    ((lines.join("\n") + "\n").into_bytes(), lines)
}

#[test]
fn a_line_ends_with_or_without_a_carriage_return_or_the_input() {
    check(b"a\nb\n", &["a", "b"], "");
    check(b"a\r\nb\r\n", &["a", "b"], "");
    check(b"a\n\nb", &["a", "", "b"], "");
    check(b"a\rb\n", &["a\rb"], "");
    check(b"\n", &[""], "");
    check(b"a\0b\n", &["a\0b"], "");
}

#[test]
fn an_empty_input_is_worth_a_note() {
    let note = "`access.log` is empty; nothing to do if no calls were logged";
    check(b"", &[], note);
    check(&gzip(b""), &[], note);
    check(b"\xef\xbb\xbf", &[], note);
    let mut reader = reader(b"");
    assert!(reader.sample().is_empty());
    assert!(reader.problem().is_some_and(Problem::is_note));
}

#[test]
fn compressed_inputs_are_told_by_their_first_bytes() {
    check(&gzip(b"a\nb\n"), &["a", "b"], "");
    check(&zstd(b"a\nb\n"), &["a", "b"], "");
    check(&[gzip(b"a\nb"), gzip(b"c\n")].concat(), &["a", "bc"], "");
    check(&[zstd(b"a\nb"), zstd(b"c\n")].concat(), &["a", "bc"], "");
    check(&gzip(b"\xef\xbb\xbfa\n"), &["a"], "");
}

#[test]
fn what_is_no_text_is_refused_with_a_cure() {
    check(
        b"\xff\xfea\0\n\0",
        &[],
        "`access.log` is UTF-16 text; convert it with `iconv -f UTF-16 -t UTF-8`",
    );
    check(
        b"PAR1\x15\x04",
        &[],
        "`access.log` is Parquet, which is not read; export its rows as NDJSON",
    );
    let zip = "`access.log` is a zip archive, which is not read; \
               decompress it, or compress it with gzip or zstd";
    check(b"PK\x03\x04....", &[], zip);
}

#[test]
fn a_truncated_input_delivers_what_is_whole() {
    let (text, expected) = many();
    for whole in [gzip(&text), zstd(&text)] {
        for keep in [whole.len() - 1, whole.len() / 2, 30, 5] {
            let mut reader = reader(&whole[..keep]);
            let found = lines(&mut reader, CHUNK_BYTES);
            assert_eq!(found, expected[..found.len()]);
            let problem = reader.problem().expect("it ends early");
            assert_eq!(problem.damage, Damage::Truncated);
            assert_eq!(problem.line as usize, found.len() + 1);
            assert!(keep < whole.len() / 2 || found.len() > 1_000, "{} lines", found.len());
        }
    }
}

#[test]
fn a_damaged_input_ends_with_a_problem() {
    let (text, expected) = many();
    for mut bytes in [gzip(&text), zstd(&text), [gzip(&text), b"garbage".to_vec()].concat()] {
        let middle = bytes.len() / 2;
        if !bytes.ends_with(b"garbage") {
            bytes[middle..middle + 64].fill(0xff);
        }
        let mut reader = reader(&bytes);
        let found = lines(&mut reader, CHUNK_BYTES);
        // A decompressor may deliver a block of nonsense before it sees the damage.
        let same = found.iter().zip(&expected).take_while(|(a, b)| a == b).count();
        assert!(same > 1_000, "{same} lines");
        assert!(matches!(reader.problem().unwrap().damage, Damage::Corrupt | Damage::Truncated));
    }
}

#[test]
fn a_line_of_100_megabytes_is_passed_over_without_keeping_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.log");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"first\n").unwrap();
    // A hole in the file reads as zeros.
    file.seek(SeekFrom::Start(6 + 100_000_000)).unwrap();
    file.write_all(b"\nlast\n").unwrap();
    let mut reader = Reader::open(&input(&path)).unwrap();
    assert_eq!(lines(&mut reader, CHUNK_BYTES), ["first", "<100000000 bytes>", "last"]);
    assert!(reader.lines.text.capacity() < 1_000_000);
    assert_eq!(reader.bytes_read(), 100_000_012);
}

#[test]
fn the_longest_line_is_read_and_one_byte_more_is_not() {
    let most = "x".repeat(LINE_BYTES_MAX);
    let too_long = [most.as_str(), "x"].concat();
    let text = format!("{most}\n{too_long}\n{most}\r\n{too_long}\r\n{too_long}");
    let [one, two] = [LINE_BYTES_MAX + 1, LINE_BYTES_MAX + 2].map(|len| format!("<{len} bytes>"));
    check(text.as_bytes(), &[&most, &one, &most, &two, &one], "");
}

#[test]
fn a_bomb_is_left_alone() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(b"first\n").unwrap();
    for _ in 0..200 {
        encoder.write_all(&vec![0; 1_000_000]).unwrap();
    }
    let mut reader = reader(&encoder.finish().unwrap());
    assert_eq!(lines(&mut reader, CHUNK_BYTES), ["first"]);
    let problem = reader.problem().unwrap();
    assert_eq!(problem.damage, Damage::Bomb);
    assert!((64 << 20..70 << 20).contains(&problem.offset), "{}", problem.offset);
}

#[test]
fn a_sample_takes_nothing() {
    let (text, expected) = many();
    let mut reader = reader(&text);
    let sample = reader.sample().to_vec();
    assert!(sample.len() <= SAMPLE_BYTES_MAX && sample.ends_with(b"\n"));
    assert!(sample.len() > SAMPLE_BYTES_MAX - 100 && text.starts_with(&sample));
    assert_eq!(lines(&mut reader, CHUNK_BYTES), expected);
}

#[test]
fn an_input_that_is_gone_is_an_error_that_names_it() {
    let error = Reader::open(&input(Path::new("/nowhere/access.log"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open `access.log`; check that it exists and that this user may read it"
    );
}

#[test]
fn a_directory_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Reader::open(&input(directory.path()));
    assert!(matches!(opened, Err(SourceError::Open { .. })), "it fails on the first bytes");
}

proptest! {
    #[test]
    fn any_chunk_size_gives_the_same_lines(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"\n".to_vec()),
                Just(b"\r\n".to_vec()),
                prop::collection::vec(any::<u8>(), 0..20),
                (0_usize..200_000).prop_map(|len| vec![b'x'; len]),
            ],
            0..24,
        ),
        bytes_target in prop_oneof![1_usize..50, 1_usize..300_000],
        sampled in any::<bool>(),
    ) {
        // Bytes that mean something at a start are the other tests' concern.
        let bytes = [b"> ".to_vec(), pieces.concat()].concat();
        let mut at_once = reader(&bytes);
        let mut in_parts = reader(&bytes);
        if sampled {
            in_parts.sample();
        }
        prop_assert_eq!(lines(&mut at_once, usize::MAX), lines(&mut in_parts, bytes_target));
        prop_assert_eq!(at_once.problem(), in_parts.problem());
    }
}
