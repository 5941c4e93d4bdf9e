//! The recorder: writes the metrics to the server's table `metrics`, beside all else, so that nobody waits
//! for it and nothing fails with it.

use super::health::State;
use super::metrics::{Metric, OF_METRICS, at_scrape};
use super::{Operation, log};
use model::Time;
use std::sync::Arc;
use std::time::Duration;
use store::clickhouse::{Client, Sample, Sampled};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How far apart two samples are at least.
const EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether the service has begun.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the last sample is waited for when the service ends.
const LAST_MAX: Duration = Duration::from_secs(1);

/// What samples are made of, and where they go.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) client: Client,
    pub(crate) operation: Arc<Operation>,
    /// The application: the prefix of its consumer groups.
    pub(crate) app: String,
    /// The process, told apart from all others.
    pub(crate) worker: String,
    /// The clock on the wall.
    pub(crate) wall: fn() -> Time,
}

/// A recorder at work.
#[derive(Debug)]
pub(crate) struct Recording {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Begins to write once the service runs, which has found its store in order then.
    pub(crate) fn begin(self, runtime: &Handle) -> Recording {
        let (stop, stopped) = oneshot::channel();
        Recording { stop, task: runtime.spawn(self.run(stopped)) }
    }

    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        // Of the start, when every counter is 0, so that whatever is counted later is a difference.
        let mut start = Some(self.sample(true));
        let (mut is_failing, mut pause) = (false, LOOK_EVERY);
        loop {
            let is_last = timeout(pause, &mut stopped).await.is_ok();
            if self.operation.health.state() != State::Starting {
                let now = self.sample(start.is_some());
                let due: Vec<_> = start.iter().chain([&now]).collect();
                is_failing = !self.write(&due, is_failing).await;
                start = start.filter(|_| is_failing);
                pause = EVERY;
            }
            if is_last {
                return;
            }
        }
    }

    /// What the metrics say, and when.
    fn sample(&self, is_first: bool) -> (Time, Vec<Sample>) {
        at_scrape(&self.operation);
        ((self.wall)(), self.operation.metrics.samples(is_first))
    }

    /// Writes samples, and says whether the store has them; what it does not take is left out.
    async fn write(&self, due: &[&(Time, Vec<Sample>)], was_failing: bool) -> bool {
        let metrics = &self.operation.metrics;
        for (at, samples) in due {
            let of = Sampled { at: *at, app: &self.app, worker: &self.worker };
            match self.client.keep_samples(of, samples).await {
                Ok(rows) => {
                    metrics.add(Metric::StoreInserts, &[OF_METRICS], 1);
                    metrics.add(Metric::StoreRows, &[OF_METRICS], rows);
                }
                Err(error) => {
                    metrics.add(Metric::StoreFailures, &[OF_METRICS], 1);
                    if !was_failing {
                        log::warn(&format!(
                            "metrics are missing in the store, findings are not: {error}"
                        ));
                    }
                    return false;
                }
            }
        }
        true
    }
}

impl Recording {
    /// Writes a last sample, unless that takes too long.
    pub(crate) fn end(self, runtime: &Handle) {
        // Nobody listens any more if the task has failed, and then there is no last sample.
        self.stop.send(()).ok();
        runtime.block_on(async { timeout(LAST_MAX, self.task).await.ok() });
    }
}
