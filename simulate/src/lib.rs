//! The outside world: reproducible API gateway traffic with known attacks in it.
//!
//! The same [`Scenario`] always gives the same records to the byte: every number comes from one
//! seeded generator, and nothing reads a clock. What is an attack is said in a [`Truth`] beside the
//! traffic and never in it, so that findings can be compared with it afterwards.
//!
//! * `prng`, `digits`, `calendar`: chance, numbers as text, the days of the week;
//! * `record`, `json`, `canonical`, `kong`, `ndjson`, `nginx`, `envoy`, `clf`: a call, and the log formats
//!   it is written in;
//! * `endpoints`, `tools`, `objects`, `client`: the API, whose things are read, how one call comes out;
//! * `roles`, `people`, `services`, `agents`, `strangers`, in terms of `rounds` and `demand`: who
//!   calls, each an `actor`, a stream of calls in time order;
//! * `world`, `change`: who else there is in a whole company, and what happens to everybody;
//! * `cast`, `attacks`, `raids`, `merge`, `scenario`, `truth`: everybody together, what goes wrong (on
//!   one day, or spread over many), in one order;
//! * `cases`: the scenarios A to K;
//! * `habits`: what somebody does on ordinary days, which says what is much;
//! * `benchmark`: flat traffic for measuring speed.

mod actor;
mod agents;
mod attacks;
mod benchmark;
mod calendar;
pub mod canonical;
mod cases;
mod cast;
mod change;
pub mod clf;
mod client;
mod demand;
mod digits;
mod endpoints;
pub mod envoy;
mod habits;
mod json;
pub mod kong;
mod merge;
pub mod ndjson;
pub mod nginx;
mod objects;
mod people;
mod prng;
mod raids;
mod record;
mod roles;
mod rounds;
mod scenario;
mod services;
mod strangers;
mod tools;
mod truth;
mod world;

pub use benchmark::benchmark;
pub use cases::Case;
pub use record::{Caller, Consumer, Context, Mcp, Record, Route};
pub use scenario::{Attacks, HOURS_MAX, Scenario, Traffic, generate, plan};
pub use truth::{Attack, Strength, Truth, Twin};
