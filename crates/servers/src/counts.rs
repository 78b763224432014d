//! What servers did, for a run's metrics.

/// What the servers did since they were last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Replies that were asked for, those asked for again included.
    pub requests: u64,
    /// Of these, those asked for again.
    pub retries: u64,
    /// How many servers are left out now.
    pub left_out: usize,
    /// Seconds in which a server had nothing to do, as a mean over the servers.
    pub idle_seconds: f64,
}
