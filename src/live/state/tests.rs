//! How much an epoch writes: the whole state, or what one in a hundred identities changed.

use super::*;
use crate::live::checkpoint::{Checkpoints, Head};
use detect::{Item, Settings, Task as Work};
use model::limit::PARTITIONS;
use model::time::{NS_PER_H, NS_PER_MIN, NS_PER_S};
use model::{EndpointSource, Event, EventBatch, Int, PrincipalTrust, PrincipalType, Text, Time};
use std::sync::Arc;
use std::time::Instant;

/// 2026-03-01T09:00:00Z.
const START: Time = Time::from_ns(1_772_355_600 * NS_PER_S);
const ENDPOINTS: u64 = 200;

fn mixed(seed: u64) -> u64 {
    let key = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (key ^ (key >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Some calls of each of the identities, within an hour.
fn calls(identities: impl Iterator<Item = u64>, hour: i64, each: u64) -> EventBatch {
    let mut batch = EventBatch::default();
    for identity in identities {
        for call in 0..each {
            let seed = mixed(identity * 31 + call + hour as u64 * 7_919);
            let time = START.plus(hour * NS_PER_H + (seed % 3_500) as i64 * NS_PER_S);
            let endpoint = (identity % 40 + seed % 8) % ENDPOINTS;
            let mut event = Event::at(time);
            event.principal_type = PrincipalType::Consumer;
            event.principal_trust = PrincipalTrust::Verified;
            event.principal_source = "kong.consumer.id";
            event.principal_hash = mixed(identity);
            event.set_int(Int::HttpResponseStatusCode, 200);
            event.set_int(Int::HttpResponseBodySize, (400 + seed % 9_000) as i64);
            event.endpoint_source = EndpointSource::Lexical;
            let name = format!("GET /v1/things{endpoint}/{{int}}");
            event.endpoint_hash = ingest::endpoint::hash(&name);
            batch.set_text(&mut event, Text::Endpoint, &name);
            batch.set_text(&mut event, Text::PrincipalId, &format!("consumer-{identity:08}"));
            batch.set_text(&mut event, Text::ClientNet, "198.51.100.0/24");
            batch.set_text(&mut event, Text::UserAgentOriginal, &format!("app/{}", identity % 5));
            batch.events.push(event);
        }
    }
    batch.events.sort_by_key(|event| event.time);
    batch
}

/// Detection of some identities with habits of three hours, in the fourth.
struct World {
    detection: Detection,
    templates: Templates,
}

impl World {
    fn of(identities: u64) -> Self {
        let engine = Engine::new(Settings::default().check().unwrap());
        let detection = Detection::live(engine, Router::default());
        let mut world =
            Self { detection, templates: Templates::new(ingest::endpoint::Settings::default()) };
        for hour in 0..3 {
            world.judge(calls(0..identities, hour, 4), true);
        }
        world.judge(calls((0..identities).filter(|it| it % 3 == 0), 3, 4), false);
        world
    }

    fn judge(&mut self, mut batch: EventBatch, closes: bool) {
        let (events, texts) = batch.parts_mut();
        for event in events.iter_mut() {
            let name = texts.get(event, Text::Endpoint).unwrap_or("");
            self.templates.assign(event, name);
        }
        let engine = &mut self.detection.engine;
        engine.open(batch.events[0].time);
        let endpoints = self.templates.endpoints();
        let minute = |event: &Event| event.time.floor(NS_PER_MIN);
        let mut minutes = batch.events.chunk_by(|a, b| minute(a) == minute(b)).peekable();
        while let Some(events) = minutes.next() {
            let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
            for event in events {
                items[event.partition()].push(Item::Call(&batch, event));
            }
            engine.tick(events[0].time, endpoints);
            let closes = closes && minutes.peek().is_none();
            engine.tasks(endpoints, &items, closes).into_iter().for_each(Work::run);
        }
        if closes {
            drop(engine.exchange(endpoints, true).unwrap());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed().as_secs_f64() * 1e3)
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
fn is_full() -> bool {
    std::env::var("HABITUS_TESTS_FULL").is_ok_and(|value| value == "1")
}

/// Bytes of one checkpoint's object.
fn size(store: &Arc<dyn object_store::ObjectStore>, key: &str) -> u64 {
    use object_store::ObjectStoreExt as _;
    let path = object_store::path::Path::parse(key).unwrap();
    block(store.head(&path)).unwrap().size
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn check(identities: u64) {
    let mut world = World::of(identities);
    let dir = tempfile::tempdir().unwrap();
    let local = object_store::local::LocalFileSystem::new_with_prefix(dir.path()).unwrap();
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(local);
    let mut checkpoints = Checkpoints::new(Arc::clone(&store), "habitus");
    let mut written = Written::default();
    // As it was before: all in one piece, on one thread.
    let (before, before_ms) = timed(|| {
        let engine = world.detection.engine.export().unwrap();
        pack(&[engine, world.templates.export().unwrap()].concat()).unwrap()
    });
    drop(before);
    let mut said = vec![format!("{identities} identities: before {before_ms:.0} ms an epoch")];
    let mut sizes = Vec::new();
    for epoch in 1..=10 {
        let one_in_a_hundred = (0..identities).filter(|it| it % 100 == epoch);
        world.judge(calls(one_in_a_hundred, 3, 2), false);
        let is_whole = checkpoints.is_whole_due();
        let extent = if is_whole { Extent::Whole } else { Extent::Changes };
        let (detection, templates) = (&world.detection, &world.templates);
        let (parts, ms) = timed(|| write(detection, templates, extent, 2, &mut written).unwrap());
        let head = Head { epoch, ..Head::default() };
        let ((pointer, _), put_ms) = timed(|| block(checkpoints.put(head, &parts)).unwrap());
        settle(&mut world.detection, &mut world.templates);
        let bytes = size(&store, &pointer.key);
        said.push(format!("{extent:?}: {bytes} bytes, {ms:.1} ms, put in {put_ms:.1} ms"));
        sizes.push((is_whole, bytes));
        let loaded = block(checkpoints.load(&pointer)).unwrap();
        let plan = Settings::default().check().unwrap();
        let ((again, names), ms) =
            timed(|| read(&loaded, plan, ingest::endpoint::Settings::default()).unwrap());
        let same = again.engine.export().unwrap() == world.detection.engine.export().unwrap();
        assert!(same && names.export().unwrap() == world.templates.export().unwrap());
        if epoch == 9 {
            said.push(format!("a whole one and eight changes are read back in {ms:.0} ms"));
        }
    }
    println!("{}", said.join("\n  "));
    let wholes: Vec<_> = (1..).zip(&sizes).filter(|(_, it)| it.0).map(|(epoch, _)| epoch).collect();
    assert_eq!(wholes, [1, 10], "eight changes follow a whole state");
    let whole = sizes[0].1;
    for (is_whole, bytes) in sizes {
        assert!(is_whole || bytes * 12 < whole, "{bytes} bytes of {whole} changed");
    }
}

#[test]
fn an_epoch_writes_what_changed() {
    check(if is_full() { 20_000 } else { 4_000 });
    if is_full() {
        check(100_000);
    }
}
