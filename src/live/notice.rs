//! What the service says of itself, as a finding: its principal is the pipeline.

use super::recover::Gap;
use model::time::NS_PER_H;
use model::{Finding, FindingId, Notice, Origin, PrincipalType, Severity, Time};

/// Partitions that a sentence names; of the others it says how many they are.
const NAMED_MAX: usize = 8;
/// Moves when the meaning of a notice does.
const VERSION: u32 = 1;

/// Of whom and when something is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion<'a> {
    pub(super) group: &'a str,
    /// The clock on the wall: the log says nothing of this.
    pub(super) at: Time,
    pub(super) config_hash: &'a str,
}

/// The habits are gone: why, how many identities' if that is known, and where reading begins.
pub(super) fn baseline_lost(
    occasion: Occasion<'_>,
    (checkpoint, why): (&str, &str),
    identities: Option<u64>,
    begin: &[(String, i64)],
) -> Finding {
    let gone = identities.map_or_else(
        || "the history of an unknown number of identities is gone".to_owned(),
        |count| format!("the history of {count} identities is gone"),
    );
    let from = listed(begin.iter().map(|(partition, offset)| format!("{partition} at {offset}")));
    let group = occasion.group;
    let sentence = format!(
        "Group {group} has lost its baselines: {why}; {gone}, habits are learned anew, and reading \
         begins with {from}."
    );
    Finding {
        severity: Severity::Medium,
        risk_score: 0.0,
        observed: identities.unwrap_or_default() as f64,
        unit: "identities",
        counterfactual:
            "Ordinary is a checkpoint that the committed offsets name and that is there \
                         and whole; whoever can write to the place of the checkpoints can make the \
                         service forget what is normal."
                .to_owned(),
        ..notice(occasion, Notice::BaselineLost, checkpoint, sentence)
    }
}

/// Records were removed before they were read: how many of which partitions.
pub(super) fn records_lost(occasion: Occasion<'_>, checkpoint: &str, gaps: &[Gap]) -> Finding {
    let lost: u64 = gaps.iter().map(Gap::records).sum();
    let each = gaps.iter().map(|gap| {
        format!("{} of {} ({} to {})", gap.records(), gap.partition, gap.from, gap.to - 1)
    });
    let group = occasion.group;
    let sentence = format!(
        "{lost} records were removed from the topics before group {group} had read them: {}; \
         what happened in them was not judged and is in no baseline.",
        listed(each),
    );
    Finding {
        severity: Severity::Medium,
        observed: lost as f64,
        unit: "records",
        counterfactual: "Ordinary is a service that is never away for longer than the topic's \
                         retention."
            .to_owned(),
        ..notice(occasion, Notice::RecordsLost, checkpoint, sentence)
    }
}

fn notice(occasion: Occasion<'_>, notice: Notice, checkpoint: &str, sentence: String) -> Finding {
    let Occasion { group, at, config_hash } = occasion;
    let start = at.floor(NS_PER_H);
    Finding {
        is_first: true,
        id: id_of(notice, group, checkpoint),
        // A start that was interrupted says it again, later: nothing has two payloads.
        revision: u64::try_from(at.ns() / 1_000).unwrap_or_default(),
        tenant_id: "default".to_owned(),
        principal_id: Some(format!("habitus/{group}")),
        principal_type: Some(PrincipalType::Service),
        principal_source: None,
        entity: checkpoint.to_owned(),
        detector: Origin::Notice(notice),
        detector_version: VERSION,
        window_start: start,
        window_end: start.plus(NS_PER_H),
        detected_at: at,
        severity: Severity::Medium,
        risk_score: 0.0,
        score: 0.0,
        surprise: 0.0,
        observed: 0.0,
        expected: 0.0,
        upper: 0.0,
        unit: "",
        history_days: 0.0,
        history_n: 0,
        peers_n: 0,
        sentence,
        counterfactual: String::new(),
        contributors: Vec::new(),
        evidence: Vec::new(),
        evidence_sql: format!(
            "SELECT detected_at, principal_id, entity, sentence FROM findings_current \
             WHERE detector = '{notice}' ORDER BY detected_at"
        ),
        owasp: &[],
        // Impair Defences: who removes it may want to be forgotten.
        attack: &["T1562"],
        baseline_state: "prior",
        model_version: String::new(),
        incident_id: None,
        config_hash: config_hash.to_owned(),
    }
}

/// A UUID of version 8 from what is said: the same loss has one id, however often the start is tried.
fn id_of(notice: Notice, group: &str, checkpoint: &str) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    for part in [notice.as_str(), group, checkpoint] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    FindingId(bytes)
}

/// The first few of a list, and how many more there are.
fn listed(each: impl Iterator<Item = String>) -> String {
    let mut all: Vec<_> = each.collect();
    let more = all.len().saturating_sub(NAMED_MAX);
    all.truncate(NAMED_MAX);
    let named = all.join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Time = Time::from_ns(1_772_355_600_000_000_000);

    fn occasion(at: Time) -> Occasion<'static> {
        Occasion { group: "g", at, config_hash: "c" }
    }

    #[test]
    fn the_same_loss_has_one_id_and_says_its_numbers() {
        let begin: Vec<_> = (0..12).map(|number| (format!("logs/{number}"), number * 10)).collect();
        let why = ("state/g/1", "checkpoint state/g/1 is missing");
        let one = baseline_lost(occasion(AT), why, Some(41), &begin);
        let later = baseline_lost(occasion(AT.plus(7_000_000_000)), why, Some(41), &begin);
        assert_eq!(one.id, later.id);
        assert!(later.revision > one.revision);
        let said = &one.sentence;
        for part in ["41 identities", "state/g/1 is missing", "logs/7 at 70 and 4 more"] {
            assert!(said.contains(part), "{said}");
        }
        let unknown = baseline_lost(occasion(AT), why, None, &begin[..1]);
        assert!(unknown.sentence.contains("an unknown number of identities"), "{unknown:?}");
        let other = baseline_lost(occasion(AT), ("state/g/2", "…"), None, &begin);
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn lost_records_are_counted() {
        let gap = |partition: &str, from, to| Gap { partition: partition.to_owned(), from, to };
        let gaps = [gap("logs/0", 10, 25), gap("logs/2", 0, 3)];
        let found = records_lost(occasion(AT), "state/g/1", &gaps);
        assert!(found.sentence.starts_with("18 records"), "{}", found.sentence);
        assert!(found.sentence.contains("15 of logs/0 (10 to 24)"), "{}", found.sentence);
        assert_eq!((found.observed, found.unit), (18.0, "records"));
    }
}
