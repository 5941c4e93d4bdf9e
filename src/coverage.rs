//! What a log lets detection see: the facts that its events have, and who is blind without them.

mod needs;
pub(crate) mod recipes;

use ingest::shared::Shares;
use model::{Detector, Event, EventBatch, Int, Text};
use serde::Serialize;
use std::collections::BTreeMap;

/// The share of events below which a detector that needs a fact is blind.
const BLIND_SHARE: f64 = 0.01;
/// The share below which it sees only a part.
const PART_SHARE: f64 = 0.5;
/// The share below which a setting is offered.
const CURE_SHARE: f64 = 0.9;
/// The share of a log that a format must have for its settings to be offered.
const FORMAT_SHARE: f64 = 0.01;

macro_rules! facts {
    ($($(#[$doc:meta])* $variant:ident => $name:literal;)+) => {
        /// Something that an event may say.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Fact { $($(#[$doc])* $variant),+ }

        impl Fact {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name for people and programs.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

facts! {
    /// Who called: more than an address.
    Identity => "identity";
    /// How it was answered.
    Status => "status";
    /// How much was answered.
    BytesOut => "bytes out";
    /// How much was sent.
    BytesIn => "bytes in";
    /// How long it took.
    Duration => "duration";
    /// What was asked for, where the operation has a parameter.
    Object => "object";
    /// A path: what was asked, not only an operation's name.
    Target => "path";
    /// Where it came from.
    Network => "network";
    /// Which program called.
    UserAgent => "user agent";
    /// Which session it is of.
    Session => "session";
    /// Which tool was called.
    Tool => "tool";
    /// Which agent called, and for whom.
    Agent => "agent";
}

impl Fact {
    /// Whether an event says it.
    fn is_in(self, batch: &EventBatch, event: &Event) -> bool {
        let has = |column: Text| batch.text(event, column).is_some();
        let any = |columns: [Int; 2]| columns.iter().any(|it| event.int(*it).is_some());
        match self {
            Self::Identity => event.principal_type.is_named(),
            Self::Status => event.int(Int::HttpResponseStatusCode).is_some(),
            Self::BytesOut => any([Int::HttpResponseBodySize, Int::HttpResponseSize]),
            Self::BytesIn => any([Int::HttpRequestBodySize, Int::HttpRequestSize]),
            Self::Duration => event.int(Int::DurationNs).is_some(),
            Self::Object => event.object.is_some(),
            Self::Target => has(Text::UrlPath),
            Self::Network => has(Text::ClientNet),
            Self::UserAgent => has(Text::UserAgentOriginal),
            Self::Session => has(Text::SessionId),
            Self::Tool => has(Text::ToolName),
            Self::Agent => has(Text::AgentId) || has(Text::AgentName) || has(Text::ActorChain),
        }
    }
}

/// What the events of one format say.
#[derive(Clone, Debug, Default)]
struct Counts {
    events: u64,
    facts: [u64; Fact::ALL.len()],
}

/// What the events of a log say.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    formats: BTreeMap<&'static str, Counts>,
    /// How many events have the same facts, a bit each: a detector needs them of one event.
    alike: BTreeMap<u32, u64>,
    rules: BTreeMap<(&'static str, &'static str), u64>,
    shares: Shares,
}

impl Coverage {
    /// Counts the events of a batch.
    pub(crate) fn add(&mut self, batch: &EventBatch) {
        for event in &batch.events {
            let counts = self.formats.entry(event.source_format).or_default();
            counts.events += 1;
            let mut held = 0;
            for (fact, count) in Fact::ALL.iter().zip(&mut counts.facts) {
                let is_held = fact.is_in(batch, event);
                *count += u64::from(is_held);
                held |= u32::from(is_held) << *fact as u32;
            }
            *self.alike.entry(held).or_default() += 1;
            let rule = (event.principal_source, event.principal_trust.as_str());
            *self.rules.entry(rule).or_default() += 1;
            self.shares.add(batch, event);
        }
    }

    /// Events that were counted.
    pub(crate) fn events(&self) -> u64 {
        self.formats.values().map(|it| it.events).sum()
    }

    /// What there is to say about it.
    pub(crate) fn report(&self) -> Report {
        let events = self.events();
        let share = |count: u64| if events == 0 { 0.0 } else { count as f64 / events as f64 };
        let count_of = |fact: Fact| -> u64 {
            self.formats.values().filter_map(|it| it.facts.get(fact as usize)).sum()
        };
        let facts = Fact::ALL.iter().map(|fact| {
            let events = count_of(*fact);
            Held {
                fact: fact.as_str(),
                events,
                share: share(events),
                settings: self.settings(*fact),
            }
        });
        let identities = self.rules.iter().map(|((rule, trust), events)| {
            let (rule, trust, events) = (*rule, *trust, *events);
            Resolved { rule, trust, events, share: share(events) }
        });
        let mut identities: Vec<_> = identities.collect();
        identities.sort_by_key(|it| std::cmp::Reverse(it.events));
        let detectors = Detector::ALL.iter().map(|detector| {
            let groups = needs::of(*detector);
            let sees = share(self.with(groups));
            let lacking = groups.iter().filter(|it| share(self.with(&[**it])) < PART_SHARE);
            let mut lacks: Vec<_> = lacking.map(|group| named(group)).collect();
            if lacks.is_empty() && !groups.is_empty() && sees < PART_SHARE {
                // Each is there, but not in the same events.
                lacks.push(groups.iter().map(|it| named(it)).collect::<Vec<_>>().join(" with "));
            }
            Sight {
                detector: detector.as_str(),
                sees: match sees {
                    sees if sees < BLIND_SHARE => "nothing",
                    sees if sees < PART_SHARE => "a part",
                    _ => "all",
                },
                share: sees,
                lacks,
                is_of_agents: needs::is_of_agents(*detector),
            }
        });
        let formats = self.formats.iter().map(|(format, counts)| Of {
            format,
            events: counts.events,
            page: recipes::page(format),
        });
        Report {
            events,
            formats: formats.collect(),
            facts: facts.collect(),
            identities,
            shared: self.shared(),
            detectors: detectors.collect(),
        }
    }

    /// Events that have a fact of each group.
    fn with(&self, groups: &[&[Fact]]) -> u64 {
        let has = |held: u32| {
            let is_held = |fact: &Fact| held >> *fact as u32 & 1 == 1;
            groups.iter().all(|group| group.iter().any(is_held))
        };
        self.alike.iter().filter(|(held, _)| has(**held)).map(|(_, events)| events).sum()
    }

    /// The identities that many callers share.
    fn shared(&self) -> Vec<SharedBy> {
        let events = self.events() as f64;
        let shared = self.shares.shared().into_iter().map(|it| SharedBy {
            share: it.events as f64 / events,
            principal: it.principal,
            events: it.events,
            networks: it.networks,
        });
        shared.collect()
    }

    /// The settings by which the formats of which many events lack a fact would say it.
    fn settings(&self, fact: Fact) -> Vec<Advice> {
        // What a path has for an object is the caller's affair, and a canonical event is what others made.
        if matches!(fact, Fact::Object | Fact::Target | Fact::Status) {
            return Vec::new();
        }
        let events = self.events();
        let lacking = self.formats.iter().filter(|(_, counts)| {
            let has = counts.facts.get(fact as usize).copied().unwrap_or_default();
            counts.events as f64 >= events as f64 * FORMAT_SHARE
                && (has as f64) < counts.events as f64 * CURE_SHARE
        });
        let offered = lacking.filter_map(|(format, _)| {
            let setting = recipes::setting(format, fact)?;
            Some(Advice { format, setting, page: recipes::page(format) })
        });
        offered.collect()
    }
}

fn named(group: &[Fact]) -> String {
    group.iter().map(|fact| fact.as_str()).collect::<Vec<_>>().join(" or ")
}

/// What a log lets detection see.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Events that were read.
    pub(crate) events: u64,
    /// Their formats.
    pub(crate) formats: Vec<Of>,
    /// The facts that they have.
    pub(crate) facts: Vec<Held>,
    /// The rules by which they were charged to somebody, the most frequent first.
    pub(crate) identities: Vec<Resolved>,
    /// Identities that many callers share, so that they say little about any of them.
    pub(crate) shared: Vec<SharedBy>,
    /// What each detector sees of them.
    pub(crate) detectors: Vec<Sight>,
}

/// An identity that carries a good part of a log, from many networks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SharedBy {
    pub(crate) principal: String,
    pub(crate) events: u64,
    pub(crate) share: f64,
    /// Networks that it came from, at most 64.
    pub(crate) networks: usize,
}

/// The events of one format.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Of {
    pub(crate) format: &'static str,
    pub(crate) events: u64,
    /// What to read about it.
    pub(crate) page: String,
}

/// How many events have a fact, and what would make more of them have it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Held {
    pub(crate) fact: &'static str,
    pub(crate) events: u64,
    pub(crate) share: f64,
    pub(crate) settings: Vec<Advice>,
}

