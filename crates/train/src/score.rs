//! From sampled groups to scores.

use std::collections::BTreeMap;

use toolrl_grammar::parse;
use toolrl_grpo::TermReward;
use toolrl_reward::{Context, Part, Rubric, parts};
use toolrl_rollout::{Group, Trajectory};

use crate::TrainError;
use crate::task::Task;

/// A reply with its score.
#[derive(Debug)]
pub(crate) struct Scored {
    /// Position of its task among the run's tasks.
    pub task: usize,
    pub trajectory: Trajectory,
    pub reward: f64,
    /// The terms of the reward, in the rubric's order.
    pub terms: Vec<TermReward>,
    /// The reward taken apart.
    pub parts: Vec<Part>,
    /// The parts of the reward by name.
    pub components: BTreeMap<String, f64>,
}

/// Scores every reply of the groups, in their shape. `positions[i]` is the task of group i.
pub(crate) fn score(
    groups: Vec<Group>,
    tasks: &[Task],
    positions: &[usize],
    rubric: &Rubric,
    (step, steps): (u64, u64),
) -> Result<Vec<Vec<Scored>>, TrainError> {
    let context = Context::training(step, steps);
    let of_group = |(group, &task): (Group, &usize)| {
        let of_reply =
            |trajectory: Trajectory| {
                let Task { sample, reference, .. } = &tasks[task];
                let parsed = parse(&trajectory.text);
                let score = rubric
                    .score(&parsed, reference, &context)
                    .map_err(|source| TrainError::Reward { step, id: sample.id.clone(), source })?;
                let terms = score.terms.iter();
                let terms = terms.map(|t| TermReward { weight: t.weight, value: t.score.value }).collect();
                let components = score.metrics().collect();
                let parts = parts(&parsed, reference, &score);
                Ok(Scored { task, reward: score.total, terms, parts, components, trajectory })
            };
        group.trajectories.into_iter().map(of_reply).collect()
    };
    groups.into_iter().zip(positions).map(of_group).collect()
}
