//! What became of the tasks so far, as it lies in a checkpoint: `trainer/tasks.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toolrl_grpo::SuccessRate;

use super::Sources;
use crate::TrainError;
use crate::task::Task;

/// What became of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    /// Its success so far; none of a task that was not asked yet.
    pub rate: Option<SuccessRate>,
    /// What became of its last group.
    pub last: Option<Last>,
    /// The last step in which it is left out.
    pub rests_until: u64,
}

/// What became of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Last {
    /// All replies succeeded.
    Solved,
    /// None did.
    Failed,
    /// Some did.
    Mixed,
}

/// All that decides what is drawn next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct History {
    /// Turns, and the place of the passes, of each source by name.
    sources: BTreeMap<String, (u64, u64)>,
    /// Those that were asked, by the ids of their samples.
    tasks: BTreeMap<String, Past>,
}

impl History {
    pub(super) fn of(sources: &Sources, past: &[Past], tasks: &[Task]) -> Self {
        let places = sources.places().map(|(name, turns, place)| (name.to_owned(), (turns, place)));
        let asked = tasks.iter().zip(past).filter(|(_, past)| past.last.is_some());
        let asked = asked.map(|(task, past)| (task.sample.id.clone(), *past));
        Self { sources: places.collect(), tasks: asked.collect() }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        std::fs::write(path, json).map_err(|source| TrainError::Write { path: path.to_owned(), source })
    }

    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        let broken = |what: String| TrainError::CheckpointFile { path: path.to_owned(), what };
        let bytes = std::fs::read(path).map_err(|e| broken(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))
    }

    /// What became of each of these tasks. A source or a task that it does not know, as of a run whose data was changed, is
    /// as before the first step.
    pub(super) fn put_into(mut self, sources: &mut Sources, tasks: &[Task]) -> Vec<Past> {
        let place = |name: &str| self.sources.get(name).copied().unwrap_or_default();
        let places: Vec<_> = sources.places().map(|(name, ..)| place(name)).collect();
        sources.go_on(&places);
        tasks.iter().map(|task| self.tasks.remove(&task.sample.id).unwrap_or_default()).collect()
    }
}
