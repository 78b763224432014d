//! The same work on many items, on a bounded number of threads.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::{ScopedJoinHandle, scope};

/// Works on every item on at most so many threads, and returns the results in the items' order.
///
/// Items are begun in their order, so that after a failure those not yet begun are the last. (A pool of rayon
/// would halve the list instead, and its threads are meant to compute: these wait for answers.)
///
/// # Panics
/// As `work` does.
pub fn on_threads<T, R, I>(threads: usize, items: I, work: impl Fn(T) -> R + Sync) -> Vec<R>
where
    R: Send,
    I: IntoIterator<Item = T, IntoIter: ExactSizeIterator + Send>,
{
    let items = items.into_iter();
    let threads = threads.clamp(1, items.len().max(1));
    let waiting = Mutex::new((0..).zip(items));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker =
        || std::iter::from_fn(|| next().map(|(place, item)| (place, work(item)))).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = scope(|scope| {
        let workers: Vec<ScopedJoinHandle<'_, _>> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let results =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results.flatten().collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        for threads in [0, 1, 3, 200] {
            let squares = on_threads(threads, 0..100, |item| item * item);
            assert_eq!(squares, (0..100).map(|item| item * item).collect::<Vec<_>>());
        }
        assert!(on_threads(3, [0; 0], |item| item).is_empty());
    }
}
