//! The features of one identity's hour, as the joint model sees them.

use crate::open_window::OpenWindow;

/// How many features there are.
pub(crate) const FEATURES: usize = 22;

/// The least scale of a feature: a sixth more of something, or a share of 3 %, is never odd.
pub(crate) const SCALE_MIN: f64 = 0.15;

/// The features' names, as an explanation gives them.
pub(crate) const NAMES: [&str; FEATURES] = [
    "calls",
    "calls in the busiest 10 s",
    "calls in the busiest minute",
    "share of redirects",
    "share of failed authentication",
    "share of refusals",
    "share of not found",
    "share of other client errors",
    "share of server errors",
    "share of writes",
    "distinct endpoints",
    "new endpoints that few use",
    "distinct refused operations",
    "distinct objects",
    "distinct networks",
    "distinct user agents",
    "bytes out",
    "bytes in",
    "bytes per response",
    "middle duration",
    "middle gap",
    "surprisal of its endpoints",
];

/// The features of a window. What a release brings, everybody calls for the first time: on its first day it
/// is none of the new endpoints, and no surprisal. They are logarithms of counts and sizes, and square roots of shares.
pub(crate) fn of(open: &OpenWindow) -> [f32; FEATURES] {
    let calls = f64::from(open.calls.max(1));
    let log = |count: f64| count.max(0.0).ln_1p() as f32;
    let share = |count: u32| (f64::from(count) / calls).sqrt() as f32;
    let statuses = &open.statuses;
    let objects: usize = open.objects.iter().map(|set| set.objects.len()).sum();
    let peak = |index: usize| open.speeds.get(index).map_or(0.0, |speed| f64::from(speed.peak));
    [
        log(calls),
        log(peak(0)),
        log(peak(1)),
        share(statuses.s3xx),
        share(statuses.s401),
        share(statuses.s403),
        share(statuses.s404),
        share(statuses.s4xx),
        share(statuses.s5xx),
        share(open.writes),
        log(open.endpoints.len() as f64),
        log(f64::from(open.novel_alone)),
        log(open.denied.len() as f64),
        log(objects as f64),
        log(open.networks.len() as f64),
        log(open.user_agents.len() as f64),
        log(open.bytes_out),
        log(open.bytes_in),
        log(open.bytes_out / f64::from(open.sized.max(1))),
        log(open.durations.quantile(0.5).unwrap_or(0.0) / 1e6),
        log(open.gaps.quantile(0.5).unwrap_or(0.0) / 1e6),
        (open.surprisal_bits / calls) as f32,
    ]
}
