//! The detectors: each reads the open window against the baseline, and explains what it read.
//!
//! A detector is one module with the same four parts: `ABOUT`, `read` (its statistic), `trip` (the
//! count at which it wants to be asked again) and `explain`. To add one: copy a module, add its
//! variant to [`model::Detector`] and its lines to the tables below, and give it a corpus folder.
//! One that is about something else than an identity has `take`, `look` and `close` instead, and
//! its place in [`crate::watch`].

pub(crate) mod agent_graph;
pub(crate) mod auth_failures;
pub(crate) mod cadence;
pub(crate) mod coincidence;
pub(crate) mod delegation;
pub(crate) mod denied_probing;
pub(crate) mod dormant;
pub(crate) mod egress_spike;
pub(crate) mod exposure_change;
pub(crate) mod first_seen_endpoint;
pub(crate) mod foreign_object;
pub(crate) mod identity_explosion;
pub(crate) mod injection;
pub(crate) mod inventory;
pub(crate) mod joint_outlier;
pub(crate) mod key_fanout;
pub(crate) mod machine_speed;
pub(crate) mod new_network;
pub(crate) mod newcomer;
pub(crate) mod not_itself;
pub(crate) mod object_enumeration;
pub(crate) mod runaway_loop;
pub(crate) mod secret_harvesting;
pub(crate) mod sequence;
pub(crate) mod slow_drip;
pub(crate) mod tool_drift;
pub(crate) mod toxic_flow;
pub(crate) mod unauthenticated_success;
pub(crate) mod write_burst;

use crate::calibration::Calibration;
use crate::classes::ClassTable;
use crate::explain::quote;
use crate::identity::Identity;
use crate::models::Models;
use crate::open_window::OpenWindow;
use crate::population::{Measure, Population};
use crate::settings::Plan;
use crate::statistics::Predictive;
use crate::statistics::tail::seen_before;
use model::{Contributor, Detector, EndpointId, Endpoints, Time};

/// All that a detector may look at: one identity, its open window, and what is ordinary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) population: &'a Population,
    pub(crate) calibration: &'a Calibration,
    pub(crate) models: &'a Models,
    pub(crate) classes: &'a ClassTable,
    pub(crate) identity: &'a Identity,
    pub(crate) open: &'a OpenWindow,
    /// Hours with a log before this one.
    pub(crate) logged_h: u32,
}

impl View<'_> {
    /// Calls of the whole hour: those so far, or what is usual for the identity if that is more, so
    /// that what is read early in an hour is judged like what is read at its end.
    pub(crate) fn calls_per_hour(&self) -> f64 {
        let usual = self.identity.calls as f64 / f64::from(self.identity.hours.max(1));
        f64::from(self.open.calls).max(usual)
    }

    /// Active windows of a short span in an active hour, by the identity's own history or its peers'.
    pub(crate) fn spans_per_hour(&self, measure: Measure) -> f64 {
        // Every learned hour adds one window to this measure.
        let hours = Measure::DeniedPerHour as usize;
        let own = &self.identity.counts;
        let spans = own.get(measure as usize).zip(own.get(hours));
        if let Some((spans, hours)) = spans.filter(|(_, hours)| hours.n >= 1.0) {
            return f64::from(spans.n) / f64::from(hours.n);
        }
        let peers = &self.population.peers(self.identity).counts;
        let spans = peers.get(measure as usize).zip(peers.get(hours));
        spans.filter(|(_, hours)| hours.n > 0.0).map_or(1.0, |(spans, hours)| spans.n / hours.n)
    }
}

/// What a detector's statistic says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) detector: Detector,
    /// The endpoint that it is about; `None` for the identity as a whole.
    pub(crate) entity: Option<EndpointId>,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) observed: f64,
    pub(crate) expected: f64,
    /// −log10 of the probability of something at least this odd.
    pub(crate) surprise: f64,
    pub(crate) law: Law,
}

