//! Work that blocks, awaited.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// What a thread and the one who waits for it share.
struct Delivery<T> {
    state: Mutex<(Option<T>, Option<Waker>)>,
}

impl<T> Delivery<T> {
    fn lock(&self) -> MutexGuard<'_, (Option<T>, Option<Waker>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does work on a thread of its own, begun at once; none comes of work that panics. It needs no runtime, whichever the
/// caller has.
pub(crate) fn on_its_own<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<impl Future<Output = Option<T>> + Send> {
    let delivery = Arc::new(Delivery { state: Mutex::new((None, None)) });
    let taken = delivery.clone();
    std::thread::Builder::new().name("scorer".to_owned()).spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(work)).ok();
        let mut state = taken.lock();
        state.0 = Some(done);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    })?;
    Ok(std::future::poll_fn(move |cx| {
        let mut state = delivery.lock();
        match state.0.take() {
            Some(done) => Poll::Ready(done),
            None => {
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_that_panics_ends_too() {
        let work = on_its_own(|| assert_eq!(1, 2, "a panic on purpose"));
        assert_eq!(pollster::block_on(work.unwrap()), None);
    }

    #[test]
    fn early_and_late_work_is_delivered() {
        for wait in [0, 20] {
            let work = on_its_own(move || {
                std::thread::sleep(Duration::from_millis(wait));
                wait
            });
            let done = work.unwrap();
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(pollster::block_on(done), Some(wait));
        }
    }
}
