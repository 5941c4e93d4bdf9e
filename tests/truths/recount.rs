//! What a finding observed, counted again from the raw lines, detector by detector.

use super::Claim;
use super::log::{HOUR_MS, Line};
use super::words::{after, between};
use std::collections::{BTreeMap, BTreeSet};

/// Counts a finding's observed value again from the lines of a log, which may be fewer than those that
/// it was found in; nothing where a log alone cannot tell, which is what models say.
pub(super) fn observed(claim: &Claim<'_>, lines: &[Line]) -> Option<f64> {
    let own: Vec<&Line> = lines.iter().filter(|it| it.who() == claim.principal).collect();
    let hour: Vec<&Line> = own.iter().copied().filter(|it| claim.has(it)).collect();
    Some(match &*claim.detector {
        "object_enumeration" => {
            let read = hour.iter().filter(|it| it.is_ok() && it.is_of(&claim.entity));
            distinct(read.map(|it| &*it.path))
        }
        "egress_spike" => hour.iter().filter_map(|it| it.bytes_out).sum::<u64>() as f64,
        "foreign_object" => foreign(claim, lines).len() as f64,
        "unauthenticated_success" => {
            let without = |it: &&Line| {
                claim.has(it)
                    && it.named.is_empty()
                    && (200..300).contains(&it.status)
                    && it.is_of(&claim.entity)
            };
            lines.iter().filter(without).count() as f64
        }
        "new_network" => {
            let known: BTreeSet<_> =
                own.iter().filter(|it| it.ms < claim.start_ms).map(|it| it.network()).collect();
            distinct(hour.iter().map(|it| it.network()).filter(|it| !known.contains(it)))
        }
        "auth_failures" => hour.iter().filter(|it| matches!(it.status, 401 | 407)).count() as f64,
        "denied_probing" => {
            let refused = hour.iter().filter(|it| matches!(it.status, 403 | 404));
            distinct(refused.map(|it| (&*it.method, &*it.path)))
        }
        "secret_harvesting" => {
            let secret = |it: &&&Line| it.is_ok() && is_secret(it);
            distinct(hour.iter().filter(secret).map(|it| (&*it.tool, &*it.path, resource(it))))
        }
        "tool_drift" => new_tools(claim, lines).len() as f64,
        "machine_speed" => {
            let span = after(&claim.sentence, " calls in ").value * 1_000.0;
            let from = super::log::ms(first_word(&claim.sentence, " from "));
            let within = |it: &&&Line| (from..from + span as i64).contains(&it.ms);
            hour.iter().filter(within).count() as f64
        }
        "delegation" if claim.unit == BEYOND => pairs_beyond(claim, lines).1.len() as f64,
        "delegation" => subjects(claim, lines).len() as f64,
        "injection" => {
            let odd =
                |it: &&&Line| claim.case.has_line(it.number, &it.text) && it.is_of(&claim.entity);
            hour.iter().filter(odd).count() as f64
        }
        "write_burst" => {
            let changed =
                |it: &&&Line| it.is_ok() && matches!(&*it.method, "PUT" | "PATCH" | "DELETE");
            distinct(hour.iter().filter(changed).map(|it| &*it.path))
        }
        "dormant" if claim.unit == "days silent" => silence_days(claim, &own)?,
        "key_fanout" => {
            let there = lines.iter().filter(|it| claim.has(it) && it.address == claim.principal);
            distinct(there.filter(|it| !it.named.is_empty()).map(|it| &*it.named))
        }
        "agent_graph" if claim.unit.starts_with("first-seen") => {
            new_edges(claim, lines).len() as f64
        }
        "identity_explosion" => newcomers(claim, lines) as f64,
        _ => return None,
    })
}

/// Those whose first call of all lies within the two times that the sentence names.
pub(super) fn newcomers(claim: &Claim<'_>, lines: &[Line]) -> usize {
    let from = super::log::ms(between(&claim.sentence, " between ", " and "));
    let until = super::log::ms(first_word(&claim.sentence, " and "));
    let mut firsts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in lines {
        let first = firsts.entry(line.who()).or_insert(line.ms);
        *first = line.ms.min(*first);
    }
    firsts.values().filter(|first| (from..=until).contains(*first)).count()
}

/// Whether a call names a secret, by words of the corpora.
pub(super) fn is_secret(line: &Line) -> bool {
    const NAMES: [&str; 6] = ["/secret", "api-keys", ".env", "id_rsa", "credentials", ".pem"];
    NAMES.iter().any(|name| line.path.contains(name) || resource(line).contains(name))
}

/// What tells one resource of a tool from another.
fn resource(line: &Line) -> &str {
    line.text
        .split_once("\"resource_uri\":\"")
        .map_or("", |(_, rest)| rest.split('"').next().unwrap_or_default())
}

fn first_word<'a>(text: &'a str, mark: &str) -> &'a str {
    let tail = text.split_once(mark).map_or("", |it| it.1);
    tail.split([' ', ';', ',']).next().unwrap_or_default()
}

pub(super) fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> f64 {
    all.collect::<BTreeSet<_>>().len() as f64
}

/// Objects of the finding's hour that somebody else alone had read until then, with those readers.
pub(super) fn foreign<'a>(claim: &Claim<'_>, lines: &'a [Line]) -> BTreeMap<&'a str, &'a str> {
    let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in lines.iter().filter(|it| it.method == "GET" && it.is_ok()) {
        let before = readers.entry(&*line.path).or_default();
        if claim.has(line)
            && line.who() == claim.principal
            && line.is_of(&claim.entity)
            && let (1, Some(other)) = (before.len(), before.first().copied())
            && other != claim.principal
        {
            found.insert(&*line.path, other);
        }
        before.insert(line.who());
    }
    found
}

