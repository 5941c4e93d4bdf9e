//! The outside world: reproducible API gateway traffic with known attacks in it.
//!
//! The same [`Scenario`] always gives the same records to the byte: every number comes from one
//! seeded generator, and nothing reads a clock. What is an attack is said in a [`Truth`] beside the
//! traffic and never in it, so that findings can be compared with it afterwards.
//!
//! * `prng`, `digits`, `calendar`: chance, numbers as text, the days of the week;
//! * `record`, `json`, `kong`, `ndjson`: a call, and the two log formats it is written in;
//! * `endpoints`, `tools`, `objects`, `client`: the API, whose things are read, how one call comes out;
//! * `roles`, `people`, `services`, `agents`, `strangers`, in terms of `rounds` and `demand`: who
//!   calls, each an `actor`, a stream of calls in time order;
//! * `cast`, `attacks`, `merge`, `scenario`, `truth`: everybody together, what goes wrong, in one
//!   order;
//! * `benchmark`: flat traffic for measuring speed.

mod actor;
mod agents;
mod attacks;
mod benchmark;
mod calendar;
mod cast;
mod client;
mod demand;
mod digits;
mod endpoints;
mod json;
pub mod kong;
mod merge;
pub mod ndjson;
mod objects;
mod people;
mod prng;
mod record;
mod roles;
mod rounds;
mod scenario;
mod services;
mod strangers;
mod tools;
mod truth;

pub use benchmark::benchmark;
pub use record::{Caller, Consumer, Mcp, Record, Route};
pub use scenario::{HOURS_MAX, Scenario, Traffic, generate, plan};
pub use truth::{Attack, Strength, Truth, Twin};
