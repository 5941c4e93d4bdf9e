//! Detection at work: events in order go in hour by hour, what is found goes to the keeper.

use crate::keeper::Keeper;
use crate::order::{Held, Order};
use crate::pipeline::{PipelineError, Stage, assign};
use crate::workers;
use detect::{Engine, Item, Router};
use ingest::repeat::Repeats;
use model::tables::Table;
use model::time::{NS_PER_H, NS_PER_MIN};
use model::{Finding, FindingId, Origin, Time};
use std::collections::BTreeSet;

/// Detection with all that it knows.
#[derive(Debug)]
pub(crate) struct Detection {
    /// Windows, baselines, detectors.
    pub(crate) engine: Engine,
    /// Who must hear of an event beside its own partition.
    pub(crate) router: Router,
    /// What two records tell of. No part of a checkpoint: its memory is two minutes, and a pair that a
    /// restart parts counts twice.
    repeats: Repeats,
    raised: BTreeSet<FindingId>,
    /// Rows leave at every hour's end, and not only when there are many.
    is_live: bool,
}

impl Detection {
    /// Detection that puts its rows out when there are many of them.
    pub(crate) fn new(engine: Engine, router: Router) -> Self {
        Self {
            engine,
            router,
            repeats: Repeats::default(),
            raised: BTreeSet::new(),
            is_live: false,
        }
    }

    /// The same, for a service: rows leave at every hour's end, with the state of identities.
    pub(crate) fn live(engine: Engine, router: Router) -> Self {
        Self { is_live: true, ..Self::new(engine, router) }
    }

    /// Judges events, which are due and in order.
    pub(crate) fn take(
        &mut self,
        due: &[Held],
        order: &mut Order,
        at: &mut Stage<'_>,
        keeper: &mut Keeper,
    ) -> Result<(), PipelineError> {
        let mut rest = due;
        if let Some(hour) = self.engine.hour() {
            let too_late = rest.partition_point(|held| held.time < hour);
            at.passed.late_not_scored += too_late as u64;
            rest = rest.get(too_late..).unwrap_or_default();
        }
        while let Some(first) = rest.first() {
            let hour = if let Some(hour) = self.engine.hour() {
                hour
            } else {
                self.engine.open(first.time);
                first.time.floor(NS_PER_H)
            };
            let end = hour.plus(NS_PER_H);
            let (now, later) = rest.split_at(rest.partition_point(|held| held.time < end));
            self.minutes(now, order, at, !later.is_empty());
            if let Some(next) = later.first() {
                self.exchange(at, keeper, self.is_live)?;
                self.end_operations(Some(next.time), at, keeper)?;
                self.engine.open(next.time);
            } else {
                let findings = self.engine.drain_findings();
                let raised = self.count(&findings, at);
                keeper.findings(findings, raised)?;
                if let Some(rows) = self.engine.drain_incidents()? {
                    keeper.rows(Table::Incidents, rows)?;
                }
            }
            rest = later;
        }
        Ok(())
    }

    /// Part of an hour, minute by minute: what concerns more than one identity is looked at where one
    /// ends, so that it does not depend on how the events came in. `closes` ends the hour.
    fn minutes(&mut self, due: &[Held], order: &mut Order, at: &mut Stage<'_>, closes: bool) {
        let mut rest = due;
        loop {
            let first = rest.first().map(|held| held.time);
            if let Some(time) = first {
                self.engine.tick(time, at.templates.endpoints());
            }
            let end = first.map(|time| time.floor(NS_PER_MIN).plus(NS_PER_MIN));
            let in_minute = |held: &Held| end.is_some_and(|end| held.time < end);
            let (now, later) = rest.split_at(rest.partition_point(in_minute));
            self.hour_part(now, order, at, closes && later.is_empty());
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// One part of an hour; `closes` ends the hour.
    fn hour_part(&mut self, due: &[Held], order: &mut Order, at: &mut Stage<'_>, closes: bool) {
        assign(due, order, at.templates);
        let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); model::limit::PARTITIONS];
        for held in due {
            let Some((batch, index)) = order.batch(held) else { continue };
            let Some(event) = batch.events.get(index) else { continue };
            if self.repeats.is_repeat(batch, event) {
                at.passed.repeated += 1;
                continue;
            }
            if let Some(list) = items.get_mut(event.partition()) {
                list.push(Item::Call(batch, event));
            }
            if let Some(note) = self.router.see(batch, event)
                && let Some(list) = items.get_mut(note.partition)
            {
                list.push(note.item(batch, event));
            }
            if let Some(note) = Router::actor(batch, event)
                && let Some(list) = items.get_mut(note.partition)
            {
                list.push(note.item(batch, event));
            }
        }
        let tasks = self.engine.tasks(at.templates.endpoints(), &items, closes);
        workers::run(at.threads, tasks, detect::Task::run);
    }

