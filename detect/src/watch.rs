//! What is watched beside identities: endpoints, hosts, and the addresses that calls come from.
//!
//! While partitions work, each notes what concerns more than its identities. At each minute of event
//! time the notes of all are taken in, in the order of the partitions or of the events, so that
//! threads change nothing; at the hour's end what was seen is judged whole, and learned.

mod firsts;
mod notes;
mod paths;
mod things;
mod told;

pub(crate) use firsts::{Firsts, KINDS, Spill};
pub(crate) use notes::{Arrival, Notes, Opening, Place, Seen};
pub(crate) use paths::{Failure, Path, Paths};
pub(crate) use things::{Spot, Thing};
pub(crate) use told::{Raised, Subject, Told};

use crate::calibration::Calibration;
use crate::detectors::agent_graph::{Graph, KnownGraph};
use crate::detectors::exposure_change::{Exposures, Lesson};
use crate::detectors::identity_explosion::{KnownNewcomers, Newcomers};
use crate::detectors::inventory::NewThings;
use crate::detectors::key_fanout::{Addresses, Sources};
use crate::detectors::unauthenticated_success::{Opened, Openings};
use crate::engine::Context;
use crate::population::New;
use crate::rows::Rows;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::tables::Table;
use model::{Detector, EndpointId, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A signal below this surprise is not worth a row.
const SIGNAL_SURPRISE_MIN: f64 = 2.0;

/// What of it is known from the hours before; it changes at an hour's end alone.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Known {
    opened: Opened,
    addresses: Addresses,
    graph: KnownGraph,
    newcomers: KnownNewcomers,
}

/// All that is watched beside identities, in the hour that is open.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Watch {
    #[serde(skip)]
    pub(crate) known: Known,
    openings: Openings,
    exposures: Exposures,
    things: NewThings,
    /// Known hosts that were called in the open hour.
    hosts: BTreeSet<u64>,
    graph: Graph,
    newcomers: Newcomers,
    /// Written apart, as far as it changed.
    #[serde(skip)]
    pub(crate) sources: Sources,
    #[serde(with = "plain")]
    pub(crate) signals: Rows,
    #[serde(with = "plain")]
    pub(crate) findings: Vec<Finding>,
    /// Notes that were more than a partition keeps of a minute.
    missed: u64,
    /// It changed since the last export; no part of the state.
    #[serde(skip)]
    pub(crate) is_touched: bool,
}

