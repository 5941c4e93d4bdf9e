//! What OCSF wants to be told of each detector and technique, and does not stand in a finding.

use model::{Detector, Finding, Notice, Origin};

/// A detector in OCSF's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// What a finding of it is called.
    pub(crate) title: &'static str,
    /// `type_id` of an `analytic`, and its caption.
    pub(crate) analytic: (u8, &'static str),
    /// The statistic.
    pub(crate) algorithm: &'static str,
    /// `observation_type` of an anomaly and of its baseline.
    pub(crate) observation: &'static str,
}

const BEHAVIORAL: (u8, &str) = (2, "Behavioral");
const STATISTICAL: (u8, &str) = (3, "Statistical");
const LEARNING: (u8, &str) = (4, "Learning (ML/DL)");

const COUNTS: &str = "negative binomial tail of a count";
const NOVELTY: &str = "Good-Turing novelty";
const EITHER: &str = "Good-Turing novelty, or negative binomial tail of a count";
const RUNS: &str = "Student tail of a logarithmic run length";
const PRODUCT: &str = "truncated product of calibrated chances";
const RECORDS: &str = "rank of a record, and Pareto tail beyond it";
const FREQUENCY: &str = "Frequency Analysis";
const VOLUME: &str = "Volume Analysis";
const DISTRIBUTION: &str = "Distribution Analysis";

/// What OCSF is told of whoever raised a finding.
pub(crate) const fn about(origin: Origin) -> About {
    match origin {
        Origin::Detector(detector) => of_detector(detector),
        Origin::Notice(notice) => About {
            title: match notice {
                Notice::BaselineLost => "Learned history is lost",
                Notice::RecordsLost => "Records are lost",
            },
            analytic: (1, "Rule"),
            algorithm: "comparison of a checkpoint with its topics",
            observation: "Completeness",
        },
    }
}

const fn of_detector(detector: Detector) -> About {
    let (title, analytic, algorithm, observation) = match detector {
        Detector::ObjectEnumeration => {
            ("Many distinct objects read", STATISTICAL, COUNTS, FREQUENCY)
        }
        Detector::EgressSpike => {
            ("Unusual volume received", STATISTICAL, "Student tail of a logarithmic size", VOLUME)
        }
        Detector::FirstSeenEndpoint => {
            ("First call to an endpoint", STATISTICAL, NOVELTY, FREQUENCY)
        }
        Detector::ForeignObject => ("Objects of others read", STATISTICAL, COUNTS, FREQUENCY),
        Detector::UnauthenticatedSuccess => {
            ("Endpoint answers without credentials", STATISTICAL, COUNTS, FREQUENCY)
        }
        Detector::NewNetwork => {
            ("Credential used from a new network", STATISTICAL, NOVELTY, FREQUENCY)
        }
        Detector::AuthFailures => ("Many failed authentications", STATISTICAL, COUNTS, FREQUENCY),
        Detector::DeniedProbing => ("Many operations refused", STATISTICAL, COUNTS, FREQUENCY),
        Detector::SecretHarvesting => ("Many secrets read", STATISTICAL, COUNTS, FREQUENCY),
        Detector::ToxicFlow => ("Call out after a sensitive read", STATISTICAL, NOVELTY, FREQUENCY),
        Detector::ToolDrift => (
            "Tool changed, shadowed or replaced",
            BEHAVIORAL,
            "Good-Turing novelty, and Student tail of a logarithmic size",
            FREQUENCY,
        ),
        Detector::MachineSpeed => ("Unusually fast calls", STATISTICAL, COUNTS, VOLUME),
        Detector::SlowDrip => ("A little more each day", STATISTICAL, "CUSUM over days", VOLUME),
        Detector::Sequence => {
            ("Unusual order of calls", BEHAVIORAL, "Markov chain of endpoints", DISTRIBUTION)
        }
        Detector::Delegation => (
            "Agent acts for many, for whom it never did, or beyond them",
            BEHAVIORAL,
            "negative binomial, binomial and Beta-binomial tails",
            FREQUENCY,
        ),
        Detector::Injection => ("Requests with signs of injection", STATISTICAL, COUNTS, FREQUENCY),
        Detector::ExposureChange => {
            ("Endpoint answers with more", STATISTICAL, "cumulative sum and Student tail", VOLUME)
        }
        Detector::WriteBurst => ("Many objects changed or deleted", STATISTICAL, COUNTS, FREQUENCY),
        Detector::RunawayLoop => ("Agent repeats itself", STATISTICAL, RUNS, FREQUENCY),
        Detector::Dormant => {
            ("Back from silence, or new and everywhere", STATISTICAL, "tail of silences", FREQUENCY)
        }
        Detector::Inventory => ("New endpoint or host answers", STATISTICAL, NOVELTY, FREQUENCY),
        Detector::KeyFanout => ("Many identities from one address", STATISTICAL, COUNTS, FREQUENCY),
        Detector::Cadence => {
            ("Calls like a clock", BEHAVIORAL, "binomial tail of the gaps' deviation", FREQUENCY)
        }
        Detector::AgentGraph => {
            ("New call between agents, or errors that spread", BEHAVIORAL, EITHER, FREQUENCY)
        }
        Detector::IdentityExplosion => {
            ("Far more new identities than ever", STATISTICAL, RECORDS, FREQUENCY)
        }
        Detector::JointOutlier => {
            ("Unusual combination of features", LEARNING, "Gaussian mixture", DISTRIBUTION)
        }
        Detector::NotItself => {
            ("Identity does not behave like itself", BEHAVIORAL, "likelihood ratio", DISTRIBUTION)
        }
        Detector::Coincidence => {
            ("Several odd things in one hour", STATISTICAL, PRODUCT, DISTRIBUTION)
        }
    };
    About { title, analytic, algorithm, observation }
}

