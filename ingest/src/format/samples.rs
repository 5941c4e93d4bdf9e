//! The samples of all formats: what is expected of each record, in its file and alone.

mod hostile;
mod secrets;

use super::check::{objects, parse_keeping, parser};
use crate::parse::{Parsed, Settings};
use crate::source::{Input, Reader};
use crate::{FormatId, sniff};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Fields that may be listed as disagreements, in percent of all.
const DISAGREEMENTS_PERCENT_MAX: usize = 3;
/// The same with those of messages, which are no accesses.
const LISTED_PERCENT_MAX: usize = 4;
/// Bytes of a secret that must not be found.
const SECRET_BYTES: usize = 8;
/// Access records that must be read, in percent of all.
const ACCEPTED_PERCENT_MIN: usize = 97;

/// How each record is read.
const HOW: [&str; 3] = ["in its file", "alone", "as a file"];

/// What the test is told about samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default)]
    disagreement: Vec<Disagreement>,
    #[serde(default)]
    refused: Vec<Refused>,
    /// The formats that the records of a folder may be read in.
    formats: BTreeMap<String, Vec<String>>,
}

/// Fields where the expectation and the producer's documentation differ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreement {
    /// Folder and file without its ending.
    sample: String,
    lines: Vec<u64>,
    /// `*` is all of them.
    fields: Vec<String>,
    because: String,
    source: String,
}

/// Records that are no access records, and are to be refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    sample: String,
    /// None are all of them.
    #[serde(default)]
    lines: Vec<u64>,
    because: String,
}

/// One file of records.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Folder and file without its ending.
    name: String,
    folder: String,
    pub(crate) lines: Vec<Vec<u8>>,
    /// By line, from 1.
    expected: BTreeMap<u64, Map<String, Value>>,
}

impl Sample {
    fn read(log: &Path) -> Option<Self> {
        let file = log.file_name()?.to_str()?;
        let folder = log.parent()?.file_name()?.to_str()?;
        let stem = file.strip_suffix(".log").or_else(|| file.strip_suffix(".raw.jsonl"))?;
        let bytes = std::fs::read(log).expect("a sample");
        let mut lines: Vec<_> = bytes.split(|it| *it == b'\n').map(<[u8]>::to_vec).collect();
        if file.ends_with(".raw.jsonl") {
            let raw = |line: &Vec<u8>| {
                let record: Value = serde_json::from_slice(line).ok()?;
                Some(record["raw"].as_str()?.as_bytes().to_vec())
            };
            lines = lines.iter().filter_map(raw).collect();
        }
        let text = std::fs::read_to_string(log.with_file_name(format!("{stem}.expected.jsonl")));
        let mut expected = BTreeMap::new();
        for line in text.unwrap_or_default().lines().filter(|it| !it.trim().is_empty()) {
            let wanted: Value = serde_json::from_str(line).expect("an expectation");
            let fields = wanted.get("expect").and_then(Value::as_object).cloned();
            expected.insert(wanted["line"].as_u64().expect("a line"), fields.unwrap_or_default());
        }
        let name = format!("{folder}/{stem}");
        Some(Self { name, folder: folder.to_owned(), lines, expected })
    }

    /// The numbers of the lines that are records: header lines and blank ones are none.
    pub(crate) fn records(&self) -> impl Iterator<Item = u64> {
        let is_record = |line: &[u8]| !line.trim_ascii().is_empty() && !line.starts_with(b"#");
        (1..).zip(&self.lines).filter(move |(_, line)| is_record(line)).map(|(number, _)| number)
    }

    /// One record with the header lines that stand before it.
    pub(crate) fn alone(&self, number: u64) -> Vec<u8> {
        let before = self.lines.iter().take(number as usize - 1);
        let mut all: Vec<u8> = Vec::new();
        for line in before.filter(|it| it.starts_with(b"#")) {
            all.extend(line);
            all.push(b'\n');
        }
        all.extend(&self.lines[number as usize - 1]);
        all
    }

    /// The beginnings of a record's secrets.
    fn secrets(&self, number: u64) -> Vec<String> {
        let names = self.expected.get(&number).and_then(|it| it.get("_must_redact"));
        let record = serde_json::from_slice::<Value>(&self.alone(number)).ok();
        names.zip(record).map_or_else(Vec::new, |(names, record)| beginnings(&record, names))
    }

    fn whole(&self) -> Vec<u8> {
        self.lines.join(&b'\n')
    }
}

