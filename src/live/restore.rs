//! Taking up: from a checkpoint, from an older one, or from nothing; and again when topics grow.

use super::recover::{self, Cold, Ends, Found, Gap};
use super::{GROWTH_LOOK_EVERY, Live, LiveError, Mind, Places, notice, state};
use crate::detection::Detection;
use crate::operation::health::State as Doing;
use crate::order::Order;
use detect::{Engine, Output, Router};
use ingest::endpoint::Templates;
use ingest::source::kafka::{Committed, Partition};
use model::{Finding, Time};
use std::time::Instant;

impl Live<'_> {
    /// Takes up where the committed offsets say.
    pub(super) fn restore(
        &mut self,
        committed: &[Committed],
        now: Instant,
    ) -> Result<(), LiveError> {
        self.void();
        self.parts.keeper.lead()?;
        let source = &mut self.parts.source;
        let bounds = source.bounds()?;
        let ends: Ends = source.partitions().iter().cloned().zip(bounds).collect();
        // Of files nothing is committed before the first place is; of topics each partition says so.
        let found = if committed.is_empty() {
            Found::Fresh
        } else {
            recover::find(&self.parts.checkpoints, &self.parts.runtime, committed, &ends)?
        };
        let mind = match found {
            Found::Fresh => {
                let mut places = Places::new(source.partitions(), now);
                for (place, committed) in (0..).zip(committed) {
                    places.start_at(place, committed.offset);
                }
                // An epoch that was never committed is written again; of a group that was reset, whose
                // epochs went further, none is written over.
                let epoch = self.parts.keeper.last_epoch()?;
                let epoch = if epoch <= 1 { 0 } else { epoch };
                self.empty(places, epoch, now)
            }
            Found::Taken(loaded, gaps) => self.take_up(&loaded, &gaps, &ends, now)?,
            Found::Cold(cold) => self.start_cold(&cold, committed, &ends, now)?,
        };
        let mut mind = mind;
        if self.parts.source.starts_latest() {
            // Said in the first commit, or what comes while nobody runs would be behind the end again.
            let partitions = self.parts.source.partitions();
            for (place, partition) in partitions.iter().enumerate() {
                let high = ends.get(partition).map(|ends| ends.high);
                mind.places.pin(place, high);
            }
        }
        self.parts.keeper.name_inputs(self.parts.source.names());
        let offsets = mind.places.resume();
        self.parts.source.begin(&offsets)?;
        self.told.begin(&offsets);
        self.mind = Some(mind);
        self.parts.operation.health.enter(Doing::Leading);
        Ok(())
    }

    /// A mind that knows nothing.
    fn empty(&self, places: Places, epoch: u64, now: Instant) -> Mind {
        let engine = Engine::new(self.parts.plan.clone());
        let detection = Detection::live(engine, Router::default());
        let templates = Templates::new(self.parts.endpoints);
        mind(detection, templates, Order::default(), places, epoch, now)
    }

    fn take_up(
        &mut self,
        loaded: &super::checkpoint::Loaded,
        gaps: &[Gap],
        ends: &Ends,
        now: Instant,
    ) -> Result<Mind, LiveError> {
        let (key, head) = (&loaded.pointer.key, &loaded.head);
        crate::note(&format!("taking up checkpoint {key}"));
        let known: Vec<Partition> = head.places.iter().map(recover::partition_of).collect();
        self.parts.source.arrange(&known);
        let partitions = self.parts.source.partitions();
        let mut places = Places::of(partitions, &head.places, now);
        for (place, partition) in partitions.iter().enumerate().skip(known.len()) {
            // A topic that grew is read whole; one that was added begins where the settings say.
            if known.iter().any(|it| it.topic == partition.topic) {
                places.start_at(place, ends.get(partition).map(|ends| ends.low));
            }
            crate::note(&format!("new partition {}/{}", partition.topic, partition.number));
        }
        for gap in gaps {
            let name = |it: &Partition| format!("{}/{}", it.topic, it.number);
            if let Some(place) = partitions.iter().position(|it| name(it) == gap.partition) {
                places.leap(place, gap.to);
            }
        }
        let (detection, templates) =
            state::read(loaded, self.parts.plan.clone(), self.parts.endpoints)?;
        if !gaps.is_empty() {
            self.say(notice::records_lost(self.occasion(), key, gaps))?;
        }
        let order = Order::resume(head.released.map(Time::from_ns));
        Ok(mind(detection, templates, order, places, head.epoch, now))
    }

    fn start_cold(
        &mut self,
        cold: &Cold,
        committed: &[Committed],
        ends: &Ends,
        now: Instant,
    ) -> Result<Mind, LiveError> {
        let partitions = self.parts.source.partitions();
        let mut places = Places::new(partitions, now);
        let mut begin = Vec::new();
        for (place, partition) in partitions.iter().enumerate() {
            let of_group = committed.get(place).and_then(|it| it.offset);
            let low = ends.get(partition).map_or(0, |ends| ends.low);
            let offset = of_group.filter(|_| cold.is_at_committed).unwrap_or(low);
            places.start_at(place, Some(offset));
            begin.push((format!("{}/{}", partition.topic, partition.number), offset));
        }
        // What is said must be kept, also where nothing comes.
        places.touch();
        let lost = (cold.checkpoint.as_str(), cold.why.as_str());
        self.say(notice::baseline_lost(self.occasion(), lost, cold.identities, &begin))?;
        let epoch = cold.epoch.max(self.parts.keeper.last_epoch()?);
        Ok(self.empty(places, epoch, now))
    }

    fn occasion(&self) -> notice::Occasion<'_> {
        notice::Occasion {
            group: self.parts.checkpoints.group(),
            at: (self.parts.wall)(),
            config_hash: &self.parts.plan.config_hash,
        }
    }

    /// Says a finding of the service itself, here and in the store.
    fn say(&mut self, finding: Finding) -> Result<(), LiveError> {
        crate::note(&crate::render::plain(&finding.sentence));
        self.passed.findings += 1;
        self.passed.intake.found(std::slice::from_ref(&finding));
        let output = Output { findings: vec![finding], ..Output::default() };
        Ok(self.parts.keeper.keep(output)?)
    }

    /// Looks now and then whether the topics have grown, and takes the new partitions in.
    pub(super) fn follow_growth(&mut self, now: fn() -> Instant) -> Result<(), LiveError> {
        let moment = now();
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        if moment.saturating_duration_since(mind.looked) < GROWTH_LOOK_EVERY {
            return Ok(());
        }
        mind.looked = moment;
        match self.parts.source.look_again() {
            Ok(false) => return Ok(()),
            Ok(true) => crate::note("a topic has grown"),
            // A broker that is away for a moment is the reader's to complain of.
            Err(error) if error.is_passing() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.seal(now)?;
        if self.mind.is_some() {
            self.void();
            self.parts.source.ask_again();
        }
        Ok(())
    }
}

fn mind(
    detection: Detection,
    templates: Templates,
    order: Order,
    places: Places,
    epoch: u64,
    now: Instant,
) -> Mind {
    Mind {
        detection,
        templates,
        order,
        places,
        epoch,
        events: 0,
        sealed: now,
        heard: now,
        written: state::Written::default(),
        looked: now,
    }
}
