//! Who watches a run: progress bars on a terminal, plain lines elsewhere, nothing in tests.

/// Hears how far a run is. Every method does nothing by default.
pub trait Observer {
    /// A stage of `total` units begins.
    fn begin(&mut self, stage: &str, total: u64) {
        let _ = (stage, total);
    }

    /// `done` units of the stage are done; `message` says what the last brought.
    fn progress(&mut self, done: u64, message: &str) {
        let _ = (done, message);
    }

    /// The stage is over.
    fn end(&mut self) {}
}

/// Watches nothing.
impl Observer for () {}