/// The law that a surprise came from, so that a band and a counterfactual can be given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// A count; the largest of `n` windows.
    Count(Predictive, f64),
    /// A size: Student's law of ln(1 + x).
    Size { centre: f64, scale: f64, freedom: f64 },
    /// A run of calls: each goes on with a chance that is Beta distributed; the longest of `n` runs.
    Run { a: f64, b: f64, n: f64 },
    /// A mean: Student's law; the largest of `n`.
    Mean { centre: f64, scale: f64, freedom: f64, n: f64 },
    /// A count whose first has the surprise `first` and each further one `each`; the oddest of `n`.
    Hurdle { first: f64, each: f64, n: f64 },
    /// The statistic is proportional to the surprise beyond what was there before: observed =
    /// exp((surprise − before) · unit).
    Ratio { unit: f64, before: f64 },
    /// The statistic has no inverse that a reader could use; only this value is known of it, that
    /// 99.9 % of ordinary windows stay under.
    Bound(f64),
}

/// The surprise of what 99.9 % of ordinary windows stay under.
pub(crate) const UPPER_SURPRISE: f64 = 3.0;

/// What a detector is: constants of its module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) version: u32,
    pub(crate) unit: &'static str,
    /// How bad it is if true, 0 to 1.
    pub(crate) danger: f64,
    pub(crate) owasp: &'static [&'static str],
    pub(crate) attack: &'static [&'static str],
}

/// A reading in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) sentence: String,
    pub(crate) counterfactual: String,
    pub(crate) contributors: Vec<Contributor>,
    pub(crate) evidence_sql: String,
    /// How bad it is if true, 0 to 1, given the outcome.
    pub(crate) danger: f64,
}

/// What a detector says of itself.
pub(crate) const fn about(detector: Detector) -> &'static About {
    match detector {
        Detector::ObjectEnumeration => &object_enumeration::ABOUT,
        Detector::EgressSpike => &egress_spike::ABOUT,
        Detector::FirstSeenEndpoint => &first_seen_endpoint::ABOUT,
        Detector::ForeignObject => &foreign_object::ABOUT,
        Detector::UnauthenticatedSuccess => &unauthenticated_success::ABOUT,
        Detector::NewNetwork => &new_network::ABOUT,
        Detector::AuthFailures => &auth_failures::ABOUT,
        Detector::DeniedProbing => &denied_probing::ABOUT,
        Detector::SecretHarvesting => &secret_harvesting::ABOUT,
        Detector::ToxicFlow => &toxic_flow::ABOUT,
        Detector::ToolDrift => &tool_drift::ABOUT,
        Detector::MachineSpeed => &machine_speed::ABOUT,
        Detector::SlowDrip => &slow_drip::ABOUT,
        Detector::Sequence => &sequence::ABOUT,
        Detector::Delegation => &delegation::ABOUT,
        Detector::Injection => &injection::ABOUT,
        Detector::ExposureChange => &exposure_change::ABOUT,
        Detector::WriteBurst => &write_burst::ABOUT,
        Detector::RunawayLoop => &runaway_loop::ABOUT,
        Detector::Inventory => &inventory::ABOUT,
        Detector::KeyFanout => &key_fanout::ABOUT,
        Detector::Cadence => &cadence::ABOUT,
        Detector::Dormant => &dormant::ABOUT,
        Detector::AgentGraph => &agent_graph::ABOUT,
        Detector::IdentityExplosion => &identity_explosion::ABOUT,
        Detector::JointOutlier => &joint_outlier::ABOUT,
        Detector::NotItself => &not_itself::ABOUT,
        Detector::Coincidence => &coincidence::ABOUT,
    }
}

/// Appends what a detector reads in the window as it stands.
pub(crate) fn read(detector: Detector, view: &View<'_>, out: &mut Vec<Reading>) {
    if !view.plan.is_enabled(detector) {
        return;
    }
    match detector {
        Detector::ObjectEnumeration => object_enumeration::read(view, out),
        Detector::EgressSpike => out.extend(egress_spike::read(view)),
        Detector::FirstSeenEndpoint => out.extend(first_seen_endpoint::read(view)),
        Detector::ForeignObject => out.extend(foreign_object::read(view)),
        Detector::NewNetwork => out.extend(new_network::read(view)),
        Detector::AuthFailures => out.extend(auth_failures::read(view)),
        Detector::DeniedProbing => out.extend(denied_probing::read(view)),
        Detector::SecretHarvesting => out.extend(secret_harvesting::read(view)),
        Detector::ToxicFlow => out.extend(toxic_flow::read(view)),
        Detector::ToolDrift => out.extend(tool_drift::read(view)),
        Detector::MachineSpeed => out.extend(machine_speed::read(view)),
        Detector::Sequence => sequence::read(view, out),
        Detector::Delegation => delegation::read(view, out),
        Detector::Injection => injection::read(view, out),
        Detector::WriteBurst => out.extend(write_burst::read(view)),
        Detector::RunawayLoop => out.extend(runaway_loop::read(view)),
        Detector::Dormant => out.extend(dormant::read(view)),
        Detector::JointOutlier => out.extend(joint_outlier::read(view)),
        Detector::NotItself => out.extend(not_itself::read(view)),
        // Of the day, which `read_day` reads, made of the others, or watched beside identities.
        _ => {}
    }
}