/// Whom a call with a tool is charged to: the agent, else whoever called.
fn tool_user(line: &Line) -> &str {
    line.agents().last().copied().unwrap_or_else(|| line.who())
}

/// Tools that are called in the finding's hour, and were not before.
pub(super) fn new_tools<'a>(claim: &Claim<'_>, lines: &'a [Line]) -> BTreeSet<(&'a str, &'a str)> {
    let used = lines.iter().filter(|it| !it.tool.is_empty() && tool_user(it) == claim.principal);
    let (mut known, mut new) = (BTreeSet::new(), BTreeSet::new());
    for line in used {
        let tool = (&*line.server, &*line.tool);
        if line.ms < claim.start_ms {
            known.insert(tool);
        } else if claim.has(line) && !known.contains(&tool) {
            new.insert(tool);
        }
    }
    new
}

/// On whose behalf the agent acted in the finding's hour.
pub(super) fn subjects<'a>(claim: &Claim<'_>, lines: &'a [Line]) -> BTreeSet<&'a str> {
    let acted = |it: &&Line| {
        claim.has(it) && it.who() != claim.principal && it.agents().contains(&&*claim.principal)
    };
    lines.iter().filter(acted).map(Line::who).collect()
}

/// What such findings of `delegation` count that are about what those whom an agent acts for never do.
pub(super) const BEYOND: &str = "pairs of identity and endpoint";

/// Somebody, and a method and path that was called for it.
pub(super) type Pair<'a> = (&'a str, (&'a str, String));

/// What the agent did for others in the finding's hour and was answered, of those who have been there for a
/// week by then, on three days of their own; and the part of it that they did not do themselves before that hour:
/// what they do within it is known when it is over, as the sentence must say.
pub(super) fn pairs_beyond<'a>(
    claim: &Claim<'_>,
    lines: &'a [Line],
) -> (BTreeSet<Pair<'a>>, BTreeSet<Pair<'a>>) {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let is_acted = |it: &&Line| !it.agents().is_empty();
    let pair = |it: &'a Line| (it.who(), (&*it.method, shape(&it.path)));
    let (mut own, mut days) = (BTreeSet::new(), BTreeMap::<&str, BTreeSet<i64>>::new());
    for line in lines.iter().filter(|it| it.ms < claim.start_ms && !is_acted(it)) {
        own.insert(pair(line));
        days.entry(line.who()).or_default().insert(line.ms.div_euclid(DAY_MS));
    }
    let today = claim.start_ms.div_euclid(DAY_MS);
    let is_known = |who: &str| {
        days.get(who)
            .is_some_and(|it| it.len() >= 3 && it.first().is_some_and(|it| today - it >= 7))
    };
    let acted = lines.iter().filter(|it| claim.has(it) && it.status < 400 && is_known(it.who()));
    let acted = acted.filter(|it| it.who() != claim.principal);
    let compared: BTreeSet<_> =
        acted.filter(|it| it.agents().contains(&&*claim.principal)).map(pair).collect();
    let beyond = compared.difference(&own).cloned().collect();
    (compared, beyond)
}

/// A path with its numbers as one.
pub(super) fn shape(path: &str) -> String {
    let part = |part: &str| {
        if part.bytes().any(|it| it.is_ascii_digit()) { "{}".to_owned() } else { part.to_owned() }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// From whom to whom a call went: through its agents in their order, to a tool's server in the end.
pub(super) fn edges(line: &Line) -> Vec<(String, String)> {
    let mut path: Vec<_> = line.agents().into_iter().map(str::to_owned).collect();
    if path.is_empty() {
        path.push(line.who().to_owned());
    }
    if !line.server.is_empty() {
        path.push(line.server.clone());
    }
    path.dedup();
    path.windows(2).map(|it| (it[0].clone(), it[1].clone())).collect()
}

/// Edges from the finding's agent in its hour that never were before.
pub(super) fn new_edges(claim: &Claim<'_>, lines: &[Line]) -> BTreeSet<(String, String)> {
    let of = |before: bool| -> BTreeSet<_> {
        let here =
            lines.iter().filter(|it| if before { it.ms < claim.start_ms } else { claim.has(it) });
        here.flat_map(edges).filter(|(from, _)| *from == claim.principal).collect()
    };
    let known = of(true);
    of(false).into_iter().filter(|it| !known.contains(it)).collect()
}

/// Days between the hour of the last call before the silence and the first hour after it.
fn silence_days(claim: &Claim<'_>, own: &[&Line]) -> Option<f64> {
    let since = super::log::ms(first_word(&claim.sentence, "since the hour of "));
    let hour = |it: &&&Line| it.ms.div_euclid(HOUR_MS) * HOUR_MS;
    let back = own.iter().map(|it| hour(&it)).find(|it| *it > since)?;
    let last = own.iter().map(|it| hour(&it)).filter(|it| *it < back).max()?;
    let _said = between(&claim.sentence, "silent for ", " ");
    Some((back - last) as f64 / (24 * HOUR_MS) as f64)
}

/// Calls that were not refused, of hours in which one was answered without an error.
pub(super) fn taken_calls<'a>(all: impl Iterator<Item = &'a Line>) -> usize {
    let all: Vec<_> = all.collect();
    let hour = |it: &Line| it.ms.div_euclid(HOUR_MS);
    let answered = |of| all.iter().any(|it| hour(it) == of && it.status < 400);
    let taken = all.iter().filter(|it| !matches!(it.status, 401 | 403 | 404 | 407));
    taken.filter(|it| answered(hour(it))).count()
}
