//! The inputs: opened, recognised, read in rounds, so that all of them advance together in event time.

use ingest::format::FormatId;
use ingest::parse::{Parsed, Parser};
use ingest::source::{Input, Reader};
use ingest::{Chunk, sniff};
use model::Time;
use std::collections::VecDeque;

/// Chunks that are read in one round.
const ROUND_CHUNKS: usize = 16;
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 256 * 1024;
/// Inputs that are open at the same time; the others wait for their time.
const OPEN_MAX: usize = 64;

/// One input on its way.
#[derive(Debug)]
struct Stream {
    input: Input,
    reader: Option<Reader>,
    /// The declared format, or that of most of its first records.
    format: Option<FormatId>,
    /// What its records are read as; nothing where each is recognised by itself.
    hint: Option<FormatId>,
    /// How far it was read in event time, or its first time while it was not.
    front: Option<Time>,
    /// Chunks that were read ahead.
    ahead: VecDeque<Chunk>,
    /// The reader came to its end.
    is_read: bool,
    /// All of its chunks were handed on.
    is_done: bool,
}

/// All inputs of a run.
#[derive(Debug)]
pub(crate) struct Inputs {
    streams: Vec<Stream>,
    problems: Vec<String>,
    notes: Vec<String>,
    bytes_done: u64,
    formats: Vec<(String, &'static str)>,
    /// Each input's name, by its number.
    names: Vec<String>,
    /// What tells these inputs from others: each one's name, size and first lines.
    identity: String,
}

/// How inputs are to be read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// Turns lines into events.
    pub(crate) parser: &'a Parser,
    /// The format that all inputs are declared to have.
    pub(crate) declared: Option<FormatId>,
}

impl Inputs {
    /// Opens each input, recognises its format, and looks when it begins.
    ///
    /// An input that cannot be read, or whose format is not recognised, becomes a problem; the
    /// others go on.
    pub(crate) fn open(inputs: Vec<Input>, reading: &Reading<'_>) -> Self {
        let mut all = Self {
            streams: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            bytes_done: 0,
            formats: Vec::new(),
            names: inputs.iter().map(|input| input.name.clone()).collect(),
            identity: String::new(),
        };
        for input in inputs {
            match open_one(input, reading) {
                Ok((mut stream, sample)) => {
                    let Input { name, bytes, .. } = &stream.input;
                    let one = format!("{name} {bytes:?} {sample} ");
                    all.identity.push_str(&one);
                    let kept = all.streams.iter().filter(|it| it.reader.is_some()).count();
                    if kept >= OPEN_MAX && stream.input.path.is_some() {
                        stream.reader = None;
                    }
                    if let Some(format) = stream.format {
                        all.formats.push((stream.input.name.clone(), format.as_str()));
                    }
                    all.streams.push(stream);
                }
                Err(problem) => {
                    all.problems.push(problem);
                }
            }
        }
        all
    }

    /// The next chunks: of the inputs that lag behind in event time; none when all are read.
    pub(crate) fn next_chunks(&mut self) -> Vec<(usize, Chunk)> {
        let open = |stream: &&mut Stream| !stream.is_done;
        let Some(lag) = self.streams.iter_mut().filter(open).map(|it| it.front).min() else {
            return Vec::new();
        };
        let behind: Vec<usize> = (0..self.streams.len())
            .filter(|index| {
                self.streams.get(*index).is_some_and(|it| !it.is_done && it.front <= lag)
            })
            .take(ROUND_CHUNKS)
            .collect();
        let each = (ROUND_CHUNKS / behind.len().max(1)).max(1);
        let mut chunks = Vec::with_capacity(ROUND_CHUNKS);
        for index in behind {
            for _ in 0..each {
                match self.next_chunk(index) {
                    Some(chunk) => chunks.push((index, chunk)),
                    None => break,
                }
            }
        }
        if chunks.is_empty() && self.streams.iter().any(|it| !it.is_done) {
            return self.next_chunks();
        }
        chunks
    }

    /// Reads a round's worth of the input that was read last, if there is only one left: which
    /// chunks come next is then known before the last ones are parsed.
    pub(crate) fn read_ahead(&mut self) {
        let mut left = (0..self.streams.len())
            .filter(|index| self.streams.get(*index).is_some_and(|it| !it.is_done));
        let (Some(index), None) = (left.next(), left.next()) else { return };
        for _ in 0..ROUND_CHUNKS {
            let chunk = self.read_chunk(index);
            let Some(stream) = self.streams.get_mut(index) else { return };
            match chunk {
                Some(chunk) => stream.ahead.push_back(chunk),
                None => return,
            }
        }
    }

