//! What is known about the traffic beforehand: its attacks, and what only looks like one.

/// How far an attack stands out from its victim's ordinary traffic.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Strength {
    /// Close to ordinary: missing it is no shame.
    Weak,
    /// Clearly beyond ordinary.
    Moderate,
    /// Nobody should miss it.
    Loud,
}

impl Strength {
    /// Every strength, the loudest first.
    pub const ALL: [Self; 3] = [Self::Loud, Self::Moderate, Self::Weak];

    /// The name under which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Moderate => "moderate",
            Self::Loud => "loud",
        }
    }
}

/// One attack in the traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// The attack's name, unique in a scenario.
    pub name: String,
    /// The detector that is expected to find it.
    pub detector: &'static str,
    /// Detectors that may rightly report it too.
    pub also: &'static [&'static str],
    /// The principal: the consumer's id, or the client's address of failed authentication.
    pub principal: String,
    /// What else a finding of it may name: other principals, addresses, agents, or an endpoint as
    /// `METHOD /path/{}`.
    pub others: Vec<String>,
    /// The start of its first call, in seconds since the Unix epoch.
    pub start_s: f64,
    /// The end of its last call, in seconds since the Unix epoch.
    pub end_s: f64,
    /// What happens, in one sentence.
    pub story: String,
    /// How far it stands out.
    pub strength: Strength,
}

/// Ordinary traffic that looks like an attack: a finding on it is a false alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Twin {
    /// The twin's name, unique in a scenario.
    pub name: &'static str,
    /// The detector that must stay quiet.
    pub detector: &'static str,
    /// The consumer's id.
    pub principal: String,
    /// What happens, in one sentence.
    pub story: String,
}

/// What a scenario holds: for judging findings, never for making them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The attacks, by start.
    pub attacks: Vec<Attack>,
    /// The benign twins.
    pub twins: Vec<Twin>,
}
