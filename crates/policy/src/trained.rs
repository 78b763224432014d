//! Which parameters are trained.

use crate::Policy;

/// Tells trained parameters from frozen ones while a module is walked.
pub(crate) struct TrainedPath {
    adapters_alone: bool,
    /// How deep within an adapter the walk is.
    within: usize,
}

impl TrainedPath {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self { adapters_alone: policy.lora().is_some(), within: 0 }
    }

    pub(crate) fn enter(&mut self, name: &str) {
        if name == "lora" || self.within > 0 {
            self.within += 1;
        }
    }

    pub(crate) fn exit(&mut self) {
        self.within = self.within.saturating_sub(1);
    }

    pub(crate) fn here(&self) -> bool {
        !self.adapters_alone || self.within > 0
    }
}