/// The beginnings of what an expectation says must be redacted, as the record has it.
fn beginnings(record: &Value, names: &Value) -> Vec<String> {
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    let found = names.filter_map(|it| {
        let secret = record.pointer(&format!("/{}", it.replace('.', "/")))?.as_str()?;
        Some(secret.chars().take(SECRET_BYTES).collect())
    });
    found.collect()
}

/// The samples below a directory, in order; none where it is absent.
pub(super) fn samples(root: &Path) -> Vec<Sample> {
    let entries = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        let paths: BTreeSet<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
        paths
    };
    if !root.is_dir() {
        println!("skipped: there are no samples at {}", root.display());
    }
    let folders = entries(root).into_iter();
    folders.flat_map(|it| entries(&it)).filter_map(|log| Sample::read(&log)).collect()
}

/// The samples that are shared with others.
pub(crate) fn shared() -> Vec<Sample> {
    samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/formats"))
}

/// The samples of the repository.
pub(crate) fn own() -> Vec<Sample> {
    samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"))
}

fn told() -> Told {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/disagreements.toml");
    let text = std::fs::read_to_string(path).expect("the list of disagreements");
    toml::from_str(&text).expect("a list of disagreements")
}

impl Told {
    fn disagrees(&self, sample: &str, line: u64, field: &str) -> bool {
        self.disagreement.iter().any(|it| {
            let has_field = it.fields.iter().any(|it| it == "*" || it == field);
            it.sample == sample && it.lines.contains(&line) && has_field
        })
    }

    fn refuses(&self, sample: &str, line: u64) -> bool {
        let has = |it: &Refused| it.lines.is_empty() || it.lines.contains(&line);
        self.refused.iter().any(|it| it.sample == sample && has(it))
    }
}

/// What a record became.
#[derive(Clone, Debug, Default)]
struct Outcome {
    objects: Vec<Map<String, Value>>,
    records: u64,
    why: String,
}

impl Outcome {
    /// What the records of a text became, by their lines.
    fn all(parsed: &Parsed) -> BTreeMap<u64, Self> {
        let mut all: BTreeMap<u64, Self> = BTreeMap::new();
        for (object, event) in objects(&parsed.batch).into_iter().zip(&parsed.batch.events) {
            let outcome = all.entry(event.position.line).or_default();
            outcome.objects.push(object);
            outcome.records += 1;
        }
        for sample in parsed.rejects.samples() {
            let outcome = all.entry(sample.position.line).or_default();
            outcome.records += 1;
            outcome.why = format!("{} {}", outcome.why, sample.reason).trim().to_owned();
        }
        all
    }

    /// What one record became.
    fn one(parsed: &Parsed) -> Self {
        Self::all(parsed).into_values().last().unwrap_or_default()
    }

    /// Whether a field is as expected; an error says what it is.
    fn has(&self, field: &str, expected: &Value) -> Result<(), String> {
        let object = self.objects.first();
        let found = object.and_then(|it| it.get(field)).unwrap_or(&Value::Null);
        let is_right = match field {
            // The source's own parser refused it, or it depends on the template: ours need not.
            // What must be redacted is looked for in all that the event says.
            "_reject" | "_optional" | "_must_redact" => true,
            "_not_access_log" => self.objects.is_empty(),
            "_records" => expected.as_u64() == Some(self.records),
            "_repairable" => self.objects.len() == 1,
            "_no_request" => self.objects.iter().all(|it| !it.contains_key("url_path")),
            _ => object.is_some_and(|it| agrees(field, expected, it)),
        };
        let what = if object.is_some() { found.to_string() } else { format!("<{}>", self.why) };
        if is_right { Ok(()) } else { Err(format!("{field}: {expected} is {what}")) }
    }
}

/// Whether the expected value is what the event says.
fn agrees(field: &str, expected: &Value, object: &Map<String, Value>) -> bool {
    let found = object.get(field).unwrap_or(&Value::Null);
    let time_of = |value: &Value| value.as_str().and_then(crate::timestamp::text).map(|it| it.time);
    match field {
        // The expectation is the logged end; where the duration is known, the event has the start.
        "time" if object.get("time_kind") == Some(&Value::from("end_minus_duration")) => {
            let duration = object.get("duration_ns").and_then(Value::as_i64).unwrap_or_default();
            time_of(found).map(|it| it.plus(duration)) == time_of(expected)
                || time_of(found) == time_of(expected)
        }
        "time" => time_of(found) == time_of(expected),
        // A list is one text, with `,` or `>` between its elements.
        _ if expected.is_array() => {
            let parts = expected.as_array().into_iter().flatten().filter_map(Value::as_str);
            let found = found.as_str().unwrap_or_default();
            found.split([',', '>']).map(str::trim).eq(parts)
        }
        _ => found == expected,
    }
}