/// Appends what detectors read in each five minutes of a closed window, for a ranking: none of it is raised.
pub(crate) fn read_spans(view: &View<'_>, out: &mut Vec<Reading>) {
    if view.identity.is_overflow() {
        return;
    }
    if view.plan.is_enabled(Detector::Injection) {
        injection::read_spans(view, out);
    }
    if view.plan.is_enabled(Detector::MachineSpeed) {
        machine_speed::read_spans(view, out);
    }
    if view.plan.is_enabled(Detector::WriteBurst) {
        write_burst::read_spans(view, out);
    }
}

/// Detectors that read days instead of hours.
pub(crate) const OF_DAYS: [Detector; 2] = [Detector::SlowDrip, Detector::Cadence];

/// What a detector of days reads in the day as it stands.
pub(crate) fn read_day(detector: Detector, view: &View<'_>) -> Vec<Reading> {
    if !view.plan.is_enabled(detector) {
        return Vec::new();
    }
    match detector {
        Detector::SlowDrip => slow_drip::read(view).into_iter().flatten().collect(),
        Detector::Cadence => cadence::read(view).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a day that is open could raise anything by now: nearly all could not, and need not be read before
/// they end.
pub(crate) fn could_raise_day(detector: Detector, view: &View<'_>) -> bool {
    match detector {
        Detector::SlowDrip => slow_drip::could_raise(view),
        Detector::Cadence => cadence::could_turn(view),
        _ => false,
    }
}

/// Whether a day's reading only goes on with what was said of a day before.
pub(crate) fn goes_on(view: &View<'_>, reading: &Reading) -> bool {
    match reading.detector {
        Detector::SlowDrip => slow_drip::goes_on(view, reading),
        Detector::Cadence => cadence::goes_on(view),
        _ => false,
    }
}

/// Whether a day's reading says anything of how often ordinary traffic is so odd.
pub(crate) fn is_measure_day(detector: Detector, view: &View<'_>) -> bool {
    detector != Detector::Cadence || cadence::could_turn(view)
}

/// The row in `signals` of a day's reading; none where it is not worth one.
pub(crate) fn as_signal(view: &View<'_>, reading: &Reading) -> Option<Reading> {
    match reading.detector {
        Detector::Cadence => cadence::as_signal(view, reading),
        _ => (reading.surprise >= crate::partition::SIGNAL_SURPRISE_MIN).then_some(*reading),
    }
}

/// Whether a detector could have something to read in the window, were there anything odd in it.
pub(crate) fn could_read(detector: Detector, view: &View<'_>) -> bool {
    match detector {
        Detector::FirstSeenEndpoint => first_seen_endpoint::could_read(view),
        Detector::ForeignObject => foreign_object::could_read(view),
        Detector::ToxicFlow => toxic_flow::could_read(view),
        Detector::Sequence => sequence::could_read(view),
        Detector::NewNetwork => new_network::could_read(view),
        Detector::ToolDrift => tool_drift::could_read(view),
        Detector::Delegation => delegation::could_read(view),
        Detector::RunawayLoop => runaway_loop::could_read(view),
        Detector::JointOutlier => joint_outlier::could_read(view),
        Detector::EgressSpike => view.open.sized > 0 && view.population.is_ready(),
        Detector::SlowDrip | Detector::Cadence => false,
        _ if detector.is_beside_identities() => false,
        _ => view.population.is_ready(),
    }
}

/// Whether a reading may become a finding: enough happened, and enough is known of the identity.
pub(crate) fn may_raise(view: &View<'_>, reading: &Reading) -> bool {
    match reading.detector {
        Detector::ObjectEnumeration => object_enumeration::may_raise(reading),
        Detector::EgressSpike => egress_spike::may_raise(reading),
        Detector::ForeignObject => foreign_object::may_raise(reading),
        Detector::AuthFailures => auth_failures::may_raise(reading),
        Detector::DeniedProbing => denied_probing::may_raise(reading),
        Detector::SecretHarvesting => secret_harvesting::may_raise(reading),
        Detector::ToxicFlow => toxic_flow::may_raise(view),
        Detector::MachineSpeed => machine_speed::may_raise(reading),
        Detector::SlowDrip => slow_drip::may_raise(view, reading),
        Detector::Sequence => sequence::may_raise(reading),
        Detector::Delegation => delegation::may_raise(reading),
        Detector::Injection => injection::may_raise(view, reading),
        Detector::WriteBurst => write_burst::may_raise(reading),
        Detector::RunawayLoop => runaway_loop::may_raise(reading),
        Detector::Cadence => cadence::may_raise(view),
        Detector::Dormant => dormant::may_raise(view, reading),
        Detector::NotItself => not_itself::may_raise(view),
        Detector::FirstSeenEndpoint | Detector::NewNetwork | Detector::ToolDrift => true,
        Detector::JointOutlier => joint_outlier::may_raise(view),
        Detector::Coincidence => coincidence::may_raise(view),
        _ => false,
    }
}

/// What a reading is about, by name: its endpoint, or what else its detector names.
pub(crate) fn entity<'a>(view: &View<'a>, reading: &Reading) -> &'a str {
    match reading.detector {
        Detector::NewNetwork => new_network::entity(view),
        Detector::RunawayLoop => runaway_loop::entity(view.open),
        Detector::ToolDrift => tool_drift::entity(view),
        // Of an agent, that agent; or what it does that those whom it acts for do not.
        Detector::Delegation if reading.entity.is_none() => &view.identity.name,
        _ => reading.entity.map_or("", |endpoint| view.endpoints.name(endpoint)),
    }
}

