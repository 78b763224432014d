//! How long threads have computed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread's clock, which others may read while the thread lives.
#[derive(Default)]
pub(super) struct Clock {
    id: OnceLock<Id>,
    /// Nanoseconds that were told to somebody.
    told: AtomicU64,
}

impl Clock {
    /// Is the clock of the thread that calls this.
    pub(super) fn start(&self) {
        if let Some(id) = Id::of_this_thread() {
            let _ = self.id.set(id);
        }
    }

    /// Nanoseconds that the thread computed since the last call. 0 where the system does not tell.
    pub(super) fn since_told(&self) -> u64 {
        let Some(now) = self.id.get().and_then(Id::nanoseconds) else { return 0 };
        now.saturating_sub(self.told.swap(now, Ordering::Relaxed))
    }
}

/// Nanoseconds that this thread computed. None where the system does not tell.
pub(super) fn of_this_thread() -> Option<u64> {
    Id::of_this_thread()?.nanoseconds()
}

#[cfg(target_os = "linux")]
struct Id(libc::clockid_t);

#[cfg(target_os = "linux")]
impl Id {
    fn of_this_thread() -> Option<Self> {
        let mut id = 0;
        // SAFETY: `id` is written to, and a running thread's own handle is valid.
        let error = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut id) };
        (error == 0).then_some(Self(id))
    }

    fn nanoseconds(&self) -> Option<u64> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is written to; the clock of a thread that has ended is refused.
        let error = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        (error == 0).then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

#[cfg(not(target_os = "linux"))]
enum Id {}

#[cfg(not(target_os = "linux"))]
impl Id {
    fn of_this_thread() -> Option<Self> {
        None
    }

    fn nanoseconds(&self) -> Option<u64> {
        match *self {}
    }
}
