//! What each detector reads of an event: without it, it is silent whatever happens.

use super::Fact;
use model::Detector;

/// The facts that a detector needs: of each group one.
///
/// What every event has (a time, an operation, somebody or some address that it is charged to) is not
/// listed. It follows what the detectors read; docs/detection.md says what each makes of it.
pub(crate) const fn of(detector: Detector) -> &'static [&'static [Fact]] {
    match detector {
        Detector::ObjectEnumeration | Detector::WriteBurst => &[&[Fact::Object]],
        Detector::EgressSpike | Detector::ExposureChange => &[&[Fact::BytesOut]],
        Detector::Dormant => &[&[Fact::Identity]],
        Detector::ForeignObject => &[&[Fact::Identity], &[Fact::Object]],
        Detector::UnauthenticatedSuccess => &[&[Fact::Identity], &[Fact::Status]],
        Detector::NewNetwork | Detector::KeyFanout => &[&[Fact::Identity], &[Fact::Network]],
        Detector::AuthFailures | Detector::DeniedProbing => &[&[Fact::Status]],
        Detector::ToolDrift => &[&[Fact::Tool]],
        Detector::SlowDrip => &[&[Fact::BytesOut, Fact::Object]],
        Detector::Delegation => &[&[Fact::Identity], &[Fact::Agent]],
        // A program that calls a tool in its own name is an agent as well.
        Detector::AgentGraph => &[&[Fact::Identity], &[Fact::Agent, Fact::Tool]],
        Detector::RunawayLoop => &[&[Fact::Agent, Fact::Tool], &[Fact::BytesOut]],
        Detector::Injection => &[&[Fact::Target]],
        // Operations, times and how many come: every log has them, and addresses have habits too. What is
        // made of the others sees what they see.
        Detector::FirstSeenEndpoint
        | Detector::NotItself
        | Detector::SecretHarvesting
        | Detector::ToxicFlow
        | Detector::MachineSpeed
        | Detector::Sequence
        | Detector::Inventory
        | Detector::Cadence
        | Detector::IdentityExplosion
        | Detector::JointOutlier
        | Detector::Coincidence => &[],
    }
}

/// Whether a detector is about AI agents: in a log of people and services it has nothing to see.
pub(crate) const fn is_of_agents(detector: Detector) -> bool {
    matches!(
        detector,
        Detector::ToolDrift | Detector::Delegation | Detector::AgentGraph | Detector::RunawayLoop
    )
}