/// What the three numbers of a reading count.
pub(crate) fn unit(reading: &Reading, view: &View<'_>) -> &'static str {
    match (reading.detector, reading.entity) {
        (Detector::Dormant, _) => dormant::unit(view),
        (Detector::Sequence, Some(_)) => sequence::SKIP_UNIT,
        (Detector::Delegation, Some(_)) => delegation::BEYOND_UNIT,
        (Detector::ToolDrift, _) => tool_drift::unit(view),
        _ => about(reading.detector).unit,
    }
}

/// All that the numbers of a detector's readings may count.
pub(crate) const fn units_of(detector: Detector) -> [&'static str; 2] {
    let usual = about(detector).unit;
    match detector {
        Detector::Dormant => [usual, dormant::UNIT_NEWBORN],
        Detector::Sequence => [usual, sequence::SKIP_UNIT],
        Detector::Delegation => [usual, delegation::BEYOND_UNIT],
        Detector::ToolDrift => [usual, tool_drift::UNIT_SIZE],
        _ => [usual, usual],
    }
}

/// What a finding rests on: calls that were learned, other identities that stand beside them, and how
/// much is known by now.
pub(crate) fn rests_on(detector: Detector, view: &View<'_>) -> (u64, u32, &'static str) {
    if detector == Detector::Delegation {
        let (calls, hours, agents) = delegation::rests_on(view);
        return (calls, agents, crate::identity::baseline_state_of(hours));
    }
    let identity = view.identity;
    (identity.calls_learned(view.open), peers_of(view), identity.baseline_state())
}

/// Says a reading in words.
pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    match reading.detector {
        Detector::ObjectEnumeration => object_enumeration::explain(view, reading, cut),
        Detector::EgressSpike => egress_spike::explain(view, reading, cut),
        Detector::FirstSeenEndpoint => first_seen_endpoint::explain(view, reading),
        Detector::NewNetwork => new_network::explain(view, reading),
        Detector::ForeignObject => foreign_object::explain(view, reading, cut),
        Detector::AuthFailures => auth_failures::explain(view, reading, cut),
        Detector::DeniedProbing => denied_probing::explain(view, reading, cut),
        Detector::SecretHarvesting => secret_harvesting::explain(view, reading, cut),
        Detector::ToxicFlow => toxic_flow::explain(view, reading),
        Detector::ToolDrift => tool_drift::explain(view, reading),
        Detector::MachineSpeed => machine_speed::explain(view, reading, cut),
        Detector::SlowDrip => slow_drip::explain(view, reading, cut),
        Detector::Sequence => sequence::explain(view, reading, cut),
        Detector::Delegation => delegation::explain(view, reading, cut),
        Detector::Injection => injection::explain(view, reading, cut),
        Detector::WriteBurst => write_burst::explain(view, reading, cut),
        Detector::RunawayLoop => runaway_loop::explain(view, reading, cut),
        Detector::Cadence => cadence::explain(view, reading, cut),
        Detector::Dormant => dormant::explain(view, reading, cut),
        Detector::JointOutlier => joint_outlier::explain(view, reading),
        Detector::NotItself => not_itself::explain(view, reading, cut),
        Detector::Coincidence => coincidence::explain(view, reading, cut),
        // What is watched beside identities has words of its own.
        _ => Words::default(),
    }
}