/// A setting of a gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Advice {
    pub(crate) format: &'static str,
    pub(crate) setting: &'static str,
    pub(crate) page: String,
}

/// How many events were charged by a rule.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Resolved {
    pub(crate) rule: &'static str,
    pub(crate) trust: &'static str,
    pub(crate) events: u64,
    pub(crate) share: f64,
}

/// What a detector sees.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sight {
    pub(crate) detector: &'static str,
    /// `nothing`, `a part` or `all`.
    pub(crate) sees: &'static str,
    /// The share of events that have what it needs.
    pub(crate) share: f64,
    /// What most events lack for it.
    pub(crate) lacks: Vec<String>,
    /// It is about AI agents.
    pub(crate) is_of_agents: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::Chunk;

    fn report(lines: &str) -> Report {
        let parser = ingest::Settings::default().check([7; 32]).unwrap();
        let chunk = Chunk { bytes: lines.as_bytes().to_vec(), first_line: 1, ..Chunk::default() };
        let mut coverage = Coverage::default();
        coverage.add(&parser.parse(&chunk, None).batch);
        coverage.report()
    }

    fn sees<'a>(report: &'a Report, detector: &str) -> &'a Sight {
        report.detectors.iter().find(|it| it.detector == detector).unwrap()
    }

    #[test]
    fn a_common_log_has_no_identity_and_says_how_to_get_one() {
        let line = r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /orders/7 HTTP/1.1" 200 12"#;
        let report = report(&format!("{line}\n{line}\n"));
        assert_eq!((report.events, report.formats.len()), (2, 1));
        let held = |name: &str| report.facts.iter().find(|it| it.fact == name).unwrap();
        assert_eq!((held("identity").events, held("bytes out").events), (0, 2));
        assert_eq!((held("object").events, held("user agent").events), (2, 0));
        assert_eq!(held("identity").settings.len(), 1);
        assert!(held("bytes out").settings.is_empty());
        assert_eq!(report.identities.first().map(|it| it.rule), Some("client_address"));
        assert_eq!(sees(&report, "foreign_object").sees, "nothing");
        assert_eq!(sees(&report, "foreign_object").lacks, ["identity"]);
        assert_eq!(sees(&report, "object_enumeration").sees, "all");
        assert_eq!(sees(&report, "machine_speed").sees, "all");
        assert!(sees(&report, "tool_drift").is_of_agents);
    }

    #[test]
    fn an_alternative_is_enough() {
        let line = r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/a/7","user":"jo"}"#;
        let report = report(line);
        assert_eq!(sees(&report, "slow_drip").sees, "all");
        assert_eq!(sees(&report, "egress_spike").lacks, ["bytes out"]);
        assert_eq!(report.identities.first().map(|it| it.trust), Some("asserted"));
    }

    #[test]
    fn what_a_detector_needs_must_be_in_one_event() {
        let named = r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/a","user":"jo"}"#;
        let object = r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/a/7"}"#;
        let apart = report(&format!("{named}\n{object}\n"));
        assert_eq!(sees(&apart, "foreign_object").sees, "nothing");
        assert_eq!(sees(&apart, "foreign_object").lacks, ["identity with object"]);
        assert_eq!(sees(&apart, "object_enumeration").sees, "all");
        let both = object.replace("/a/7\"", "/a/7\",\"user\":\"jo\"");
        assert_eq!(sees(&report(&both), "foreign_object").sees, "all");
    }

    #[test]
    fn nothing_has_nothing() {
        let report = report("");
        assert_eq!(report.events, 0);
        assert!(report.facts.iter().all(|it| it.settings.is_empty()));
    }
}