/// What the harness counted.
#[derive(Debug, Default)]
struct Counts {
    fields: usize,
    listed: usize,
    of_messages: usize,
    records: usize,
    accepted: usize,
    formats: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Counts {
    /// Compares a record as it stands in its file and alone.
    fn compare(&mut self, sample: &Sample, number: u64, all: [&Outcome; 3], told: &Told) {
        let Some(expected) = sample.expected.get(&number) else { return };
        for secret in sample.secrets(number) {
            for (outcome, how) in all.iter().zip(HOW) {
                if format!("{:?}", outcome.objects).contains(&secret) {
                    self.wrong.push(format!("{}:{number} {how}: {secret} is shown", sample.name));
                }
            }
        }
        for (field, value) in expected {
            self.fields += 1;
            let is_right = all.iter().all(|it| it.has(field, value).is_ok());
            if !is_right && told.disagrees(&sample.name, number, field) {
                // What is expected of a message that is no access is no field of an access record.
                let is_message = told.refuses(&sample.name, number);
                *(if is_message { &mut self.of_messages } else { &mut self.listed }) += 1;
                continue;
            }
            for (outcome, how) in all.iter().zip(HOW) {
                if let Err(what) = outcome.has(field, value) {
                    self.wrong.push(format!("{}:{number} {how}: {what}", sample.name));
                }
            }
        }
    }

    /// Whether an access record became an event, and of the right format.
    fn accept(&mut self, sample: &Sample, number: u64, outcome: &Outcome, told: &Told, how: &str) {
        let name = &sample.name;
        let is_event = !outcome.objects.is_empty();
        if told.refuses(name, number) {
            if is_event {
                self.wrong.push(format!("{name}:{number} {how}: it is no access, but was read"));
            }
            return;
        }
        self.records += 1;
        self.accepted += usize::from(is_event);
        if !is_event {
            println!("{name}:{number} {how} is refused: {}", outcome.why);
        }
        for object in &outcome.objects {
            let format = object.get("source_format").and_then(Value::as_str).unwrap_or_default();
            self.formats.insert(format.to_owned());
            let allowed = told.formats.get(&sample.folder);
            let is_right = allowed.is_none_or(|it| it.iter().any(|it| it == format))
                && (allowed.is_some() || sample.folder == format);
            if !is_right {
                self.wrong.push(format!("{name}:{number} {how}: it was read as {format}"));
            }
        }
    }

    fn all(samples: &[Sample], told: &Told) -> Self {
        let mut counts = Self::default();
        for sample in samples {
            let whole = sample.whole();
            let hint = sniff::recognise(&whole).ok().and_then(|it| it.hint);
            let mut together = Outcome::all(&parse_keeping(&whole, hint));
            for number in sample.records() {
                let in_file = together.remove(&number).unwrap_or_default();
                let mut bytes = sample.alone(number);
                bytes.push(b'\n');
                let alone = Outcome::one(&parse_keeping(&bytes, None));
                // As a command reads a file of one record.
                let file = sniff::stream(&bytes).map(|it| parse_keeping(&bytes, Some(it)));
                let refused = || Outcome { objects: Vec::new(), ..alone.clone() };
                let file = file.as_ref().map_or_else(|_| refused(), Outcome::one);
                counts.compare(sample, number, [&in_file, &alone, &file], told);
                for (outcome, how) in [&in_file, &alone, &file].into_iter().zip(HOW) {
                    counts.accept(sample, number, outcome, told, how);
                }
            }
        }
        counts
    }

    #[track_caller]
    fn judge(&self) {
        let Self { fields, listed, of_messages, records, accepted, formats, wrong } = self;
        println!(
            "{fields} expected fields, {listed} listed and {of_messages} of messages, {} wrong; {accepted} of {records} records; {} formats: {}",
            wrong.len(),
            formats.len(),
            formats.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
        );
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(listed * 100 <= fields * DISAGREEMENTS_PERCENT_MAX, "{listed} of {fields}");
        let all = listed + of_messages;
        assert!(all * 100 <= fields * LISTED_PERCENT_MAX, "{all} of {fields}");
        assert!(accepted * 100 >= records * ACCEPTED_PERCENT_MIN, "{accepted} of {records}");
    }
}

#[test]
fn the_shared_samples_are_read_as_expected() {
    let samples = shared();
    if !samples.is_empty() {
        Counts::all(&samples, &told()).judge();
    }
}

#[test]
fn the_samples_of_the_repository_are_read_as_expected() {
    let told = told();
    let samples = own();
    Counts::all(&samples, &told).judge();
}

#[test]
fn where_an_input_is_cut_changes_no_event() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let of_header = |it: &Sample| it.lines.iter().any(|line| line.starts_with(b"#Fields:"));
    for sample in shared().into_iter().chain(own()).filter(of_header) {
        let whole = sample.whole();
        std::fs::write(&path, &whole).expect("a file");
        let format = sniff::stream(&whole).ok();
        let expected = objects(&parse_keeping(&whole, format).batch);
        assert!(!expected.is_empty(), "{}", sample.name);
        let input = Input {
            number: 0,
            name: sample.name.clone(),
            path: Some(path.clone()),
            bytes: Some(whole.len() as u64),
        };
        for bytes in [1, 300, 2_000] {
            let mut reader = Reader::open(&input).expect("an input");
            let mut found = Vec::new();
            while let Some(chunk) = reader.next(bytes).expect("lines") {
                found.extend(objects(&parser(&Settings::default()).parse(&chunk, format).batch));
            }
            assert_eq!(found, expected, "{}: {bytes}", sample.name);
        }
    }
}