/// What is judged with.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) context: &'a Context<'a>,
    /// How many calls with an identity an endpoint has answered with success in this hour.
    pub(crate) answered: &'a dyn Fn(EndpointId) -> u64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            known: Known::default(),
            openings: Openings::default(),
            exposures: Exposures::default(),
            things: NewThings::default(),
            hosts: BTreeSet::new(),
            graph: Graph::default(),
            newcomers: Newcomers::default(),
            sources: Sources::default(),
            signals: Rows::of(Table::Signals),
            findings: Vec::new(),
            missed: 0,
            is_touched: false,
        }
    }

    /// Takes in a minute's notes, in the order of the partitions.
    pub(crate) fn pulse(&mut self, at: &At<'_>, notes: Vec<Notes>) {
        self.is_touched = true;
        let (mut arrivals, mut seen, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        let mut firsts = Vec::new();
        for notes in notes {
            self.missed += notes.missed;
            arrivals.extend(notes.arrivals);
            seen.extend(notes.seen);
            self.openings.take(notes.openings);
            self.missed += notes.stock.missed;
            self.things.take(notes.stock.things);
            self.hosts.extend(notes.stock.hosts);
            paths.push(notes.paths);
            firsts.push(notes.firsts);
        }
        arrivals.sort_by(|a, b| (a.at, a.order, &a.name).cmp(&(b.at, b.order, &b.name)));
        self.sources.take(arrivals);
        self.graph.take(at, &self.known.graph, &paths, &mut self.findings);
        self.exposures.take(at, seen, &mut self.findings);
        self.openings.look(at, &self.known.opened, &mut self.findings);
        self.things.look(at, &mut self.findings);
        self.sources.look(at, &self.known.addresses, &mut self.findings);
        self.graph.look(at, &self.known.graph, &mut self.findings);
        self.newcomers.take(at.context.hour, firsts);
        self.newcomers.look(at, &self.known.newcomers, &mut self.findings);
    }

    /// Judges the hour whole, and learns from it.
    pub(crate) fn close(&mut self, at: &At<'_>) -> Closed {
        self.is_touched = true;
        let mut closed = Closed::default();
        let (known, findings) = (&mut self.known, &mut self.findings);
        self.openings.close(at, &mut known.opened, findings, &mut closed);
        self.exposures.close(at, &mut closed);
        self.things.close(at, findings, &mut closed);
        closed.hosts = std::mem::take(&mut self.hosts).into_iter().collect();
        self.sources.close(at, &mut known.addresses, findings, &mut closed);
        self.graph.close(at, &mut known.graph, findings, &mut closed);
        self.newcomers.close(at, &mut known.newcomers, findings, &mut closed);
        for said in &closed.said {
            if said.surprise >= SIGNAL_SURPRISE_MIN {
                let score = at.context.calibration.score(said.detector, said.surprise);
                self.signals.push_told(said, score);
            }
        }
        closed
    }

    /// Takes out the findings that were raised since the last time.
    pub(crate) fn drain_findings(&mut self) -> Vec<Finding> {
        self.is_touched |= !self.findings.is_empty();
        std::mem::take(&mut self.findings)
    }

    /// Everything so far was exported.
    pub(crate) fn settle(&mut self) {
        self.is_touched = false;
        self.sources.settle();
    }

    /// Which inputs evidence came from is no longer known.
    pub(crate) fn forget_inputs(&mut self) {
        self.evidence_mut().for_each(|it| it.position.source = u32::MAX);
    }

    fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.is_touched = true;
        let openings = self.openings.evidence_mut().chain(self.exposures.evidence_mut());
        let things = self.things.evidence_mut().chain(self.sources.evidence_mut());
        let newcomers = self.newcomers.evidence_mut();
        openings.chain(things).chain(self.graph.evidence_mut()).chain(newcomers)
    }

    /// Whether more came for the first time in that hour than ever do, or than there is room for.
    pub(crate) fn is_flooded(&self, hour: Time) -> bool {
        self.newcomers.is_flooded(hour)
    }

    /// What should have been watched, and was not: beyond one of the limits.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
            + self.openings.missed()
            + self.exposures.missed()
            + self.things.missed()
            + self.sources.missed()
            + self.known.addresses.missed()
            + self.graph.missed()
            + self.known.graph.missed()
    }

    /// Takes an identity's names and hashes out of what is watched.
    pub(crate) fn forget(&mut self, principal: &str, mentions: &Mentions, hashes: &[u64]) {
        self.openings.forget(hashes);
        self.exposures.forget(hashes);
        self.things.forget(hashes);
        self.evidence_mut().for_each(|it| crate::engine::scrub_evidence(it, mentions));
        self.sources.forget(mentions, hashes);
        self.known.addresses.forget(mentions);
        let name = crate::partition::text_hash(principal);
        self.graph.forget(mentions, name);
        self.known.graph.forget(name);
        self.signals.forget(principal, mentions);
        self.findings.retain(|it| it.principal_id.as_deref() != Some(principal));
    }
}

/// What an hour's end says for the calibration and the tables.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// One for each thing that had anything to read.
    pub(crate) said: Vec<Told>,
    /// What went on for hours and is over: how odd it was at most, and whether it was raised.
    pub(crate) occasions: Vec<(Detector, f64, bool)>,
    /// Things that could have had, by detector.
    pub(crate) judged: Vec<(Detector, u64)>,
    /// Successes without credentials that are believed to be meant, by endpoint.
    pub(crate) believed: Vec<(EndpointId, u64)>,
    /// What the hour teaches of the sizes of answers, by endpoint.
    pub(crate) sizes: Vec<(EndpointId, Lesson)>,
    /// What was new in the hour, and which known hosts were called.
    pub(crate) new: New,
    pub(crate) hosts: Vec<u64>,
}

impl Closed {
    /// Teaches the calibration what ordinary traffic has; what raised a finding counts as at its cut, and by
    /// the full one, while nothing is lent, as what is used of the budget.
    pub(crate) fn calibrate(
        &self,
        calibration: &mut Calibration,
        (cuts, full_cuts): (&[f64], &[f64]),
    ) {
        for (detector, windows) in &self.judged {
            calibration.judge(*detector, *windows);
        }
        let said = self.said.iter().filter(|it| !it.goes_on);
        let said = said.map(|it| (it.detector, it.surprise, it.is_raised));
        for (detector, surprise, is_raised) in said.chain(self.occasions.iter().copied()) {
            let of = |cuts: &[f64]| cuts.get(detector as usize).copied().unwrap_or(f64::INFINITY);
            let cut = of(cuts);
            if is_raised {
                calibration.note_raised((detector, of(full_cuts)), surprise);
                calibration.learn_raised((detector, cut), surprise);
            } else {
                calibration.learn(detector, &[surprise.max(0.0) as f32]);
            }
        }
    }
}
