//! Files as people treat them: they grow, are rotated in every way, cut, packed, copied and removed.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use tempfile::TempDir;

/// A directory of logs, what follows them, and a clock that is moved by hand.
struct Logs {
    dir: TempDir,
    follow: Follow,
    pattern: String,
    now: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a clock must begin somewhere")]
fn now() -> Instant {
    Instant::now()
}

impl Logs {
    fn new(pattern: &str, start: Start) -> Self {
        let dir = TempDir::new().unwrap();
        let pattern = dir.path().join(pattern).to_str().unwrap().to_owned();
        let follow = Follow::new(std::slice::from_ref(&pattern), start).unwrap();
        Self { dir, follow, pattern, now: now() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn cut(&self, name: &str) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    fn gzip(&self, from: &str, to: &str) {
        fs::write(self.path(to), gzip(&fs::read(self.path(from)).unwrap())).unwrap();
        fs::remove_file(self.path(from)).unwrap();
    }

    /// All lines that there are after so many seconds, each with its file's name and byte.
    fn after(&mut self, seconds: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..seconds.max(1) {
            self.now += Duration::from_secs(seconds.min(1));
            // Once to see what is new and once to read it.
            for _ in 0..3 {
                for one in self.follow.next(self.now) {
                    let name = &self.follow.partitions()[one.chunk.source as usize].topic;
                    let name = Path::new(name).file_name().unwrap().to_str().unwrap().to_owned();
                    let text = String::from_utf8_lossy(&one.chunk.bytes).into_owned();
                    for (line, offset) in text.split('\n').zip(&one.offsets) {
                        lines.push(format!("{name}@{offset} {}", line.get(..12).unwrap_or(line)));
                    }
                }
                self.now += POLL_EVERY;
            }
        }
        lines
    }

    /// Another process takes over, each file at its offset or where it was read to.
    fn restart(&mut self) {
        let registry = self.follow.registry();
        let text = serde_json::to_string(&registry).unwrap();
        let offsets: Vec<_> =
            registry.slots.iter().map(|it| Some(it.known.position as i64)).collect();
        self.follow = Follow::new(std::slice::from_ref(&self.pattern), Start::Earliest).unwrap();
        self.follow.resume(serde_json::from_str(&text).unwrap(), self.now);
        self.follow.begin(&offsets, self.now);
    }

    fn complaints(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.follow.complaint()).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Lines of a hundred bytes each, which a number tells apart.
fn lines(numbers: std::ops::Range<u32>) -> String {
    let each = numbers.map(|it| format!("line {it:06} {}\n", "x".repeat(87)));
    each.collect::<Vec<_>>().concat()
}

/// What is expected of those lines of a file, from a byte on.
fn read(name: &str, numbers: std::ops::Range<u32>, first: u32) -> Vec<String> {
    numbers.map(|it| format!("{name}@{} line {it:06} ", (it - first) * 100)).map(trim).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "this is what `map` calls")]
fn trim(line: String) -> String {
    line.trim_end().to_owned()
}

#[track_caller]
fn check(found: Vec<String>, expected: &[Vec<String>]) {
    let found: Vec<_> = found.into_iter().map(trim).collect();
    assert_eq!(found, expected.concat());
}

#[test]
fn a_file_that_grows_is_read_line_by_line() {
    let mut logs = Logs::new("a.log", Start::Earliest);
    assert!(logs.after(1).is_empty());
    assert!(logs.complaints()[0].ends_with("is not there yet: it is waited for"));
    logs.append("a.log", lines(0..3));
    check(logs.after(1), &[read("a.log", 0..3, 0)]);
    // A line that is not whole waits for its end, and then for a minute.
    logs.append("a.log", "line 000003");
    assert!(logs.after(25).is_empty());
    logs.append("a.log", " and so on\n");
    assert_eq!(logs.after(1), ["a.log@300 line 000003 "]);
    logs.append("a.log", "never ended");
    assert_eq!(logs.after(70), ["a.log@322 never ended"]);
    assert_eq!(logs.follow.resting().count(), 1);
    logs.append("a.log", "!\nnext\n");
    assert_eq!(logs.after(2), ["a.log@333 !", "a.log@335 next"]);
    assert!(logs.complaints().is_empty());
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_its_successor_from_its_beginning() {
    for pattern in ["a.log", "a.log*"] {
        let mut logs = Logs::new(pattern, Start::Earliest);
        logs.append("a.log", lines(0..5));
        check(logs.after(1), &[read("a.log", 0..5, 0)]);
        logs.rename("a.log", "a.log.1");
        logs.append("a.log.1", lines(5..7));
        logs.append("a.log", lines(10..12));
        check(logs.after(2), &[read("a.log", 5..7, 0), read("a.log", 10..12, 10)]);
        // Packed an hour later: nothing of it is new.
        logs.after(100);
        logs.gzip("a.log.1", "a.log.1.gz");
        assert!(logs.after(70).is_empty());
        logs.append("a.log", lines(12..13));
        check(logs.after(2), &[read("a.log", 12..13, 10)]);
        assert!(logs.complaints().is_empty());
    }
}

#[test]
fn a_file_that_was_copied_and_cut_loses_nothing() {
    for (pattern, is_packed) in [("a.log", false), ("a.log*", false), ("a.log*", true)] {
        let mut logs = Logs::new(pattern, Start::Earliest);
        logs.append("a.log", lines(0..5));
        check(logs.after(1), &[read("a.log", 0..5, 0)]);
        // These come between the last look and the cut.
        logs.append("a.log", lines(5..8));
        fs::copy(logs.path("a.log"), logs.path("a.log.1")).unwrap();
        logs.cut("a.log");
        if is_packed {
            logs.gzip("a.log.1", "a.log.1.gz");
        }
        logs.append("a.log", lines(20..40));
        let found = sorted(logs.after(4).into_iter().map(trim).collect());
        let expected = sorted([read("a.log", 20..40, 20), read("a.log", 5..8, 0)].concat());
        assert_eq!(found, expected, "{pattern} {is_packed}");
        assert!(logs.after(150).is_empty());
        assert!(logs.complaints().is_empty());
    }
}

#[test]
fn a_file_that_is_as_long_again_after_it_was_cut_is_another() {
    for rest in [1, 70] {
        let mut logs = Logs::new("a.log", Start::Earliest);
        logs.append("a.log", lines(0..20));
        check(logs.after(1), &[read("a.log", 0..20, 0)]);
        logs.after(rest);
        logs.cut("a.log");
        logs.append("a.log", lines(30..50));
        check(logs.after(3), &[read("a.log", 30..50, 30)]);
    }
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn what_happens_while_nobody_reads_is_found_again() {
    type Rotate = fn(&Logs);
    let ways: [(&str, Rotate); 4] = [
        ("renamed", |logs| logs.rename("a.log", "a.log.1")),
        ("packed", |logs| logs.gzip("a.log", "a.log.1.gz")),
        ("copied and cut", |logs| {
            fs::copy(logs.path("a.log"), logs.path("a.log.1")).unwrap();
            logs.cut("a.log");
        }),
        ("renamed out of sight", |logs| logs.rename("a.log", "old-a.txt")),
    ];
    for (way, rotate) in ways {
        let mut logs = Logs::new("a.log", Start::Earliest);
        logs.append("a.log", lines(0..5));
        check(logs.after(1), &[read("a.log", 0..5, 0)]);
        logs.append("a.log", lines(5..8));
        rotate(&logs);
        logs.append("a.log", lines(20..23));
        logs.restart();
        let found = sorted(logs.after(3).into_iter().map(trim).collect());
        let expected = sorted([read("a.log", 5..8, 0), read("a.log", 20..23, 20)].concat());
        assert_eq!(found, expected, "{way}");
        assert!(logs.complaints().is_empty(), "{way}");
    }
}

#[test]
fn what_is_gone_for_good_is_said() {
    let mut logs = Logs::new("a.log", Start::Earliest);
    logs.append("a.log", lines(0..5));
    logs.after(1);
    logs.append("a.log", lines(5..8));
    fs::remove_file(logs.path("a.log")).unwrap();
    logs.append("a.log", lines(20..21));
    logs.restart();
    check(logs.after(2), &[read("a.log", 20..21, 20)]);
    let said = logs.complaints();
    assert!(said.len() == 1 && said[0].contains("from its byte 500 on"), "{said:?}");
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_its_inode_may_come_again() {
    let mut logs = Logs::new("*.log", Start::Earliest);
    for round in 0..5 {
        let first = round * 100;
        logs.append("a.log", lines(first..first + 3));
        check(logs.after(2), &[read("a.log", first..first + 3, first)]);
        logs.append("a.log", lines(first + 3..first + 5));
        let file = OpenOptions::new().append(true).open(logs.path("a.log")).unwrap();
        fs::remove_file(logs.path("a.log")).unwrap();
        drop(file);
        check(logs.after(1), &[read("a.log", first + 3..first + 5, first)]);
        assert!(logs.after(70).is_empty());
        logs.follow.release(&(0..100).collect::<Vec<_>>());
    }
    assert_eq!(logs.follow.partitions().len(), 1, "slots are used again");
}

#[test]
fn new_files_that_match_are_read_and_packed_ones_whole() {
    let mut logs = Logs::new("*.log*", Start::Earliest);
    fs::write(logs.path("old.log.gz"), gzip(lines(0..9_000).as_bytes())).unwrap();
    logs.append("b.log", lines(10..12));
    let found = logs.after(5);
    assert_eq!(found.len(), 9_002);
    assert!(found.contains(&"old.log.gz@899900 line 008999 ".to_owned()));
    logs.append("c.log", lines(30..32));
    logs.append("ignored.txt", lines(0..9));
    check(logs.after(2), &[read("c.log", 30..32, 30)]);
    // After a restart nothing of all that is new.
    logs.restart();
    assert!(logs.after(5).is_empty());
    assert!(logs.complaints().is_empty());
}

#[test]
fn a_copy_of_a_file_that_is_read_is_not_read_twice() {
    let mut logs = Logs::new("*", Start::Earliest);
    logs.append("a.log", lines(0..40));
    check(logs.after(1), &[read("a.log", 0..40, 0)]);
    fs::copy(logs.path("a.log"), logs.path("b.log")).unwrap();
    // Half of a copy, and a file that begins alike but goes on otherwise.
    fs::write(logs.path("half.log"), lines(0..20)).unwrap();
    fs::write(logs.path("other.log"), lines(0..20) + &lines(70..72)).unwrap();
    logs.append("a.log", lines(40..41));
    let found = logs.after(2);
    assert_eq!(found.iter().filter(|it| it.starts_with("other.log@")).count(), 22);
    assert_eq!(found.len(), 23, "{found:?}");
    assert!(logs.after(5).is_empty());
}

#[test]
fn hostile_lines_are_bounded() {
    let mut logs = Logs::new("a.log", Start::Earliest);
    logs.append("a.log", [0_u8; 5_000]);
    logs.append("a.log", "after zeros\n");
    logs.append("a.log", vec![b'y'; 3 * 1024 * 1024]);
    logs.append("a.log", b"\n\n  \n\xff\xfe is not UTF-8\nlast\n");
    logs.now += Duration::from_secs(2);
    let mut lines = Vec::new();
    let mut oversize = Vec::new();
    for _ in 0..30 {
        for one in logs.follow.next(logs.now) {
            oversize.extend(one.chunk.oversize.clone());
            lines.extend(one.offsets.clone());
            assert!(one.chunk.bytes.len() < 2 * FILE_BYTES_MAX);
        }
        logs.now += POLL_EVERY;
    }
    assert_eq!(oversize.len(), 1);
    assert_eq!(oversize[0].1, 3 * 1024 * 1024 + 1);
    assert_eq!(lines, [0, 5_012, 3_150_745, 3_150_761]);
}

#[test]
fn a_damaged_archive_is_said_and_taken_up_when_it_is_whole() {
    let mut logs = Logs::new("*.gz", Start::Earliest);
    let whole = gzip(lines(0..5_000).as_bytes());
    fs::write(logs.path("a.gz"), &whole[..whole.len() / 2]).unwrap();
    let first = logs.after(5);
    assert!(first.len() < 5_000);
    let said = logs.complaints();
    assert!(said.len() == 1 && said[0].contains("ends in the middle"), "{said:?}");
    fs::write(logs.path("a.gz"), &whole).unwrap();
    let rest = logs.after(5);
    check([first, rest].concat(), &[read("a.gz", 0..5_000, 0)]);
}

#[test]
fn what_may_not_be_read_is_said_once_and_tried_again() {
    use std::os::unix::fs::symlink;
    let mut logs = Logs::new("*.log", Start::Earliest);
    // Nothing is forbidden to the superuser, but a link that leads to itself.
    symlink(logs.path("loop.log"), logs.path("loop.log")).unwrap();
    logs.append("b.log", lines(0..1));
    check(logs.after(5), &[read("b.log", 0..1, 0)]);
    let said = logs.complaints();
    assert!(said.len() == 1 && said[0].contains("loop.log` cannot be seen"), "{said:?}");
    fs::remove_file(logs.path("loop.log")).unwrap();
    logs.append("loop.log", lines(5..6));
    check(logs.after(2), &[read("loop.log", 5..6, 5)]);
}

#[test]
fn with_the_latest_start_only_what_comes_is_read() {
    let mut logs = Logs::new("*", Start::Latest);
    logs.append("a.log", lines(0..5) + "unfin");
    fs::write(logs.path("old.gz"), gzip(lines(0..9).as_bytes())).unwrap();
    assert!(logs.after(5).is_empty());
    logs.append("a.log", "ished\n");
    logs.append("b.log", lines(7..8));
    let found = sorted(logs.after(3).into_iter().map(trim).collect());
    assert_eq!(found, ["a.log@500 unfinished", "b.log@0 line 000007"]);
}

#[test]
fn files_that_are_ahead_wait() {
    let mut logs = Logs::new("*", Start::Earliest);
    logs.append("a.log", lines(0..5_000));
    let first = logs.follow.next(logs.now);
    assert!(first[0].offsets.len() < 1_000, "the first look is short");
    logs.follow.hold_back(&[0]);
    assert!(logs.after(3).is_empty());
    logs.follow.hold_back(&[]);
    assert_eq!(logs.after(3).len() + first[0].offsets.len(), 5_000);
}

#[test]
fn patterns_that_cannot_be_followed_are_refused() {
    let check = |patterns: &[&str], expected: &str| {
        let patterns: Vec<_> = patterns.iter().map(|it| (*it).to_owned()).collect();
        let error = Follow::new(&patterns, Start::Earliest).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&[], "source.files is empty");
    check(&["-"], "habitus replay");
    check(&["a[.log"], "is not a glob");
}
