//! Threads that stay awake between parallel operations.

use std::sync::atomic::{AtomicBool, Ordering};

/// Runs `work` on a thread of the pool while the others look for its parallel operations without ever going to
/// sleep. An operation that takes a few microseconds is over before a sleeping thread would have woken.
pub fn awake<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = AtomicBool::new(false);
    let done = &done;
    rayon::scope(|scope| {
        let own = rayon::current_thread_index();
        scope.spawn_broadcast(move |_, thread| {
            // The thread of `work` comes here when it waits for others, and has to go back.
            while Some(thread.index()) != own && !done.load(Ordering::Acquire) {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    std::hint::spin_loop();
                }
            }
        });
        let _finished = Finished(done);
        work()
    })
}

/// Ends the others' search, on a panic as well.
struct Finished<'a>(&'a AtomicBool);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    fn many_small_operations() -> usize {
        (0..500).map(|i| (0..64usize).into_par_iter().with_max_len(1).map(|j| i * j).sum::<usize>()).sum()
    }

    #[test]
    fn parallel_operations_inside_end_and_give_the_same() {
        let plain = many_small_operations();
        for threads in [1, 2, 3, 8] {
            assert_eq!(pool(threads).install(|| awake(many_small_operations)), plain);
            // From outside a pool, and one within another.
            assert_eq!(awake(|| awake(many_small_operations)), plain);
        }
    }

    #[test]
    fn a_panic_ends_the_others_search() {
        let caught = pool(2).install(|| std::panic::catch_unwind(|| awake(|| panic!("on purpose"))));
        assert!(caught.is_err());
    }
}
