//! Which tasks a run trains on: from each source its share, in passes or by how hard they are so far, without those that
//! rest. All of it follows from the seed and from what became of the tasks before.

mod history;
mod sources;

use std::collections::HashSet;
use std::path::Path;

use toolrl_data::random::GAMMA;
use toolrl_grpo::{SuccessRate, draw_probabilities, learnability, without_replacement};
use toolrl_record::TaskMetrics;
use toolrl_rollout::{Group, StreamKey};

use crate::order::{ORDER, batch};
use crate::score::Scored;
use crate::task::{Source, Task, interleaved};
use crate::{DifficultyConfig, RlConfig, TasksConfig, TrainError};
use history::{History, Last, Past};
pub(crate) use sources::Sources;

/// Names the stream of draws by difficulty: no prompt has this index.
const DRAWS: u64 = ORDER - 1;

/// What the steps of reinforcement learning take their tasks from.
#[derive(Clone)]
pub(crate) struct Curriculum {
    seed: u64,
    /// Prompts that are taken at once.
    prompts: usize,
    config: TasksConfig,
    sources: Sources,
    past: Vec<Past>,
    /// Drawn by difficulty in the step that is going on.
    drawn: HashSet<usize>,
}

impl Curriculum {
    /// Before the first step.
    ///
    /// # Errors
    /// [`TrainError::NoTasks`] where a source has none that can be trained on.
    pub(crate) fn new(
        seed: u64,
        config: &RlConfig,
        sources: &[Source],
        tasks: &[Task],
    ) -> Result<Self, TrainError> {
        let sources = Sources::of(sources, tasks.iter().map(|task| task.source))?;
        let past = vec![Past::default(); tasks.len()];
        let (prompts, config) = (config.prompts, config.tasks);
        Ok(Self { seed, prompts, config, sources, past, drawn: HashSet::new() })
    }

    /// The seed of a round of a step: rounds are apart like seeds are, so that what a step samples depends on nothing but
    /// its number.
    pub(crate) fn seed_of(&self, round: u64) -> u64 {
        self.seed.wrapping_add(round.wrapping_mul(GAMMA))
    }

    /// Positions of the tasks of a round (from 0) of a step (from 1).
    pub(crate) fn draw(&mut self, step: u64, round: u64) -> Vec<usize> {
        if !self.has_history() {
            return batch(self.seed_of(round), step - 1, self.prompts, self.past.len());
        }
        if round == 0 {
            self.drawn.clear();
        }
        let mut drawn = Vec::new();
        for (source, count) in self.sources.turns(self.prompts).into_iter().enumerate() {
            let mut own = match self.config.difficulty {
                Some(by) => self.by_difficulty(source, count, by, (step, round)),
                None => self.in_passes(source, count, step),
            };
            self.fill(source, count, &mut own);
            drawn.push(own);
        }
        // So that each of a step's updates has of every source.
        let drawn = interleaved(drawn);
        self.drawn.extend(&drawn);
        drawn
    }

    /// Whether anything that happened decides what is drawn.
    fn has_history(&self) -> bool {
        self.config.reads_outcomes() || self.sources.len() > 1
    }

    /// Tasks of a source as they come in its passes, without those that rest.
    fn in_passes(&mut self, source: usize, count: usize, step: u64) -> Vec<usize> {
        let past = &self.past;
        let awake = |task: usize| past[task].rests_until < step;
        let part = self.sources.part(source);
        std::iter::from_fn(|| part.next_where(self.seed, awake)).take(count).collect()
    }

    /// Tasks of a source drawn by what they are worth, without those that rest or had their turn in this step.
    fn by_difficulty(
        &mut self,
        source: usize,
        count: usize,
        by: DifficultyConfig,
        (step, round): (u64, u64),
    ) -> Vec<usize> {
        let awake = |task: &usize| self.past[*task].rests_until < step && !self.drawn.contains(task);
        let tasks: Vec<usize> = self.sources.part(source).tasks.iter().copied().filter(awake).collect();
        let worth = |task: &usize| self.past[*task].rate.map_or(1.0, |r| learnability(r.mean(), by.target));
        let worth: Vec<f64> = tasks.iter().map(worth).collect();
        let odds = draw_probabilities(&worth, by.temperature, by.uniform);
        let stream = StreamKey { seed: self.seed_of(round), step }.stream(DRAWS, 0);
        let uniforms = tasks.iter().map(|&task| stream.uniform(task as u64));
        without_replacement(&odds, uniforms, count).into_iter().map(|at| tasks[at]).collect()
    }

    /// Where too few are left: those that come back first, and again from the beginning where that is not enough.
    fn fill(&mut self, source: usize, count: usize, own: &mut Vec<usize>) {
        if own.len() == count {
            return;
        }
        let mut others: Vec<usize> = self.sources.part(source).tasks.clone();
        others.sort_by_key(|&task| (own.contains(&task), self.past[task].rests_until, task));
        own.extend(others.into_iter().cycle().take(count - own.len()).collect::<Vec<_>>());
    }

    /// Takes in what became of a step's groups.
    pub(crate) fn learn(&mut self, step: u64, groups: &[Group<Scored>]) {
        if !self.config.reads_outcomes() {
            return;
        }
        let decay = self.config.difficulty.unwrap_or_default().decay;
        for group in groups {
            let outcomes = || group.members.iter().filter_map(|member| member.success);
            let (replies, successes) = (outcomes().count(), outcomes().filter(|&success| success).count());
            let last = match successes {
                _ if replies == 0 => continue,
                0 => Last::Failed,
                n if n == replies => Last::Solved,
                _ => Last::Mixed,
            };
            let length = match last {
                Last::Solved => self.config.rest.solved,
                Last::Failed => self.config.rest.failed,
                Last::Mixed => None,
            };
            let rest = length.map_or(0, |length| length.steps(self.past.len(), self.prompts));
            let past = &mut self.past[group.prompt.task];
            past.rate.get_or_insert(SuccessRate::default()).observe(successes, replies - successes, decay);
            (past.last, past.rests_until) =
                (Some(last), if rest > 0 { step.saturating_add(rest) } else { 0 });
        }
    }

    /// How the tasks stand after a step.
    pub(crate) fn metrics(&self, step: u64) -> Option<TaskMetrics> {
        if !self.has_history() {
            return None;
        }
        let share = |of: &dyn Fn(&Past) -> bool| {
            self.past.iter().filter(|past| of(past)).count() as f64 / self.past.len().max(1) as f64
        };
        let rates: Vec<f64> = self.past.iter().filter_map(|past| past.rate.map(SuccessRate::mean)).collect();
        let reads = self.config.reads_outcomes();
        Some(TaskMetrics {
            unseen: reads.then(|| share(&|past| past.last.is_none())),
            resting: reads.then(|| share(&|past| past.rests_until > step)),
            solved: reads.then(|| share(&|past| past.last == Some(Last::Solved))),
            failed: reads.then(|| share(&|past| past.last == Some(Last::Failed))),
            estimate: (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64),
            sources: self.sources.metrics(),
        })
    }

    /// Writes what happened, where that decides anything.
    pub(crate) fn write(&self, path: &Path, tasks: &[Task]) -> Result<(), TrainError> {
        if self.has_history() { History::of(&self.sources, &self.past, tasks).write(path) } else { Ok(()) }
    }

    /// Goes on with what was written.
    pub(crate) fn restore(&mut self, path: &Path, tasks: &[Task]) -> Result<(), TrainError> {
        if self.has_history() {
            self.past = History::read(path)?.put_into(&mut self.sources, tasks);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
