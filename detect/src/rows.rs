//! Closed windows and signals as Arrow record batches.

mod plain;

use crate::detectors::Reading;
use crate::engine::Context;
use crate::explain;
use crate::identity::{Identity, Operation};
use crate::incidents::{Incident, Status};
use crate::open_window::OpenWindow;
use crate::population::Population;
use crate::statistics::sketch::View;
use crate::watch::Told;
use arrow::array::{
    ArrayBuilder, ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::error::ArrowError;
use model::mention::Mentions;
use model::tables::Table;
use model::{EndpointSource, Endpoints, FindingId, Origin, Time};
use std::sync::Arc;

/// Rows that are gathered before they leave, unless nothing comes after them.
pub(crate) const ROWS_MIN: usize = 4_096;

/// One column under construction; which kind each is, the table's schema says.
#[derive(Debug)]
enum Column {
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Count(Int64Builder),
    Number(Float64Builder),
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Text(&'a str),
    Time(Time),
    Count(i64),
    Number(f64),
    Null,
}

impl From<u32> for Value<'_> {
    fn from(count: u32) -> Self {
        Self::Count(i64::from(count))
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Self::Count(count as i64)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f64>> for Value<'_> {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }
}

/// Rows of one table under construction.
#[derive(Debug)]
pub(crate) struct Rows {
    table: Table,
    columns: Vec<Column>,
    len: usize,
}

impl Rows {
    pub(crate) fn of(table: Table) -> Self {
        let columns = table
            .schema()
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                arrow::datatypes::DataType::Utf8 => Column::Text(StringBuilder::new()),
                arrow::datatypes::DataType::Int64 => Column::Count(Int64Builder::new()),
                arrow::datatypes::DataType::Float64 => Column::Number(Float64Builder::new()),
                _ => Column::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            })
            .collect();
        Self { table, columns, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, values: &[Value<'_>]) {
        debug_assert_eq!(values.len(), self.columns.len(), "a row has a value for each column");
        for (column, value) in self.columns.iter_mut().zip(values) {
            match (column, value) {
                (Column::Text(column), Value::Text(value)) => column.append_value(value),
                (Column::Time(column), Value::Time(time)) => {
                    column.append_value(time.ns().div_euclid(1_000));
                }
                (Column::Count(column), Value::Count(value)) => column.append_value(*value),
                (Column::Number(column), Value::Number(value)) => column.append_value(*value),
                (Column::Text(column), _) => column.append_null(),
                (Column::Time(column), _) => column.append_null(),
                (Column::Count(column), _) => column.append_null(),
                (Column::Number(column), _) => column.append_null(),
            }
        }
        self.len += 1;
    }

    /// Takes the rows out, as a batch of the table's schema.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.len = 0;
        let columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| match column {
                Column::Text(column) => ArrayBuilder::finish(column),
                Column::Time(column) => Arc::new(column.finish()),
                Column::Count(column) => ArrayBuilder::finish(column),
                Column::Number(column) => ArrayBuilder::finish(column),
            })
            .collect();
        RecordBatch::try_new(self.table.schema(), columns)
    }

    /// Drops the rows of one principal, and signals of others whose entity names it: it is part of their
    /// key, so that they cannot be told apart without it.
    pub(crate) fn forget(&mut self, principal: &str, mentions: &Mentions) {
        if self.len == 0 {
            return;
        }
        let Some(ids) = self.texts("principal_id") else { return };
        let mut is_gone: Vec<_> = ids.iter().map(|id| id == Some(principal)).collect();
        if let Some((detectors, entities)) = self.texts("detector").zip(self.texts("entity")) {
            let each = detectors.iter().zip(entities.iter());
            for (is_gone, (detector, entity)) in is_gone.iter_mut().zip(each) {
                let detector = detector.and_then(Origin::from_name);
                *is_gone |= detector.is_some_and(Origin::names_somebody)
                    && entity.is_some_and(|entity| mentions.are_in(entity));
            }
        }
        if is_gone.contains(&true) {
            self.drop_rows(&is_gone);
        }
    }

    /// A column of texts, by its name.
    fn texts(&self, name: &str) -> Option<StringArray> {
        match self.columns.get(self.table.schema().index_of(name).ok()?)? {
            Column::Text(texts) => Some(texts.finish_cloned()),
            _ => None,
        }
    }

    /// Adds a row to `signals`.
    pub(crate) fn push_signal(
        &mut self,
        identity: &Identity,
        entity: &str,
        reading: &Reading,
        score: f64,
    ) {
        let seconds = reading.end.since(reading.start) / model::time::NS_PER_S;
        self.push(&[
            Value::Text(identity.tenant()),
            Value::Text(&identity.name),
            Value::Text(entity),
            Value::Text(reading.detector.as_str()),
            Value::Time(reading.start),
            Value::Time(reading.end),
            Value::Count(seconds),
            reading.observed.into(),
            reading.expected.into(),
            reading.surprise.into(),
            score.into(),
        ]);
    }

    /// Adds a row to `signals` about something that is no identity.
    pub(crate) fn push_told(&mut self, told: &Told, score: f64) {
        self.push(&[
            Value::Text(told.tenant()),
            told.subject.address.as_deref().map_or(Value::Null, Value::Text),
            Value::Text(&told.subject.entity),
            Value::Text(told.detector.as_str()),
            Value::Time(told.start),
            Value::Time(told.end()),
            Value::Count(3_600),
            told.observed.into(),
            told.expected.into(),
            told.surprise.into(),
            score.into(),
        ]);
    }

    /// Adds a row to `windows`.
    pub(crate) fn push_window(&mut self, identity: &Identity, open: &OpenWindow) {
        let calls = f64::from(open.calls.max(1));
        let statuses = &open.statuses;
        let objects: usize = open.objects.iter().map(|set| set.objects.len()).sum();
        let peak = |index: usize| open.speeds.get(index).map_or(0, |speed| speed.peak);
        let ms = |quantile| open.durations.quantile(quantile).map(|ns| ns / 1e6);
        let s = |quantile| open.gaps.quantile(quantile).map(|ns| ns / 1e9);
        self.push(&[
            Value::Text(identity.tenant()),
            Value::Text(&identity.name),
            Value::Time(open.start),
            Value::Time(open.end()),
            Value::Count(3_600),
            open.calls.into(),
            statuses.s2xx.into(),
            statuses.s3xx.into(),
            statuses.s401.into(),
            statuses.s403.into(),
            statuses.s404.into(),
            statuses.s4xx.into(),
            statuses.s5xx.into(),
            statuses.unknown.into(),
            open.endpoints.len().into(),
            open.novel_seen.into(),
            open.denied.len().into(),
            objects.into(),
            open.foreign.into(),
            open.objects_new.into(),
            open.changes.objects.len().into(),
            open.changes.deleted.len().into(),
            open.secrets.as_ref().map_or(0, |secrets| secrets.resources.len()).into(),
            open.loops.as_ref().map_or(0, |loops| loops.most()).into(),
            open.acted.as_ref().map_or(0, |acted| acted.calls).into(),
            open.acted.as_ref().map_or(0, |acted| acted.subjects.len()).into(),
            open.acted.as_ref().map_or(0, |acted| acted.new).into(),
            open.acted.as_ref().map_or(0, |acted| u32::from(acted.depth)).into(),
            open.tools.as_ref().map_or(0, |tools| tools.all.len()).into(),
            open.tools.as_ref().map_or(0, |tools| tools.new_ones()).into(),
            open.probes.as_ref().map_or(0, |probes| probes.calls).into(),
            open.probes.as_ref().map_or(0, |probes| probes.answered).into(),
            open.networks.len().into(),
            open.origins.as_ref().map_or(0, |origins| origins.new_ones().count()).into(),
            open.user_agents.len().into(),
            open.bytes_in.into(),
            open.bytes_out.into(),
            open.sized.into(),
            (f64::from(open.writes) / calls).into(),
            peak(0).into(),
            peak(1).into(),
            open.steps.skipped_most().into(),
            open.steps.oddest.map(|oddest| oddest.mean()).into(),
            ms(0.5).into(),
            ms(0.95).into(),
            s(0.05).into(),
            s(0.5).into(),
            s(0.95).into(),
            (open.surprisal_bits / calls).into(),
        ]);
    }

    /// Adds a row to `operations`; without an operation, of the calls of those that had no room.
    pub(crate) fn push_operation(
        &mut self,
        identity: &Identity,
        (day, others): (Time, u32),
        operation: Option<&Operation>,
        endpoints: &Endpoints,
    ) {
        let (name, source) = operation.map_or(("", EndpointSource::Overflow), |it| {
            (endpoints.name(it.endpoint), endpoints.source(it.endpoint))
        });
        self.push(&[
            Value::Text(identity.tenant()),
            Value::Text(&identity.name),
            Value::Time(day),
            Value::Text(name),
            Value::Text(source.as_str()),
            operation.map_or(others, |it| it.calls).into(),
            operation.map_or(0, |it| it.accepted).into(),
            operation.map_or(0, |it| it.in_findings).into(),
        ]);
    }

    /// Adds a row to `incidents`.
    pub(crate) fn push_incident(&mut self, id: FindingId, incident: &Incident) {
        let join =
            |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
        let (id, into) = match incident.status {
            Status::Merged(into) => (id.to_string(), Some(into.to_string())),
            Status::Open | Status::Closed => (id.to_string(), None),
        };
        self.push(&[
            Value::Text(&id),
            Value::Count(incident.revision as i64),
            Value::Text(&incident.tenant),
            Value::Text(incident.status.as_str()),
            into.as_deref().map_or(Value::Null, Value::Text),
            Value::Time(incident.first),
            Value::Time(incident.last),
            Value::Text(incident.severity.as_str()),
            incident.score.into(),
            incident.findings().into(),
            incident.identities().into(),
            Value::Text(&join(&mut incident.detectors())),
            Value::Text(&join(&mut incident.connected())),
            Value::Text(&explain::incident(incident)),
        ]);
    }

    /// Adds a row to `identities`: the state at `stated_at`, its risk as of `now`.
    pub(crate) fn push_identity(
        &mut self,
        identity: &Identity,
        context: &Context<'_>,
        (now, stated_at): (Time, Time),
    ) {
        let profile = &identity.profile;
        let mut usual: Vec<_> = profile.known().iter().collect();
        usual.sort_by(|a, b| b.calls().total_cmp(&a.calls()).then(a.endpoint.cmp(&b.endpoint)));
        let usual: Vec<_> = usual
            .into_iter()
            .take(5)
            .map(|known| {
                let share = f64::from(known.calls()) / profile.total.max(1e-9);
                let name = context.endpoints.name(known.endpoint);
                format!("{name} ({})", explain::percent(share))
            })
            .collect();
        let peers = context.population.peers(identity).members;
        let key = crate::incidents::key_of(identity.tenant(), &identity.name);
        let (risk, shares) = context.incidents.risks.of(key, now);
        let shares: Vec<_> = shares
            .iter()
            .map(|(finding, share)| format!("{finding} ({})", explain::percent(share / risk)))
            .collect();
        self.push(&[
            Value::Text(identity.tenant()),
            Value::Text(&identity.name),
            identity.label.as_deref().map_or(Value::Null, Value::Text),
            Value::Text(identity.kind.as_str()),
            Value::Text(identity.source),
            Value::Text(identity.baseline_state()),
            Value::Time(identity.first_seen),
            Value::Time(identity.last_seen),
            Value::Time(stated_at),
            Value::Count(identity.calls as i64),
            identity.hours.into(),
            profile.known().len().into(),
            profile.p_new().into(),
            Value::Text(&usual.join(", ")),
            (identity.calls as f64 / f64::from(identity.hours.max(1))).into(),
            identity.bytes.quantile(View::Fast, 0.5).into(),
            Value::Count(identity.group.map_or(-1, i64::from)),
            Value::Count(i64::from(peers)),
            identity.learned.into(),
            identity.withheld.into(),
            risk.into(),
            Value::Text(&shares.join(", ")),
            identity.state_bytes().into(),
        ]);
    }

    /// Adds every endpoint that was called to `endpoints`.
    pub(crate) fn push_endpoints(&mut self, endpoints: &Endpoints, population: &Population) {
        for (index, habit) in population.endpoints.iter().enumerate() {
            if habit.calls == 0 {
                continue;
            }
            let id = model::EndpointId(index as u32);
            let objects = population
                .objects(&crate::statistics::Moments::default(), id)
                .filter(|_| habit.objects.n > 0.0)
                .map(|law| law.quantile(2.0));
            self.push(&[
                Value::Text(endpoints.name(id)),
                Value::Text(endpoints.source(id).as_str()),
                Value::Time(habit.first_seen),
                Value::Time(habit.last_seen),
                Value::Count(habit.calls as i64),
                population.everyone.users_of(id).into(),
                (habit.authenticated as f64 / habit.calls as f64).into(),
                Value::Count(habit.answered as i64),
                Value::Count((habit.answered - habit.answered_named) as i64),
                objects.into(),
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_where_its_entity_names_who_is_forgotten() {
        let mut rows = Rows::of(Table::Signals);
        for (who, entity, detector) in [
            ("ann", "", "egress_spike"),
            ("bob", "ann→files", "agent_graph"),
            ("bob", "annex→files", "agent_graph"),
            ("bob", "GET /users/ann", "sequence"),
        ] {
            let (at, number) = (Value::Time(Time::from_ns(0)), Value::Number(1.0));
            let whose = [Value::Text("default"), Value::Text(who), Value::Text(entity)];
            let what = [Value::Text(detector), at, at, Value::Count(3_600)];
            rows.push(&[&whose[..], &what, &[number; 4]].concat());
        }
        rows.forget("ann", &Mentions::of(["ann"]));
        let left = rows.texts("entity").unwrap();
        assert_eq!(left.iter().flatten().collect::<Vec<_>>(), ["annex→files", "GET /users/ann"]);
        assert_eq!(rows.len(), 2);
    }
}
