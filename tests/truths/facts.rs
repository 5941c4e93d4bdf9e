//! What else the sentences say, counted again from the raw lines, detector by detector.

use super::Claim;
use super::log::{HOUR_MS, Line, ms};
use super::recount::{
    BEYOND, distinct, edges, foreign, is_secret, new_edges, new_tools, newcomers, pairs_beyond,
    shape, subjects, taken_calls,
};
use super::words::{Said, after, before, between};
use std::collections::{BTreeMap, BTreeSet};

/// The lines that a sentence is about.
struct About<'a> {
    claim: &'a Claim<'a>,
    all: &'a [Line],
    /// Charged to the finding's identity.
    own: Vec<&'a Line>,
    /// Those of the finding's window.
    hour: Vec<&'a Line>,
}

impl<'a> About<'a> {
    fn says(&self, what: &str) -> bool {
        self.claim.sentence.contains(what)
    }

    /// The number before a mark is this one.
    #[track_caller]
    fn is_before(&self, mark: &str, value: f64) {
        self.is(before(&self.claim.sentence, mark), mark, value);
    }

    /// The number after a mark is this one.
    #[track_caller]
    fn is_after(&self, mark: &str, value: f64) {
        self.is(after(&self.claim.sentence, mark), mark, value);
    }

    #[track_caller]
    fn is(&self, said: Said, mark: &str, value: f64) {
        let Claim { case, sentence, .. } = self.claim;
        assert!(said.is(value), "{}: {value}, not {said:?}, at `{mark}`: {sentence}", case.file);
    }

    /// The time that stands between two marks is that of a line.
    #[track_caller]
    fn is_time(&self, from: &str, to: &str, line: &Line) {
        let said = ms(between(&self.claim.sentence, from, to));
        let Claim { case, sentence, .. } = self.claim;
        assert_eq!(said, line.ms, "{}: line {} at `{from}`: {sentence}", case.file, line.number);
    }

    /// Own calls before the window.
    fn earlier(&self) -> impl Iterator<Item = &'a Line> + '_ {
        self.own.iter().copied().filter(|it| it.ms < self.claim.start_ms)
    }