/// Sets the counts at which the open window asks the detectors.
pub(crate) fn set_tripwires(view: &View<'_>, open: &mut OpenWindow) {
    machine_speed::trip(view, open);
    sequence::trip(view, open);
    write_burst::trip(view, open);
    egress_spike::trip(view, open);
    denied_probing::trip(view, open);
    auth_failures::trip(view, open);
    not_itself::trip(view, open);
}

/// Moves the tripwire of a detector that was asked and found nothing, or has already said it.
pub(crate) fn raise_tripwire(detector: Detector, open: &mut OpenWindow) {
    match detector {
        Detector::ObjectEnumeration | Detector::ForeignObject => {
            object_enumeration::raise_tripwire(open);
        }
        Detector::EgressSpike => open.bytes_tripwire = open.bytes_out * 1.25,
        Detector::AuthFailures => open.failures_tripwire = later(open.failures),
        Detector::DeniedProbing => open.denied_tripwire = later(open.denied.len() as u32),
        Detector::SecretHarvesting => secret_harvesting::raise_tripwire(open),
        Detector::MachineSpeed => machine_speed::raise_tripwire(open),
        Detector::Sequence => sequence::raise_tripwire(open),
        Detector::Delegation => delegation::raise_tripwire(open),
        Detector::Injection => injection::raise_tripwire(open),
        Detector::WriteBurst => write_burst::raise_tripwire(open),
        Detector::RunawayLoop => runaway_loop::raise_tripwire(open),
        Detector::Dormant => dormant::raise_tripwire(open),
        Detector::NotItself => open.itself_tripwire = open.calls + not_itself::CALLS_PER_LOOK,
        _ => {}
    }
}

/// The count at which to look again: an eighth more, so that looking costs little and delays little.
pub(crate) const fn later(count: u32) -> u32 {
    count.saturating_add(count / 8).saturating_add(1)
}

impl Words {
    /// Nothing to say.
    pub(crate) const fn none(danger: f64) -> Self {
        Self {
            sentence: String::new(),
            counterfactual: String::new(),
            contributors: Vec::new(),
            evidence_sql: String::new(),
            danger,
        }
    }
}

