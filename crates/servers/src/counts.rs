//! What servers did, for a run's metrics.

use std::time::{Duration, Instant};

/// What the servers did since they were last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Replies that were asked for, those asked for again included.
    pub requests: u64,
    /// Of these, those asked for again.
    pub retries: u64,
    /// How many servers are not asked now.
    pub left_out: usize,
    /// Seconds in which a server had nothing to do, as a mean over the servers.
    pub idle_seconds: f64,
}

/// For how long nothing was to do.
#[derive(Debug)]
pub(crate) struct Idle {
    total: Duration,
    /// Since when, where nothing is to do now.
    since: Option<Instant>,
}

impl Idle {
    pub(crate) fn new(now: Instant) -> Self {
        Self { total: Duration::ZERO, since: Some(now) }
    }

    /// Something is to do.
    pub(crate) fn end(&mut self, now: Instant) {
        self.total += self.since.take().map_or(Duration::ZERO, |since| now - since);
    }

    /// Nothing is to do any more.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// How long it was until now since this was last asked.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let open = self.since.is_some();
        self.end(now);
        if open {
            self.begin(now);
        }
        std::mem::take(&mut self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_told_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::new(start);
        idle.end(at(2));
        idle.end(at(3));
        idle.begin(at(10));
        idle.begin(at(11));
        assert_eq!(idle.take(at(14)), Duration::from_secs(2 + 4));
        assert_eq!(idle.take(at(15)), Duration::from_secs(1));
        idle.end(at(15));
        assert_eq!(idle.take(at(20)), Duration::ZERO);
    }
}
