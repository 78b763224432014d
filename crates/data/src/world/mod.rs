//! The synthetic tool world: a seeded generator of tool-call tasks in the released form.
//!
//! Tools are rows of tables; a request is a verb phrase of its tool with the parameters' phrases put in; a
//! value's phrase may have to be read, converted or picked. A task belongs to the training part or to the
//! held-out part by a hash of its text, so that no setting can put one task into both.

mod ask;
mod catalog;
pub(crate) mod clock;
mod config;
pub(crate) mod gold;
mod listing;
mod names;
pub(crate) mod numbers;
mod phrases;
mod python_json;
mod render;
mod slot;
mod task;
mod tool;
mod tools;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use toolrl_grammar::{ToolRl, Turn};

use crate::random::{Rng, hash};
use crate::{DataError, Gold, Sample, TaskKind};
use render::Renderer;
use slot::Draw;
use task::Stock;

pub use catalog::{CatalogEntry, catalog};
pub use config::{Mix, Template, WorldConfig};
pub(crate) use config::{check, refused};

/// The tasks of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldTasks {
    /// Tasks to train on.
    pub train: Vec<Sample>,
    /// Tasks to evaluate on, none of which is a training task; some have tools that training never shows.
    pub held_out: Vec<Sample>,
}

/// The generator.
pub struct World<'a> {
    config: &'a WorldConfig,
    renderer: Renderer,
}

/// Which part a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Train,
    HeldOut,
}

/// How many draws a task may take until one is new and of its part; a held-out task takes 8 on average.
pub(crate) const ATTEMPTS: u64 = 2_000;

/// The key of the random numbers that place slips; parts have 0 and 1.
const SLIPS: u64 = 2;

impl<'a> World<'a> {
    /// Makes the tasks of `config`.
    ///
    /// # Errors
    /// [`DataError::World`] for settings out of range or when the settings allow too few distinct tasks,
    /// [`DataError::Template`] or [`DataError::Io`] for a prompt template that cannot be used.
    pub fn generate(config: &'a WorldConfig) -> Result<WorldTasks, DataError> {
        config.check()?;
        let world = Self { config, renderer: Renderer::new(&config.template)? };
        let tasks = WorldTasks {
            train: world.part(Part::Train, config.train)?,
            held_out: world.part(Part::HeldOut, config.held_out)?,
        };
        tracing::debug!(
            train = tasks.train.len(),
            held_out = tasks.held_out.len(),
            "generated the tool world"
        );
        Ok(tasks)
    }

    fn part(&self, part: Part, count: usize) -> Result<Vec<Sample>, DataError> {
        let mut seen = HashSet::with_capacity(count);
        (0..count).map(|index| self.sample(part, index, &mut seen)).collect()
    }

    /// Task `index` of its part. Its kind depends on the seed and the index; its content also on the tasks
    /// before it, which it must not repeat.
    fn sample(&self, part: Part, index: usize, seen: &mut HashSet<u64>) -> Result<Sample, DataError> {
        let mut rng = Rng::new(self.config.seed, &[part as u64, index as u64]);
        let kind = kind_of(&self.config.mix.weights(), &mut rng);
        let unseen_tools = part == Part::HeldOut && rng.chance(self.config.unseen_share);
        let stock = Stock {
            domains: if unseen_tools { &tools::UNSEEN } else { &tools::KNOWN },
            listed: (self.config.min_tools, self.config.max_tools),
        };
        for attempt in 1..=ATTEMPTS {
            let mut rng = Rng::new(self.config.seed, &[part as u64, index as u64, attempt]);
            let held_out = part == Part::HeldOut;
            let mut draw = Draw { rng: &mut rng, hard: self.config.hard_values, held_out };
            let Some(task) = stock.task(kind, &mut draw) else {
                continue;
            };
            let gold = written(&task.gold)?;
            let earlier = task.history.iter().map(|turn| turn.observation.as_str());
            let text: Vec<_> = earlier.chain([task.request.as_str(), gold.text()]).collect();
            let hash = hash(&text);
            if part_of(hash) == part && seen.insert(hash) {
                let messages = self.renderer.messages(&task.tools, &task.history, &task.request)?;
                let id = format!("{}:{index}", part.name());
                let slips = !held_out && self.slips(index);
                let gold = if slips { written(&gold::with_slip(task.gold, &task.tools))? } else { gold };
                return Ok(Sample { id, messages, tools: Vec::new(), gold, kind, unseen_tools });
            }
        }
        Err(part.no_new_task(kind, index))
    }

    /// Whether the demonstration of a training task has a slip: drawn apart, so that the tasks stay the same.
    fn slips(&self, index: usize) -> bool {
        Rng::new(self.config.seed, &[SLIPS, index as u64]).chance(self.config.slips)
    }
}

/// A kind of task, as often as its weight among all.
pub(crate) fn kind_of(weights: &[(TaskKind, u32)], rng: &mut Rng) -> TaskKind {
    let total: usize = weights.iter().map(|(_, weight)| *weight as usize).sum();
    let mut left = rng.below(total);
    for (kind, weight) in weights {
        match left.checked_sub(*weight as usize) {
            Some(rest) => left = rest,
            None => return *kind,
        }
    }
    TaskKind::OneCall
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::HeldOut => "held_out",
        }
    }

    /// The error of a part for which the draws of a task are used up.
    pub(crate) fn no_new_task(self, kind: TaskKind, index: usize) -> DataError {
        DataError::World {
            field: self.name(),
            expected: "a count that the world has distinct tasks for",
            found: format!("no new task of kind {kind} for number {index} in {ATTEMPTS} draws"),
        }
    }
}

/// The gold reply in the released form.
fn written(turn: &Turn<'_>) -> Result<Gold, DataError> {
    Gold::write(turn, &ToolRl).map_err(DataError::Gold)
}

/// An eighth of all possible tasks is held out.
pub(crate) fn part_of(hash: u64) -> Part {
    if hash >> 61 == 0 { Part::HeldOut } else { Part::Train }
}