    fn next_chunk(&mut self, index: usize) -> Option<Chunk> {
        let ahead = self.streams.get_mut(index)?.ahead.pop_front();
        let chunk = ahead.or_else(|| self.read_chunk(index));
        if chunk.is_none() {
            self.streams.get_mut(index)?.is_done = true;
        }
        chunk
    }

    /// The next chunk from the reader; none at its end.
    fn read_chunk(&mut self, index: usize) -> Option<Chunk> {
        let stream = self.streams.get_mut(index)?;
        if stream.is_read {
            return None;
        }
        if stream.reader.is_none() {
            match Reader::open(&stream.input) {
                Ok(reader) => stream.reader = Some(reader),
                Err(error) => {
                    self.problems.push(error.to_string());
                    stream.is_read = true;
                    return None;
                }
            }
        }
        let reader = stream.reader.as_mut()?;
        let before = reader.bytes_read();
        let next = reader.next(CHUNK_BYTES);
        self.bytes_done += reader.bytes_read() - before;
        match next {
            Ok(Some(chunk)) => return Some(chunk),
            Ok(None) => {
                if let Some(problem) = reader.problem() {
                    let list = if problem.is_note() { &mut self.notes } else { &mut self.problems };
                    list.push(problem.to_string());
                }
            }
            Err(error) => self.problems.push(error.to_string()),
        }
        stream.is_read = true;
        stream.reader = None;
        None
    }

    /// What an input is read as: its declared format, or the one that all of its records seem to have.
    pub(crate) fn hint(&self, index: usize) -> Option<FormatId> {
        self.streams.get(index).and_then(|stream| stream.hint)
    }

    /// Notes how far an input got in event time.
    pub(crate) fn advance(&mut self, index: usize, parsed: &Parsed) {
        if let Some(stream) = self.streams.get_mut(index) {
            stream.front = stream.front.max(parsed.front());
        }
    }

    /// The time before which no input will bring an event, `None` once all inputs are read.
    pub(crate) fn front(&self) -> Option<Time> {
        let waiting = self.streams.iter().filter(|stream| !stream.is_done);
        waiting.map(|stream| stream.front.unwrap_or(Time::MIN_EVENT)).min()
    }

    /// What went wrong, a line each.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What is worth a note but not wrong, a line each.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bytes read, as stored.
    pub(crate) const fn bytes_done(&self) -> u64 {
        self.bytes_done
    }

    /// All names, by number.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of the input with a number, as positions have it.
    pub(crate) fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    /// What tells these inputs from others: each one's name, size and a hash of its first lines, so
    /// that two streams on standard input are not taken for the same.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Each input's name and format.
    pub(crate) fn formats(&self) -> &[(String, &'static str)] {
        &self.formats
    }
}

/// An input with its format and beginning, and a hash of its first lines.
fn open_one(input: Input, reading: &Reading<'_>) -> Result<(Stream, String), String> {
    /// Bytes of the sample that are parsed to see when an input begins.
    const FIRST_LINES_BYTES: usize = 16 * 1024;
    let mut reader = Reader::open(&input).map_err(|error| error.to_string())?;
    let sample = reader.sample();
    let (format, hint) = match reading.declared {
        Some(format) => (Some(format), Some(format)),
        None if sample.is_empty() => (None, None),
        None => {
            let found = sniff::recognise(sample);
            let found = found.map_err(|refusal| format!("{}: {refusal}", input.name))?;
            (Some(found.format), found.hint)
        }
    };
    let hash = detect::short_hash(&String::from_utf8_lossy(sample));
    let end = sample.len().min(FIRST_LINES_BYTES);
    let lines = sample.get(..end).unwrap_or_default();
    let lines = lines.iter().rposition(|byte| *byte == b'\n').and_then(|at| lines.get(..at));
    let first = Chunk { bytes: lines.unwrap_or_default().to_vec(), ..Chunk::default() };
    let front = reading.parser.parse(&first, hint).times.map(|(first, _)| first);
    let stream = Stream {
        input,
        reader: Some(reader),
        format,
        hint,
        front,
        ahead: VecDeque::new(),
        is_read: false,
        is_done: false,
    };
    Ok((stream, hash))
}
