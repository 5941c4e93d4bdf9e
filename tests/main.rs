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
mod connections;
mod corpus;
mod dead_letters;
mod deploy;
mod determinism;
mod faults;
mod files;
mod forget;
mod habitus;
mod labelled;
mod live;
mod operation;
mod outlets;
mod reading;
mod reads;
mod rebalance;
mod replay;
mod samples;
mod service;
mod services;
mod simulated;
mod speed;
mod stages;
mod tidy;
mod truth;
