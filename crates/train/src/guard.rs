//! Watches updates: what is no number, what spikes, what changes nothing.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::json;
use toolrl_record::write_whole;

use crate::pack::Pack;
use crate::{GuardConfig, OnFault, TrainError};

/// Updates that a spike is measured against.
const HISTORY: usize = 32;

/// The guard of one model's updates.
#[derive(Debug)]
pub(crate) struct Guard {
    config: GuardConfig,
    /// Where batches at fault go.
    dir: PathBuf,
    norms: VecDeque<f64>,
    skipped_in_a_row: u32,
    /// The step of the last fault, and how many it had.
    faults: (u64, u32),
}

impl Guard {
    pub(crate) fn new(config: GuardConfig, run_dir: &Path) -> Self {
        let (dir, norms) = (run_dir.join("faults"), VecDeque::new());
        Self { config, dir, norms, skipped_in_a_row: 0, faults: (0, 0) }
    }

    /// That of the critic, whose batches have a folder of their own.
    pub(crate) fn of_critic(config: GuardConfig, run_dir: &Path) -> Self {
        Self { dir: run_dir.join("faults/critic"), ..Self::new(config, run_dir) }
    }

    /// The greatest norm that is no spike.
    pub(crate) fn limit(&self) -> f64 {
        match self.config.grad_spike {
            Some(factor) if self.norms.len() == HISTORY => {
                let mut sorted: Vec<f64> = self.norms.iter().copied().collect();
                sorted.sort_by(f64::total_cmp);
                factor * 0.5 * (sorted[HISTORY / 2 - 1] + sorted[HISTORY / 2])
            }
            _ => f64::INFINITY,
        }
    }

    /// An update was made.
    pub(crate) fn passed(&mut self, norm: f64) {
        self.skipped_in_a_row = 0;
        self.norms.push_back(norm);
        if self.norms.len() > HISTORY {
            self.norms.pop_front();
        }
    }

    /// An update was refused: writes its batch, and gives the error back unless the run goes on without it.
    pub(crate) fn fault(&mut self, step: u64, packs: &[Pack], error: TrainError) -> Result<(), TrainError> {
        let of_pack = |pack: &Pack| {
            let replies: Vec<_> =
                pack.members.iter().map(|(place, targets)| json!({ "group": place.group, "member": place.member, "targets": targets })).collect();
            json!({ "input_ids": *pack.pass.tokens, "targets": *pack.pass.targets, "replies": replies })
        };
        let packs: Vec<_> = packs.iter().map(of_pack).collect();
        let fault = json!({ "step": step, "fault": error.to_string(), "packs": packs });
        self.faults = if self.faults.0 == step { (step, self.faults.1 + 1) } else { (step, 1) };
        let path = self.dir.join(match self.faults.1 {
            1 => format!("step-{step:05}.json"),
            further => format!("step-{step:05}-{further}.json"),
        });
        write_whole(&path, fault.to_string().as_bytes())?;
        if self.config.on_fault == OnFault::Stop {
            tracing::error!("the batch is in {}", path.display());
            return Err(error);
        }
        self.skipped_in_a_row += 1;
        tracing::warn!("update left out: {error}; the batch is in {}", path.display());
        if self.skipped_in_a_row > self.config.max_skips {
            return Err(TrainError::TooManySkips {
                step,
                skipped: self.skipped_in_a_row,
                last: error.to_string(),
            });
        }
        Ok(())
    }

    /// The norms of the last updates, which decide what a spike is.
    pub(crate) fn norms(&self) -> Vec<f64> {
        self.norms.iter().copied().collect()
    }

    pub(crate) fn restore(&mut self, norms: Vec<f64>) {
        self.norms = norms.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(dir: &Path, on_fault: OnFault) -> Guard {
        let config = GuardConfig { on_fault, max_skips: 2, grad_spike: Some(4.0), ..GuardConfig::default() };
        Guard::new(config, dir)
    }

    #[test]
    fn a_spike_is_measured_against_the_median_of_the_last_updates() {
        let mut guard = guard(Path::new("."), OnFault::Stop);
        for i in 0..40 {
            assert_eq!(guard.limit().is_finite(), i >= 32, "{i}");
            // Of the last 32 half are 1 and half are 3.
            guard.passed(if i % 2 == 0 { 1.0 } else { 3.0 });
        }
        assert_eq!(guard.limit(), 8.0);
    }

    #[test]
    fn a_fault_stops_or_is_left_out_a_few_times() {
        let dir = tempfile::tempdir().unwrap();
        let fault = || TrainError::Gradient { step: 4, norm: f64::NAN };
        let stopped = guard(dir.path(), OnFault::Stop).fault(4, &[], fault());
        assert!(matches!(stopped, Err(TrainError::Gradient { .. })));
        let written = std::fs::read_to_string(dir.path().join("faults/step-00004.json")).unwrap();
        assert!(written.contains("NaN"), "{written}");

        let mut guard = guard(dir.path(), OnFault::Skip);
        for round in 0..3 {
            assert!(guard.fault(5, &[], fault()).is_ok() && guard.fault(5, &[], fault()).is_ok(), "{round}");
            guard.passed(1.0);
        }
        let files = dir.path().join("faults").read_dir().unwrap();
        assert_eq!(files.count(), 7, "one of step 4, and each of step 5");
        guard.fault(6, &[], fault()).unwrap();
        guard.fault(7, &[], fault()).unwrap();
        let message = guard.fault(8, &[], fault()).unwrap_err().to_string();
        assert!(message.contains("3 updates in a row"), "{message}");
    }
}