/// All samples in one stream, each record between others: none is read as what it is not.
#[test]
fn a_mixed_stream_is_read_as_its_records_alone() {
    let (mut whole, mut expected) = (Vec::new(), Vec::new());
    for sample in shared().into_iter().chain(own()) {
        if sample.lines.iter().any(|line| line.starts_with(b"#")) {
            continue;
        }
        for number in sample.records().take(30).collect::<Vec<_>>() {
            let bytes = sample.alone(number);
            expected.extend(objects(&parse_keeping(&bytes, None).batch));
            whole.extend(bytes);
            whole.push(b'\n');
        }
    }
    let found = sniff::recognise(&whole).expect("a format");
    assert_eq!(found.hint, None);
    let together = objects(&parse_keeping(&whole, found.hint).batch);
    assert_eq!(together.len(), expected.len());
    for (one, other) in together.iter().zip(&expected) {
        assert_eq!(one, other);
    }
}

/// Where a sample has one format only, later records of others must not be read as it.
#[test]
fn a_format_takes_no_record_of_another_for_its_own() {
    let mut wrong = Vec::new();
    for sample in shared().into_iter().chain(own()) {
        for number in sample.records().take(6).collect::<Vec<_>>() {
            let bytes = sample.alone(number);
            let alone = objects(&parse_keeping(&bytes, None).batch);
            let Some(own) = alone.first().and_then(|it| it["source_format"].as_str()) else {
                continue;
            };
            // Some lines are common lines with more behind them; canonical events are what their
            // writer made of them.
            let is_kin = |it: &FormatId| match it {
                FormatId::Clf => ["aws_apigw_text", "reactor_netty", "traefik"].contains(&own),
                FormatId::Canonical | FormatId::GenericJson => true,
                FormatId::AzureFrontDoor | FormatId::AzureAppGateway => own.starts_with("azure"),
                FormatId::GcpHttpLb | FormatId::GcpApiGateway => own.starts_with("gcp"),
                FormatId::AwsAlbJson => own == "nginx_json",
                _ => sniff::LENIENT.contains(it),
            };
            for format in FormatId::ALL.iter().filter(|it| !is_kin(it)) {
                let read = objects(&parse_keeping(&bytes, Some(*format)).batch);
                let found = read.first().and_then(|it| it["source_format"].as_str());
                if found != Some(own) {
                    wrong.push(format!("{}:{number}: {own} as {found:?}", sample.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_disagreement_says_why_and_where_it_is_documented() {
    let told = told();
    for it in &told.disagreement {
        assert!(it.because.len() > 20 && it.source.starts_with("https://"), "{it:?}");
    }
    for it in &told.refused {
        assert!(it.because.len() > 10, "{it:?}");
    }
    for name in told.formats.values().flatten() {
        assert!(FormatId::from_name(name).is_some(), "{name}");
    }
}
