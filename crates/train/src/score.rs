//! From sampled groups to scores and advantages.

use std::collections::BTreeMap;

use toolrl_grammar::parse;
use toolrl_grpo::{Reward, TermReward};
use toolrl_reward::{Context, Rubric, explain};
use toolrl_rollout::{Group, Trajectory};

use crate::task::Task;
use crate::{GrpoConfig, TrainError};

/// A reply with its score.
#[derive(Debug)]
pub(crate) struct Scored {
    /// Position of its task among the run's tasks.
    pub task: usize,
    pub trajectory: Trajectory,
    pub reward: f64,
    /// The parts of the reward by name.
    pub components: BTreeMap<String, f64>,
    pub advantage: f64,
}

/// Scores every reply of the groups, and compares each with the others of its group or of the step. `positions[i]` is the task of
/// group i. The result has the groups' order, `group_size` replies each.
pub(crate) fn score(
    groups: Vec<Group>,
    tasks: &[Task],
    positions: &[usize],
    rubric: &Rubric,
    step: u64,
    config: &GrpoConfig,
) -> Result<Vec<Scored>, TrainError> {
    let context = Context::training(step, config.steps);
    let (mut scored, mut rewards) = (Vec::new(), Vec::new());
    for (group, &task) in groups.into_iter().zip(positions) {
        let mut of_group = Vec::new();
        for trajectory in group.trajectories {
            let Task { sample, reference, .. } = &tasks[task];
            let score = rubric
                .score(&parse(&trajectory.text), reference, &context)
                .map_err(|source| TrainError::Reward { step, id: sample.id.clone(), source })?;
            let components = score.metrics().collect();
            let terms = score.terms.iter();
            let terms = terms.map(|t| TermReward { weight: t.weight, value: t.score.value }).collect();
            of_group.push(Reward { total: score.total, terms });
            scored.push(Scored { task, trajectory, reward: score.total, components, advantage: 0.0 });
        }
        rewards.push(of_group);
    }
    let advantages = config.advantage.of_batch(&rewards, config.advantage_epsilon);
    for (scored, advantage) in scored.iter_mut().zip(advantages.concat()) {
        scored.advantage = advantage;
    }
    Ok(scored)
}

/// Why a reply has its score, as text.
pub(crate) fn explanation(scored: &Scored, task: &Task, rubric: &Rubric, context: &Context) -> String {
    let parsed = parse(&scored.trajectory.text);
    match rubric.score(&parsed, &task.reference, context) {
        Ok(score) => explain(&parsed, &task.reference, &score),
        Err(error) => error.to_string(),
    }
}
