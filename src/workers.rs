//! Running independent tasks on a fixed number of threads.

#[expect(
    clippy::disallowed_types,
    reason = "a task is handed to whoever is idle, and never waited for"
)]
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs every task and yields the results in the order of the tasks.
///
/// With one thread, the calling thread does all the work. With more, each thread takes the next
/// task that nobody took; which thread runs which must not matter to the result. A task that panics
/// takes the program with it.
pub(crate) fn run<T: Send, R: Send>(
    threads: usize,
    tasks: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    if threads <= 1 || tasks.len() <= 1 {
        return tasks.into_iter().map(work).collect();
    }
    run_all_beside(threads, tasks, work, || ()).0
}

/// The same, with `beside` on the calling thread, as [`run_beside`] does it.
#[expect(
    clippy::disallowed_types,
    reason = "a task is handed to whoever is idle, and never waited for"
)]
pub(crate) fn run_all_beside<T: Send, R: Send, B>(
    threads: usize,
    tasks: Vec<T>,
    work: impl Fn(T) -> R + Sync,
    beside: impl FnOnce() -> B,
) -> (Vec<R>, B) {
    let tasks: Vec<_> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
    let take = |task: &Mutex<Option<T>>| {
        let task = task.lock().unwrap_or_else(PoisonError::into_inner).take();
        task.map(&work)
    };
    let (results, besides) = run_beside(threads, &tasks, take, beside);
    (results.into_iter().flatten().collect(), besides)
}

/// Runs `work` on every task, and `beside` on the calling thread, which then helps with what is left.
///
/// With one thread `beside` comes first and everything after it. The results are in the order of the
/// tasks.
pub(crate) fn run_beside<T: Sync, R: Send, B>(
    threads: usize,
    tasks: &[T],
    work: impl Fn(&T) -> R + Sync,
    beside: impl FnOnce() -> B,
) -> (Vec<R>, B) {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(index) else { return done };
            done.push((index, work(task)));
        }
    };
    let (mut results, besides) = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(tasks.len() + 1)).map(|_| scope.spawn(take)).collect();
        let besides = beside();
        let mut results = take();
        for other in others {
            match other.join() {
                Ok(theirs) => results.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (results, besides)
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    (results.into_iter().map(|(_, result)| result).collect(), besides)
}

#[cfg(test)]
mod tests {
    use super::{run, run_beside};

    #[test]
    fn results_come_in_the_order_of_the_tasks() {
        let tasks: Vec<u32> = (0..50).collect();
        let expected: Vec<u32> = tasks.iter().map(|task| task * 2).collect();
        for threads in [1, 2, 3, 64] {
            assert_eq!(run(threads, tasks.clone(), |task| task * 2), expected, "{threads} threads");
        }
    }

    #[test]
    fn what_is_done_beside_changes_no_result() {
        let tasks: Vec<u32> = (0..50).collect();
        let expected: Vec<u32> = tasks.iter().map(|task| task * 2).collect();
        for threads in [1, 2, 3, 64] {
            let (results, beside) = run_beside(threads, &tasks, |task| task * 2, || "done");
            assert_eq!((results, beside), (expected.clone(), "done"), "{threads} threads");
        }
    }
}
