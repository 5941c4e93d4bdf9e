//! The integration tests: the binary as people run it, its corpora, and the rules of this repository.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says on standard output what it skipped"
)]

mod adbench;
mod back_test;
mod bad_input;
mod commands;
mod connections;
mod console;
mod control;
mod corpus;
mod dashboards;
mod dead_letters;
mod deploy;
mod determinism;
mod evaluate;
mod faults;
mod feedback;
mod files;
mod flood;
mod forget;
mod gateways;
mod habitus;
mod incidents;
mod labelled;
mod live;
mod operation;
mod outlets;
mod privileges;
mod queries;
mod reading;
mod reads;
mod rebalance;
mod replay;
mod report;
mod response;
mod samples;
mod scenarios;
mod service;
mod services;
mod serving;
mod simulated;
mod speed;
mod stages;
mod tidy;
mod truth;
mod truths;