    /// Counts findings; when the new ones among them were raised.
    fn count(&mut self, findings: &[Finding], at: &mut Stage<'_>) -> Vec<Time> {
        let mut raised = Vec::new();
        at.passed.revisions += findings.len() as u64;
        at.passed.intake.found(findings);
        for finding in findings {
            // A finding of an hour is revised within it, after which the set is emptied; one of a day, later.
            let is_new = self.raised.insert(finding.id) && finding.is_first;
            at.passed.findings += u64::from(is_new);
            let Origin::Detector(detector) = finding.detector else { continue };
            let of = at.passed.raised.get_mut(detector as usize);
            if let Some(counts) = of.and_then(|it| it.get_mut(finding.severity as usize)) {
                counts.findings += u64::from(is_new);
                counts.revisions += 1;
            }
            if is_new {
                raised.push(finding.detected_at);
            }
        }
        raised
    }

    /// After an hour was closed: what spans identities is exchanged, and what was found is kept.
    fn exchange(
        &mut self,
        at: &mut Stage<'_>,
        keeper: &mut Keeper,
        last: bool,
    ) -> Result<(), PipelineError> {
        at.templates.apply_folds();
        let output = self.engine.exchange(at.templates.endpoints(), last)?;
        let end = self.engine.hour().map(|hour| hour.plus(NS_PER_H));
        for (from, is_known) in [
            (&mut at.passed.judges_from, self.engine.knows_anyone()),
            (&mut at.passed.models_from, self.engine.has_models()),
        ] {
            if is_known && from.is_none() {
                *from = end;
            }
        }
        self.count(&output.findings, at);
        self.raised.clear();
        keeper.keep(output)?;
        if last { self.keep_state(at, keeper) } else { Ok(()) }
    }

    /// Keeps what identities did on the days that are over at `next`, all of them without it.
    fn end_operations(
        &mut self,
        next: Option<Time>,
        at: &Stage<'_>,
        keeper: &mut Keeper,
    ) -> Result<(), PipelineError> {
        let mut keep = |rows| Ok(keeper.rows(Table::Operations, rows)?);
        self.engine.end_operations(next, at.templates.endpoints(), &mut keep)
    }

    /// Keeps the latest state of identities and endpoints.
    fn keep_state(&self, at: &Stage<'_>, keeper: &mut Keeper) -> Result<(), PipelineError> {
        let endpoints = at.templates.endpoints();
        for rows in self.engine.identities(endpoints) {
            keeper.rows(Table::Identities, rows?)?;
        }
        Ok(keeper.rows(Table::Endpoints, self.engine.endpoints(endpoints)?)?)
    }

    /// Closes the hour that is open, and keeps everything.
    pub(crate) fn finish(
        &mut self,
        at: &mut Stage<'_>,
        keeper: &mut Keeper,
    ) -> Result<(), PipelineError> {
        let none = vec![Vec::new(); model::limit::PARTITIONS];
        let tasks = self.engine.tasks(at.templates.endpoints(), &none, true);
        workers::run(at.threads, tasks, detect::Task::run);
        if !self.is_live {
            self.end_operations(None, at, keeper)?;
            self.engine.end_day(at.templates.endpoints());
        }
        self.exchange(at, keeper, true)
    }

    /// Closes the hour that is open if it ended before `watermark`, and opens that of the watermark.
    pub(crate) fn close_before(
        &mut self,
        watermark: Time,
        at: &mut Stage<'_>,
        keeper: &mut Keeper,
    ) -> Result<bool, PipelineError> {
        let is_over = self.engine.hour().is_some_and(|hour| hour.plus(NS_PER_H) <= watermark);
        if is_over {
            self.finish(at, keeper)?;
            self.end_operations(Some(watermark), at, keeper)?;
            self.engine.open(watermark);
        }
        Ok(is_over)
    }
}