impl Law {
    /// The smallest observed value with at least `surprise`; for [`Law::Bound`] always the bound.
    pub(crate) fn value_at(&self, surprise: f64) -> f64 {
        match self {
            Self::Count(law, n) => crate::statistics::moments::smallest(|count| {
                crate::statistics::tail::largest_of(law.surprise(count), *n) >= surprise
            }),
            Self::Size { centre, scale, freedom } => {
                let (mut low, mut high) = (0.0, 1e6);
                for _ in 0..60 {
                    let middle = f64::midpoint(low, high);
                    if crate::statistics::tail::student(middle, *freedom) < surprise {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                (centre + scale * high).min(36.0).exp_m1()
            }
            Self::Run { a, b, n } => crate::statistics::moments::smallest(|calls| {
                let single = crate::statistics::tail::run(calls, *a, *b);
                crate::statistics::tail::largest_of(single, *n) >= surprise
            }),
            Self::Mean { centre, scale, freedom, n } => {
                let (mut low, mut high) = (*centre, centre + 1e6 * scale);
                for _ in 0..80 {
                    let middle = f64::midpoint(low, high);
                    let single =
                        crate::statistics::tail::student((middle - centre) / scale, *freedom);
                    if crate::statistics::tail::largest_of(single, *n) < surprise {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                high
            }
            Self::Hurdle { first, each, n } => crate::statistics::moments::smallest(|count| {
                let single = first + (count - 1.0) * each;
                crate::statistics::tail::largest_of(single, *n) >= surprise
            }),
            Self::Ratio { unit, before } => ((surprise - before).max(0.0) * unit).exp(),
            Self::Bound(upper) => *upper,
        }
    }
}

/// What a count of the whole hour says, held to what the identity did before.
pub(crate) fn hourly(
    view: &View<'_>,
    detector: Detector,
    measure: Measure,
    count: u32,
) -> Option<Reading> {
    if count == 0 {
        return None;
    }
    let law = view.population.predictive(view.identity, measure)?;
    let mut surprise = law.surprise(f64::from(count));
    if count <= most(view, measure) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    Some(Reading {
        detector,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(count),
        expected: law.mean,
        surprise,
        law: Law::Count(law, 1.0),
    })
}

/// The identity's own largest count of a measure, among the windows that were learned.
pub(crate) fn most(view: &View<'_>, measure: Measure) -> u32 {
    view.identity.most.get(measure as usize).copied().unwrap_or(0)
}

/// The count at which a detector asks to be looked at: beyond the ordinary, and never below `min`.
pub(crate) fn tripwire(view: &View<'_>, measure: Measure, min: u32) -> u32 {
    let law = view.population.predictive(view.identity, measure);
    law.map_or(u32::MAX, |law| min.max(law.three_sigma().ceil() as u32))
}

/// The condition of a query for the identity's rows.
pub(crate) fn whose(view: &View<'_>) -> String {
    crate::explain::whose(view.identity.tenant(), &view.identity.name)
}

/// A query over the identity's hours, the one in question first.
pub(crate) fn windows_sql(view: &View<'_>, columns: &str) -> String {
    format!(
        "SELECT window_start, {columns} FROM windows WHERE {} \
         AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
        whose(view),
        view.open.start,
    )
}

/// The same with what a detector's rows of `signals` say of the windows that it ranked: `observed` and
/// `expected`, and the span within the hour that they are of; the others have none.
pub(crate) fn ranked_sql(view: &View<'_>, detector: Detector, columns: &[&str]) -> String {
    let columns: Vec<_> =
        columns.iter().map(|column| format!("windows.{column} AS {column}")).collect();
    format!(
        "SELECT windows.window_start AS window_start, signals.observed AS observed, \
         signals.expected AS expected, signals.window_start AS span_start, \
         signals.window_seconds AS span_seconds, {} FROM windows LEFT JOIN signals \
         ON signals.tenant_id = windows.tenant_id AND signals.principal_id = windows.principal_id \
         AND date_trunc('hour', signals.window_start) = windows.window_start \
         AND signals.detector = '{}' WHERE windows.tenant_id = {} AND windows.principal_id = {} \
         AND windows.window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
        columns.join(", "),
        detector.as_str(),
        quote(view.identity.tenant()),
        quote(&view.identity.name),
        view.open.start,
    )
}

/// The endpoints with the largest share of `part`, five at most.
pub(crate) fn by_endpoint(
    view: &View<'_>,
    part: impl Fn(&crate::open_window::EndpointCalls) -> f64,
) -> Vec<Contributor> {
    let total: f64 = view.open.endpoints.iter().map(&part).sum();
    let mut parts: Vec<_> = view
        .open
        .endpoints
        .iter()
        .map(|calls| (part(calls), calls.endpoint))
        .filter(|(value, _)| *value > 0.0)
        .collect();
    parts.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
    parts.truncate(model::Finding::CONTRIBUTORS_MAX);
    parts
        .into_iter()
        .map(|(observed, endpoint)| Contributor {
            name: view.endpoints.name(endpoint).to_owned(),
            observed,
            share: observed / total,
        })
        .collect()
}

/// Peers that a statement about the identity rests on.
pub(crate) fn peers_of(view: &View<'_>) -> u32 {
    let members = view.population.peers(view.identity).members;
    members.saturating_sub(u32::from(view.identity.learned > 0))
}
