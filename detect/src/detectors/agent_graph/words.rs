//! What is said of a new edge, and of errors that spread.

use super::fresh::{Fresh, Odd};
use super::known::{Edge, KEPT_DAYS, KnownGraph};
use super::spread::{Past, SPAN_NS};
use super::{ABOUT, Graph, Step, UNIT_ERRORS};
use crate::detectors::Words;
use crate::engine::Context;
use crate::explain::{clock, counted, fine_percent, number, percent, span, whose};
use crate::statistics::moments::smallest;
use crate::watch::Told;
use model::{Contributor, Finding};

/// On a longer path than ever, or back to an agent of the same path.
const DANGER_PATH: f64 = 0.85;
/// None of the calls was answered.
const DANGER_REFUSED: f64 = 0.35;

/// The finding of something that an agent did, or that happened to it.
fn finding_of(
    context: &Context<'_>,
    (told, step): (&Told, &Step),
    words: Words,
    seen: (model::Time, &[model::Evidence]),
    (revision, unit): ((u64, bool), &'static str),
) -> Finding {
    Finding {
        principal_type: Some(step.kind),
        principal_source: Some(step.source),
        unit,
        ..told.finding(context, words, seen, revision)
    }
}

fn signals_sql(told: &Told, step: &Step) -> String {
    format!(
        "SELECT window_start, entity, observed, expected, surprise FROM signals WHERE detector = \
         'agent_graph' AND {} AND window_start <= TIMESTAMP '{}' ORDER BY window_start \
         DESC LIMIT 48",
        whose(told.tenant(), &step.caller),
        told.start,
    )
}

impl Graph {
    pub(super) fn new_finding(
        &self,
        context: &Context<'_>,
        known: &KnownGraph,
        (edge, fresh, odd, told): (Edge, &Fresh, Odd, &Told),
        revision: (u64, bool),
    ) -> Finding {
        let danger = if fresh.answered == 0 {
            DANGER_REFUSED
        } else if fresh.is_circle || fresh.deeper_than.is_some() {
            DANGER_PATH
        } else {
            ABOUT.danger
        };
        let words = Words {
            sentence: sentence(known, (edge, fresh, odd, told)),
            counterfactual: if fresh.is_last {
                format!(
                    "would not be reported had {} answered calls of {} in an hour before",
                    fresh.step.callee, fresh.step.caller
                )
            } else {
                format!(
                    "would not be reported had {} passed calls on to {} in an hour before",
                    fresh.step.caller, fresh.step.callee
                )
            },
            contributors: self.beside(edge, fresh),
            evidence_sql: signals_sql(told, &fresh.step),
            danger,
        };
        let seen = (fresh.first, fresh.evidence.as_slice());
        finding_of(context, (told, &fresh.step), words, seen, (revision, ABOUT.unit))
    }

    /// The edge, and others of its caller or its path that are new in this hour.
    fn beside(&self, edge: Edge, fresh: &Fresh) -> Vec<Contributor> {
        let is_beside = |(other, it): &(&Edge, &Fresh)| {
            **other != edge && (other.caller == edge.caller || it.path == fresh.path)
        };
        let others = self.fresh.iter().filter(is_beside).map(|(_, it)| it);
        let all: Vec<_> = std::iter::once(fresh).chain(others).collect();
        let total: u64 = all.iter().map(|it| it.calls).sum();
        let each = all.into_iter().take(Finding::CONTRIBUTORS_MAX);
        each.map(|it| Contributor {
            name: it.step.entity(),
            observed: it.calls as f64,
            share: it.calls as f64 / total.max(1) as f64,
        })
        .collect()
    }
}

fn sentence(known: &KnownGraph, (edge, fresh, odd, told): (Edge, &Fresh, Odd, &Told)) -> String {
    let (caller, callee) = (&fresh.step.caller, &fresh.step.callee);
    let calls = counted(fresh.calls, "call");
    let when = clock(fresh.first, fresh.last);
    let what = match (fresh.is_last, fresh.answered) {
        (false, _) => {
            format!("agent {caller} passed {calls} on to agent {callee} {when}, and none before")
        }
        (true, 0) => format!(
            "agent {caller} made {calls} to {callee} {when}, and none before; none was answered"
        ),
        (true, answered) => format!(
            "agent {caller} made {calls} to {callee} {when}; {} of them were answered, and none before",
            number(answered as f64)
        ),
    };
    let newcomers = match odd.newcomers {
        0 | 1 => String::new(),
        some => format!(", and {} began to in this hour", counted(u64::from(some), "agent")),
    };
    let users = if odd.is_stranger {
        format!(
            "no agent had called it before{newcomers} (expected of {} of new edges)",
            percent(known.novelty.strangers_share())
        )
    } else {
        format!(
            "{} of {} call it{newcomers}",
            number(f64::from(odd.users)),
            counted(u64::from(odd.others), "other agent"),
        )
    };
    let hours = known.caller(edge.caller).map_or(0, |caller| caller.hours);
    format!(
        "{what}{}; {users}; a new edge is expected in {} of the hours in which {caller} calls anybody, this one \
         has {}, and 99.9 % stay under {}; this rests on {} in which it did ({} over {}, edges kept for {} days).",
        path(known, fresh),
        fine_percent(odd.p_new),
        number(told.observed),
        number(told.upper),
        counted(u64::from(hours), "hour"),
        counted(told.history_n, "call"),
        span(told.start.since(told.since)),
        KEPT_DAYS,
    )
}

/// What is odd about the path that the edge was first on.
fn path(known: &KnownGraph, fresh: &Fresh) -> String {
    let mut parts = Vec::new();
    if let [head, _, ..] = fresh.agents.as_slice() {
        let mut names: Vec<&str> = fresh.agents.iter().map(|name| &**name).collect();
        if fresh.is_last {
            names.push(&fresh.step.callee);
        }
        parts.push(format!("; the path was {}", names.join(" > ")));
        if let Some(before) = fresh.deeper_than {
            let as_deep = known.as_deep(fresh.head, fresh.agents.len());
            parts.push(format!(
                ", {} agents long, where {head} had begun none longer than {before} and {} had",
                fresh.agents.len(),
                counted(u64::from(as_deep), "other"),
            ));
        }
    }
    let novelty = &known.novelty;
    for (is, of_kind, what) in [
        (fresh.is_circle, novelty.circles, "it goes back to an agent that it came from"),
        (fresh.is_several, novelty.several, "another edge of the path is new too"),
    ] {
        if is {
            let share = percent(novelty.share(of_kind));
            parts.push(format!("; {what} (expected of {share} of new edges)"));
        }
    }
    parts.concat()
}

/// The finding of errors that went from one edge to others.
pub(super) fn of_spread(
    context: &Context<'_>,
    known: &KnownGraph,
    (told, past): (&Told, &Past),
    revision: (u64, bool),
) -> Finding {
    let origin = &past.origin;
    let step = &origin.step;
    let cut = context.calibration.surprise_at(told.detector, context.cut_of(told.detector));
    let least = smallest(|errors| past.surprise(errors) >= cut).max(origin.floor() as f64);
    let at_least = if origin.is_full() { "at least " } else { "" };
    let tied = if origin.has_traces { "the same traces" } else { "the same chains of calls" };
    let from = origin.first_following.unwrap_or(origin.last_following);
    let mut followers: Vec<_> = origin.followers.values().collect();
    followers.sort_by(|a, b| b.errors.cmp(&a.errors).then(a.name.cmp(&b.name)));
    let contributors = followers.into_iter().take(Finding::CONTRIBUTORS_MAX);
    let words = Words {
        sentence: format!(
            "errors went from {} to others: {} to {} failed from {} on, and in {tied} {at_least}{} by {} failed \
             on {} within {}; in {} {} are expected on those, going by the errors of all agents, and 99.9 % of such \
             spans stay under {}; this rests on {} spans of edges, older ones counting less.",
            step.entity(),
            counted(origin.errors, "call"),
            step.callee,
            origin.first,
            counted(origin.following, "call"),
            counted(origin.callers() as u64, "agent"),
            counted(origin.followers.len() as u64, "other edge"),
            span(origin.last_following.since(from)),
            span(SPAN_NS),
            number(told.expected),
            number(told.upper),
            number(known.spans()),
        ),
        counterfactual: format!(
            "would not be reported at {} such errors or fewer in ten minutes",
            number(least - 1.0),
        ),
        contributors: contributors
            .map(|it| Contributor {
                name: it.name.to_string(),
                observed: it.errors as f64,
                share: it.errors as f64 / origin.following.max(1) as f64,
            })
            .collect(),
        evidence_sql: signals_sql(told, step),
        danger: ABOUT.danger,
    };
    let seen = (origin.last, origin.evidence.as_slice());
    finding_of(context, (told, step), words, seen, (revision, UNIT_ERRORS))
}
