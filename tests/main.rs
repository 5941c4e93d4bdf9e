//! The integration tests: the binary as people run it, its corpora, and the rules of this repository.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says on standard output what it skipped"
)]

mod adbench;
mod bad_input;
mod commands;
mod corpus;
mod determinism;
mod forget;
mod habitus;
mod labelled;
mod live;
mod reading;
mod reads;
mod replay;
mod samples;
mod services;
mod tidy;
mod truth;