    /// The most that any hour before the window had.
    fn most(&self, of: impl Fn(&[&'a Line]) -> f64) -> f64 {
        let mut hours: BTreeMap<i64, Vec<&Line>> = BTreeMap::new();
        for line in self.earlier() {
            hours.entry(line.ms.div_euclid(HOUR_MS)).or_default().push(line);
        }
        hours.values().map(|it| of(it)).fold(0.0, f64::max)
    }

    /// Of the window's own lines those of the finding's endpoint.
    fn here(&self) -> Vec<&'a Line> {
        self.hour.iter().copied().filter(|it| it.is_of(&self.claim.entity)).collect()
    }
}

/// Seconds from the first to the last of some lines.
fn length_s(lines: &[&Line]) -> f64 {
    let ends = lines.first().zip(lines.last());
    ends.map_or(0.0, |(first, last)| (last.ms - first.ms) as f64 / 1_000.0)
}

/// How many days lie between the row of the window's return and the one before it.
pub(super) fn gap_days(claim: &Claim<'_>) -> Option<f64> {
    let since = ms(claim.sentence.split_once("since the hour of ")?.1.split([',', ';']).next()?);
    let starts = claim.rows.iter().filter_map(|it| it["window_start"].as_str().map(ms));
    let back = starts.filter(|it| *it > since).min()?;
    let is_there = claim.rows.iter().any(|it| it["window_start"].as_str().map(ms) == Some(since));
    is_there.then(|| (back - since) as f64 / (24 * HOUR_MS) as f64)
}

/// Checks what the sentence says beside what was observed.
#[track_caller]
pub(super) fn check(claim: &Claim<'_>, lines: &[Line]) {
    let own: Vec<_> = lines.iter().filter(|it| it.who() == claim.principal).collect();
    let hour = own.iter().copied().filter(|it| claim.has(it)).collect();
    let about = About { claim, all: lines, own, hour };
    history(&about);
    match &*claim.detector {
        "object_enumeration" => object_enumeration(&about),
        "egress_spike" => egress_spike(&about),
        "first_seen_endpoint" => first_seen_endpoint(&about),
        "foreign_object" => foreign_object(&about),
        "unauthenticated_success" => unauthenticated_success(&about),
        "new_network" => new_network(&about),
        "auth_failures" => auth_failures(&about),
        "denied_probing" => denied_probing(&about),
        "secret_harvesting" | "write_burst" => burst(&about),
        "tool_drift" => tool_drift(&about),
        "toxic_flow" => toxic_flow(&about),
        "machine_speed" => machine_speed(&about),
        "slow_drip" => slow_drip(&about),
        "sequence" => sequence(&about),
        "delegation" => delegation(&about),
        "injection" => injection(&about),
        "exposure_change" => exposure_change(&about),
        "runaway_loop" => runaway_loop(&about),
        "dormant" => dormant(&about),
        "inventory" => inventory(&about),
        "key_fanout" => key_fanout(&about),
        "cadence" => cadence(&about),
        "agent_graph" => agent_graph(&about),
        "identity_explosion" => identity_explosion(&about),
        "joint_outlier" => about.is_before(" calls were made", about.hour.len() as f64),
        "not_itself" => not_itself(&about),
        "coincidence" => super::parts::check(claim),
        other => panic!("nothing is known of {other}"),
    }
}

/// How many hours and calls of its own the sentence rests on.
#[track_caller]
fn history(about: &About<'_>) {
    if !about.says(" of its own (") || !about.says(" calls over ") || !about.says(" active hour") {
        return;
    }
    let rest = between(&about.claim.sentence, "this rests on ", " peer");
    let hours = distinct(about.earlier().map(|it| it.ms.div_euclid(HOUR_MS)));
    let left_out = if rest.contains(" left out") {
        let all = rest.replace(" left out", "\u{0}").replace(" over ", " ");
        let head = all.split('\u{0}').next().unwrap_or_default();
        before(&format!("{}!", head.trim_end_matches(" hours").trim_end_matches(" hour")), "!")
            .value
    } else {
        0.0
    };
    about.is_after("this rests on ", hours - left_out);
    if left_out < 0.5 {
        let calls = about.earlier().count() as f64;
        let rest = rest.split_once('(').unwrap().1;
        about.is(after(&format!("({rest}"), "("), "calls of its own", calls);
    }
}

#[track_caller]
fn object_enumeration(about: &About<'_>) {
    let read = |lines: &[&Line]| {
        let here = lines.iter().filter(|it| it.is_ok() && it.is_of(&about.claim.entity));
        distinct(here.map(|it| it.path.clone()))
    };
    let here: Vec<_> = about.here().into_iter().filter(|it| it.is_ok()).collect();
    about.is_before(" calls were answered with success", here.len() as f64);
    about.is_time(
        ", up to ",
        if about.says(" consecutive") { ", " } else { "; " },
        here.last().unwrap(),
    );
    if about.says("its own most in an hour so far is ") {
        about.is_after("its own most in an hour so far is ", about.most(read));
    }
}

#[track_caller]
fn egress_spike(about: &About<'_>) {
    let bytes = |lines: &[&Line]| lines.iter().filter_map(|it| it.bytes_out).sum::<u64>() as f64;
    about.is_after(" received ", bytes(&about.hour));
    about.is_time(", up to ", ";", about.hour.last().unwrap());
    if about.says("its own largest hour so far is ") {
        about.is_after("its own largest hour so far is ", about.most(bytes));
    }
    let of = between(&about.claim.sentence, " of it from ", ";");
    let part: Vec<_> = about.hour.iter().copied().filter(|it| it.is_of(of)).collect();
    about.is_before(" of it from ", bytes(&part) / bytes(&about.hour));
}

#[track_caller]
fn first_seen_endpoint(about: &About<'_>) {
    let mut here = about.own.iter().filter(|it| it.is_of(&about.claim.entity));
    let late = format!(" was first accepted at {} at ", about.claim.entity);
    let first = if about.says(&late) {
        let first = here.find(|it| it.status < 400).unwrap();
        about.is_time(&late, " ", first);
        first
    } else {
        let first = here.next().unwrap();
        about.is_time(" for the first time at ", " ", first);
        first
    };
    about.is_after("(answered ", first.status as f64);
    calls_before(about);
}

/// How many calls came before, where all of them were learned.
#[track_caller]
fn calls_before(about: &About<'_>) {
    if !about.says(" left out") {
        about.is_before(" calls learned in earlier hours", about.earlier().count() as f64);
    }
}

#[track_caller]
fn foreign_object(about: &About<'_>) {
    let found = foreign(about.claim, about.all);
    about.is_before(" objects in the hour from ", found.len() as f64);
    about.is_before(" others in this hour", distinct(found.values()));
    let shown = about.claim.shown_paths();
    let is_foreign = |path: &String| found.contains_key(&**path);
    assert!(!shown.is_empty() && shown.iter().all(is_foreign), "{shown:?}");
}

#[track_caller]
fn unauthenticated_success(about: &About<'_>) {
    let claim = about.claim;
    let is_ok = |it: &&Line| (200..300).contains(&it.status) && it.is_of(&claim.entity);
    let open: Vec<_> =
        about.all.iter().filter(|it| is_ok(it) && claim.has(it) && it.named.is_empty()).collect();
    about.is_before(" without credentials", open.len() as f64);
    about.is_before(" address", distinct(open.iter().map(|it| &*it.address)));
    about.is_time(" between ", " and ", open.first().unwrap());
    let before: Vec<_> =
        about.all.iter().filter(|it| is_ok(it) && it.ms < claim.start_ms).collect();
    about.is_after(" of the ", before.len() as f64);
    about.is_before(" of the ", before.iter().filter(|it| it.named.is_empty()).count() as f64);
}

#[track_caller]
fn new_network(about: &About<'_>) {
    let network = between(&about.claim.sentence, " from ", " at ");
    let of = network.split_once('/').map_or(network, |it| it.0);
    let of = of.strip_suffix(".0").unwrap_or(of);
    let first = about.own.iter().find(|it| it.network() == of).unwrap();
    about.is_time(" at ", " (", first);
    about.is_after("(answered ", first.status as f64);
    calls_before(about);
}

#[track_caller]
fn auth_failures(about: &About<'_>) {
    let failed: Vec<_> =
        about.hour.iter().copied().filter(|it| matches!(it.status, 401 | 407)).collect();
    about.is_before(" times in ", failed.len() as f64);
    about.is_after(" times in ", length_s(&failed));
}

#[track_caller]
fn denied_probing(about: &About<'_>) {
    let refused = |lines: &[&Line]| {
        let refused = lines.iter().filter(|it| matches!(it.status, 403 | 404));
        distinct(refused.map(|it| (it.method.clone(), it.path.clone())))
    };
    let here: Vec<_> =
        about.hour.iter().copied().filter(|it| matches!(it.status, 403 | 404)).collect();
    about.is_after(" different operations in ", length_s(&here));
    if about.says("its own most so far is ") {
        about.is_after("its own most so far is ", about.most(refused));
    }
}

/// Many different things within some time.
#[track_caller]
fn burst(about: &About<'_>) {
    let is_change = about.claim.detector == "write_burst";
    let counts = |it: &Line| {
        let is_write = matches!(&*it.method, "PUT" | "PATCH" | "DELETE");
        let is_secret = is_secret(it);
        it.is_ok() && if is_change { is_write } else { is_secret }
    };
    let here: Vec<_> = about.hour.iter().copied().filter(|it| counts(it)).collect();
    let mark = if is_change { " different objects in " } else { "`secret`) in " };
    about.is_after(mark, length_s(&here));
    if is_change && about.says("all of them deleted") {
        assert!(here.iter().all(|it| it.method == "DELETE"), "{}", about.claim.sentence);
    }
}

#[track_caller]
fn tool_drift(about: &About<'_>) {
    let new = new_tools(about.claim, about.all);
    let name = |(server, tool): &(&str, &str)| format!("{server}/{tool}");
    let named = new.iter().find(|it| about.claim.entity == name(it));
    let Some((server, tool)) = named else { return };
    let users = |it: &&Line| it.server == *server && it.tool == *tool;
    let first = about.all.iter().filter(|it| about.claim.has(it)).find(users).unwrap();
    about.is_time(" at ", ",", first);
}

#[track_caller]
fn toxic_flow(about: &About<'_>) {
    let here = about.here();
    let claim = about.claim;
    let first = about.own.iter().find(|it| it.is_of(&claim.entity)).unwrap();
    if about.says(" for the first time at ") {
        let mark = if about.says(" in session ") { " in session " } else { ", " };
        about.is_time(" for the first time at ", mark, first);
    }
    assert!(!here.is_empty(), "{}", claim.sentence);
    let is_one = about.says(" sensitive read of ");
    let mark = if is_one { " sensitive read of " } else { " sensitive reads of " };
    let of = between(&claim.sentence, mark, " (");
    // Those of one endpoint in one session; a call without one belongs to any.
    let may_belong = |it: &&Line| {
        let is_same = it.session == first.session;
        it.is_of(of) && (is_same || it.session.is_empty() || first.session.is_empty())
    };
    let so_far = about.hour.iter().copied().filter(|it| it.ms <= first.ms);
    let reads: Vec<_> = so_far.filter(may_belong).collect();
    let last = *reads.last().unwrap();
    about.is_before(" after the last of ", (first.ms - last.ms) as f64 / 1_000.0);
    let count = reads.iter().filter(|it| it.session == last.session).count();
    let at_least = " after the last of at least ";
    if about.says(at_least) {
        assert!(after(&claim.sentence, at_least).value <= count as f64, "{}", claim.sentence);
    } else {
        about.is_after(" after the last of ", count as f64);
    }
}

/// The most calls of any span, which stand at their multiples.
fn peak(lines: &[&Line], span_s: f64) -> f64 {
    let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
    for line in lines {
        *counts.entry(line.ms.div_euclid((span_s * 1_000.0) as i64)).or_default() += 1.0;
    }
    counts.into_values().fold(0.0, f64::max)
}

/// Whether the hour has no more calls in any length than a counterfactual of speeds allows.
pub(super) fn is_slow(claim: &Claim<'_>, lines: &[Line]) -> bool {
    let hour = lines.iter().filter(|it| it.who() == claim.principal && claim.has(it));
    let hour: Vec<_> = hour.collect();
    let limits = [(" calls in 10 s", 10.0), (" in 60 s", 60.0), (" in 5 min", 300.0)];
    limits
        .iter()
        .all(|(mark, span_s)| peak(&hour, *span_s) <= before(&claim.counterfactual, mark).value)
}

#[track_caller]
fn machine_speed(about: &About<'_>) {
    let span = after(&about.claim.sentence, " calls in ").value;
    let peak = |lines: &[&Line]| peak(lines, span);
    about.is_before(" calls in ", peak(&about.hour));
    if about.says("its own highest so far is ") {
        about.is_after("its own highest so far is ", about.most(peak));
    }
    if !about.says("middle gap between its calls is ") {
        return;
    }
    let mut gaps: Vec<_> =
        about.hour.windows(2).map(|it| (it[1].ms - it[0].ms) as f64 / 1_000.0).collect();
    gaps.sort_by(f64::total_cmp);
    let middle = gaps[(gaps.len() - 1) / 2];
    let said = between(&about.claim.sentence, "middle gap between its calls is ", ";");
    if said.starts_with("under ") {
        assert!(middle <= after(said, "under ").value, "{middle}: {}", about.claim.sentence);
    } else {
        let said = after(said, "about ").value;
        // Gaps are kept in bins, two an octave.
        assert!(said / middle < 1.45 && middle / said < 1.45, "{middle}: {}", about.claim.sentence);
    }
}

#[track_caller]
fn slow_drip(about: &About<'_>) {
    let is_bytes = about.says(" as many bytes a day");
    let is_calls = about.says(" times as many calls of ");
    let (after_days, after_time) =
        if is_bytes || is_calls { (" (", ", where") } else { (",", ";") };
    let mark = if is_calls { " active days with any from " } else { " active days from " };
    let days = between(&about.claim.sentence, mark, after_days);
    let day = days.split_once(" to ").map_or("", |it| it.1);
    let until = ms(between(&about.claim.sentence, ", by ", after_time));
    let today = about.own.iter().filter(|it| it.ms >= about.claim.start_ms && it.ms <= until);
    assert!(ms(&format!("{day}T00:00:00Z")) == about.claim.start_ms, "{}", about.claim.sentence);
    if is_bytes {
        let bytes: u64 = today.filter_map(|it| it.bytes_out).sum();
        about.is_before(&format!(" on {day}, by "), bytes as f64);
    } else if is_calls {
        let all = today.copied().filter(|it| it.is_of(&about.claim.entity));
        about.is_before(&format!(" on {day}, by "), taken_calls(all) as f64);
    } else {
        let known: BTreeSet<_> = about.earlier().map(|it| &*it.path).collect();
        let new = today.filter(|it| it.is_ok()).map(|it| &*it.path);
        let new = distinct(new.filter(|it| !known.contains(it)));
        about.is_before(&format!(" on {day}, by "), new);
    }
}

#[track_caller]
fn sequence(about: &About<'_>) {
    if !about.says(" that come from elsewhere than ") {
        return;
    }
    let claim = about.claim;
    let usual = between(&claim.sentence, " from elsewhere than ", ", and ");
    let taken: Vec<_> = about.own.iter().filter(|it| it.status < 400).collect();
    let steps = taken.windows(2).filter(|it| claim.has(it[1]) && it[1].is_of(&claim.entity));
    let (from_there, elsewhere): (Vec<_>, Vec<_>) = steps.partition(|it| it[0].is_of(usual));
    about.is_before(" steps to ", elsewhere.len() as f64);
    about.is_before(" from there (", from_there.len() as f64);
}

#[track_caller]
fn delegation(about: &About<'_>) {
    let claim = about.claim;
    if claim.unit == BEYOND {
        let (compared, beyond) = pairs_beyond(claim, about.all);
        about.is_before(" of the ", beyond.len() as f64);
        about.is_after(" of the ", compared.len() as f64);
        about.is_after(" on behalf of ", distinct(beyond.iter().map(|it| it.0)));
        assert!(about.says(" before this hour: "), "what else is unknown: {}", claim.sentence);
        return;
    }
    about.is_after(" on behalf of ", subjects(claim, about.all).len() as f64);
    let acted = |it: &&Line| {
        claim.has(it) && it.who() != claim.principal && it.agents().contains(&&*claim.principal)
    };
    let acted: Vec<_> = about.all.iter().filter(acted).collect();
    about.is_after(" identities in ", length_s(&acted));
    if about.says(" through a chain of ") {
        let longest = acted.iter().map(|it| it.chain.len()).max().unwrap_or(0);
        about.is_after(" through a chain of ", longest as f64);
    }
}

#[track_caller]
fn injection(about: &About<'_>) {
    let odd: Vec<_> = about
        .here()
        .into_iter()
        .filter(|it| about.claim.case.has_line(it.number, &it.text))
        .collect();
    let count = |from: u64, until: u64| {
        odd.iter().filter(|it| (from..until).contains(&it.status)).count() as f64
    };
    about.is_after(" sent ", odd.len() as f64);
    for (mark, value) in [
        (" with success (2xx", count(200, 300) + count(0, 1)),
        (" with a refusal (4xx)", count(400, 500)),
        (" with an error (5xx)", count(500, 600)),
    ] {
        if about.says(mark) {
            about.is_before(mark, value);
        } else {
            assert!(value < 0.5, "{value} are not said{mark}: {}", about.claim.sentence);
        }
    }
    let minutes = between(&about.claim.sentence, &format!(" to {} in ", about.claim.entity), " (");
    about.is(after(&format!("!{minutes}"), "!"), "its length", length_s(&odd));
}

#[track_caller]
fn exposure_change(about: &About<'_>) {
    let claim = about.claim;
    let since = ms(between(&claim.sentence, " since ", ", "));
    let until = ms(claim
        .sentence
        .split_once(" called it since, up to ")
        .map_or("", |it| it.1)
        .split([',', ';'])
        .next()
        .unwrap_or_default());
    let is_here = |it: &&Line| it.is_of(&claim.entity) && (200..300).contains(&it.status);
    let after: Vec<_> =
        about.all.iter().filter(|it| is_here(it) && it.ms >= since && it.ms <= until).collect();
    about.is_before(" identities called it since", distinct(after.iter().map(|it| it.who())));
    let mut by: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for line in after {
        by.entry(line.who()).or_default().push(line.bytes_out.unwrap_or_default() as f64);
    }
    // The mean over callers of the logarithms, each caller's own mean first.
    let mean =
        |sizes: &Vec<f64>| sizes.iter().map(|it| it.ln_1p()).sum::<f64>() / sizes.len() as f64;
    let middle = (by.values().map(mean).sum::<f64>() / by.len() as f64).exp_m1();
    assert!((middle / claim.observed - 1.0).abs() < 0.05, "{middle}: {}", claim.sentence);
}

#[track_caller]
fn runaway_loop(about: &About<'_>) {
    let of = between(&about.claim.sentence, " of them to ", ":");
    let here: Vec<_> =
        about.hour.iter().copied().filter(|it| it.is_of(of) || of == it.tool).collect();
    let most = before(&about.claim.sentence, " of them to ").value;
    assert!(here.len() as f64 >= most, "{} calls: {}", here.len(), about.claim.sentence);
    let all = after(&about.claim.sentence, " made ").value;
    assert!(most <= all && about.hour.len() as f64 >= all, "{}", about.claim.sentence);
}

#[track_caller]
fn dormant(about: &About<'_>) {
    if about.says(" changed or deleted ") {
        let changed = |it: &&&Line| it.is_ok() && matches!(&*it.method, "PUT" | "PATCH" | "DELETE");
        let changed = about.hour.iter().filter(changed).map(|it| &*it.path);
        about.is_after(" changed or deleted ", distinct(changed));
    }
}

#[track_caller]
fn inventory(about: &About<'_>) {
    let claim = about.claim;
    let is_ok = |it: &&Line| (200..300).contains(&it.status);
    if about.says(" endpoints answered with success between ") {
        let known: BTreeSet<_> = about
            .all
            .iter()
            .filter(is_ok)
            .filter(|it| it.ms < claim.start_ms)
            .map(|it| (&*it.method, &*it.path))
            .collect();
        let new = about
            .all
            .iter()
            .filter(is_ok)
            .filter(|it| claim.has(it))
            .filter(|it| claim.case.has_line(it.number, &it.text))
            .filter(|it| !known.contains(&(&*it.method, &*it.path)));
        let new: Vec<_> = new.collect();
        about.is_before(
            " endpoints answered with success",
            distinct(new.iter().map(|it| (&*it.method, &*it.path))),
        );
        about.is_time(" between ", " and ", new.first().unwrap());
    }
}

#[track_caller]
fn key_fanout(about: &About<'_>) {
    let claim = about.claim;
    let there = |it: &&Line| claim.has(it) && it.address == claim.principal && !it.named.is_empty();
    let there: Vec<_> = about.all.iter().filter(there).collect();
    about.is_before(" identities called from ", distinct(there.iter().map(|it| &*it.named)));
    about.is_time(" between ", " and ", there.first().unwrap());
}

#[track_caller]
fn cadence(about: &About<'_>) {
    let claim = about.claim;
    let of = between(&claim.sentence, " beat of calls to ", " on ");
    let until = ms(between(&claim.sentence, ", by ", ": the middle"));
    let least = before(&claim.sentence, " are left out as one occasion").value;
    let is_all = of == "all endpoints together";
    let calls = about.hour.iter().filter(|it| (is_all || it.is_of(of)) && it.ms <= until);
    let calls: Vec<_> = calls.collect();
    let gaps = calls.windows(2).map(|it| (it[1].ms - it[0].ms) as f64 / 1_000.0);
    let mut gaps: Vec<_> = gaps.filter(|it| *it >= least).collect();
    gaps.sort_by(f64::total_cmp);
    let middle = gaps[gaps.len() / 2];
    let said = after(&claim.sentence, "the middle gap is ").value;
    assert!((said / middle - 1.0).abs() < 0.02, "{middle}: {}", claim.sentence);
    let within = after(&claim.sentence, " gaps lie within ").value;
    let near = gaps.iter().filter(|it| (**it - middle).abs() <= within).count();
    assert!(2 * near >= gaps.len(), "{near} of {}: {}", gaps.len(), claim.sentence);
    let active = distinct(about.hour.iter().filter(|it| it.ms <= until).map(|it| it.ms / HOUR_MS));
    about.is_after(" active in ", active);
}

#[track_caller]
fn agent_graph(about: &About<'_>) {
    let claim = about.claim;
    if !about.says(" passed ") {
        return;
    }
    let (from, to) = claim.entity.split_once('→').unwrap();
    assert!(
        new_edges(claim, about.all).contains(&(from.to_owned(), to.to_owned())),
        "{}",
        claim.sentence
    );
    let is_on = |it: &&Line| claim.has(it) && edges(it).contains(&(from.to_owned(), to.to_owned()));
    let calls: Vec<_> = about.all.iter().filter(is_on).collect();
    about.is_after(" passed ", calls.len() as f64);
    about.is_time(" between ", " and ", calls.first().unwrap());
}

#[track_caller]
fn identity_explosion(about: &About<'_>) {
    let came = newcomers(about.claim, about.all);
    about.is_before(" identities came for the first time", came as f64);
}

#[track_caller]
fn not_itself(about: &About<'_>) {
    let count = after(&about.claim.sentence, " last ").value as usize;
    let calls = about.own.iter().rev().filter(|it| it.ms < about.claim.end_ms).take(count);
    let calls: Vec<_> = calls.collect();
    let known: BTreeSet<_> = about.earlier().map(|it| (&*it.method, shape(&it.path))).collect();
    let new = calls.iter().filter(|it| !known.contains(&(&*it.method, shape(&it.path)))).count();
    // What it did seldom is no habit either.
    let said = before(&about.claim.sentence, " go to endpoints that are not among").value;
    assert!(
        said <= 1.0 && new as f64 <= said * count as f64 + 1.0,
        "{new}: {}",
        about.claim.sentence
    );
}
