//! From sampled groups to scores and advantages.

use std::collections::{BTreeMap, BTreeSet};

use toolrl_grammar::parse;
use toolrl_grpo::{Reward, TermReward};
use toolrl_reward::{Context, Rubric, Score, explain};
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
    /// The reward's terms that failed on it.
    pub failures: BTreeSet<String>,
    /// Whether such a failure leaves it out: its advantage is 0, and the others' do not look at it.
    pub skipped: bool,
    pub advantage: f64,
}

/// Scores every reply of the groups, and compares each with the others of its group or of the step. `positions[i]` is the task of
/// group i. The result has the groups' order, `group_size` replies each.
pub(crate) async fn score(
    groups: Vec<Group>,
    tasks: &[Task],
    positions: &[usize],
    rubric: &Rubric,
    step: u64,
    config: &GrpoConfig,
) -> Result<Vec<Scored>, TrainError> {
    let context = Context::training(step, config.steps);
    let pairs = groups.iter().zip(positions);
    let replies: Vec<_> = pairs
        .flat_map(|(group, &task)| group.trajectories.iter().map(move |t| (t, task)))
        .map(|(trajectory, task)| (parse(&trajectory.text), &tasks[task].reference))
        .collect();
    let mut scores = rubric.score_batch(&replies, &context).await.into_iter();
    drop(replies);
    let (mut scored, mut rewards) = (Vec::new(), Vec::new());
    for (group, &task) in groups.into_iter().zip(positions) {
        let mut of_group = Vec::new();
        for (trajectory, score) in group.trajectories.into_iter().zip(&mut scores) {
            let id = &tasks[task].sample.id;
            let score = score.map_err(|source| TrainError::Reward { step, id: id.clone(), source })?;
            let reply = Scored::of(task, trajectory, &score);
            if !reply.skipped {
                let terms = score.terms.iter();
                let terms = terms.map(|t| TermReward { weight: t.weight, value: t.score.value }).collect();
                of_group.push(Reward { total: score.total, terms });
            }
            scored.push(reply);
        }
        rewards.push(of_group);
    }
    let advantages = config.advantage.of_batch(&rewards, config.advantage_epsilon);
    let compared = scored.iter_mut().filter(|reply| !reply.skipped);
    for (scored, advantage) in compared.zip(advantages.concat()) {
        scored.advantage = advantage;
    }
    Ok(scored)
}

impl Scored {
    /// A reply before it is compared with others.
    fn of(task: usize, trajectory: Trajectory, score: &Score) -> Self {
        for (term, failure) in score.failures() {
            tracing::debug!(term, cause = %failure.cause, "a reward term failed");
        }
        Self {
            task,
            trajectory,
            reward: score.total,
            components: score.metrics().collect(),
            failures: score.failures().map(|(id, _)| id.to_owned()).collect(),
            skipped: score.skipped,
            advantage: 0.0,
        }
    }
}

/// How many replies each term of the reward failed on, warned of.
pub(crate) fn count_failures(step: u64, scored: &[Scored]) -> BTreeMap<String, usize> {
    let mut failures = BTreeMap::new();
    for term in scored.iter().flat_map(|s| &s.failures) {
        *failures.entry(term.clone()).or_insert(0) += 1;
    }
    for (term, count) in &failures {
        let replies = scored.len();
        tracing::warn!(
            "step {step}: reward term {term:?} failed on {count} of {replies} replies (-v tells why)"
        );
    }
    failures
}

/// Why a reply has its score, as text.
pub(crate) fn explanation(scored: &Scored, task: &Task, rubric: &Rubric, context: &Context) -> String {
    let parsed = parse(&scored.trajectory.text);
    match rubric.score(&parsed, &task.reference, context) {
        Ok(score) => explain(&parsed, &task.reference, &score),
        Err(error) => error.to_string(),
    }
}