/// What the entities of most findings are.
pub(crate) const ENDPOINT: &str = "API endpoint";

/// What a finding's entity is.
pub(crate) fn kind_of(finding: &Finding) -> &'static str {
    let entity = &*finding.entity;
    // What an agent did for others is found of itself, or of an endpoint.
    let is_itself = finding.principal_id.as_deref() == Some(entity);
    match finding.detector {
        _ if entity.starts_with("credential:") => "credential",
        _ if entity.starts_with("session:") => "session",
        Origin::Detector(Detector::NewNetwork) => "network",
        Origin::Detector(Detector::ToolDrift) => "tool",
        Origin::Detector(Detector::AgentGraph) => "edge",
        Origin::Detector(Detector::IdentityExplosion) => "identities",
        Origin::Detector(Detector::RunawayLoop) => "agent",
        Origin::Detector(Detector::Delegation) if is_itself => "agent",
        _ => ENDPOINT,
    }
}

/// The name of an ATT&CK or ATLAS technique that a detector names.
pub(crate) fn technique(id: &str) -> Option<&'static str> {
    Some(match id {
        "AML.T0034" => "Cost Harvesting",
        "AML.T0051" => "LLM Prompt Injection",
        "AML.T0086" => "Exfiltration via AI Agent Tool Invocation",
        "AML.T0098" => "AI Agent Tool Credential Harvesting",
        "AML.T0101" => "Data Destruction via AI Agent Tool Invocation",
        "AML.T0109" => "AI Supply Chain Rug Pull",
        "AML.T0110" => "AI Agent Tool Poisoning",
        "T1020" => "Automated Exfiltration",
        "T1029" => "Scheduled Transfer",
        "T1030" => "Data Transfer Size Limits",
        "T1071.001" => "Web Protocols",
        "T1059" => "Command and Scripting Interpreter",
        "T1078" => "Valid Accounts",
        "T1078.004" => "Cloud Accounts",
        "T1087" => "Account Discovery",
        "T1090" => "Proxy",
        "T1098" => "Account Manipulation",
        "T1110" => "Brute Force",
        "T1110.001" => "Password Guessing",
        "T1110.003" => "Password Spraying",
        "T1110.004" => "Credential Stuffing",
        "T1133" => "External Remote Services",
        "T1136" => "Create Account",
        "T1190" => "Exploit Public-Facing Application",
        "T1195" => "Supply Chain Compromise",
        "T1199" => "Trusted Relationship",
        "T1213" => "Data from Information Repositories",
        "T1485" => "Data Destruction",
        "T1496" => "Resource Hijacking",
        "T1499" => "Endpoint Denial of Service",
        "T1499.003" => "Application Exhaustion Flood",
        "T1526" => "Cloud Service Discovery",
        "T1528" => "Steal Application Access Token",
        "T1530" => "Data from Cloud Storage",
        "T1531" => "Account Access Removal",
        "T1550" => "Use Alternate Authentication Material",
        "T1550.001" => "Application Access Token",
        "T1552" => "Unsecured Credentials",
        "T1555" => "Credentials from Password Stores",
        "T1555.006" => "Cloud Secrets Management Stores",
        "T1567" => "Exfiltration Over Web Service",
        "T1595" => "Active Scanning",
        "T1595.003" => "Wordlist Scanning",
        _ => return None,
    })
}
