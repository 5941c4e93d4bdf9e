//! Whole lines of one input, read together.

/// Whole lines of one input, separated by `\n`.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The input's number: inputs in the order given.
    pub source: u32,
    /// The 1-based number of the first line.
    pub first_line: u64,
    /// The lines; the last one may lack its `\n` only at the input's end.
    pub bytes: Vec<u8>,
    /// Lines that were longer than [`model::limit::LINE_BYTES_MAX`]: the line's number and its
    /// length in bytes. An empty line stands in `bytes` in the place of each.
    pub oversize: Vec<(u64, u64)>,
    /// The header lines of the input before this chunk that still hold, such as `#Fields: …`, each
    /// with a `\n`: what the lines below mean does not depend on where the input was cut.
    pub header: Vec<u8>,
}
