//! From sampled groups to scores.

use std::collections::{BTreeMap, BTreeSet};

use toolrl_grammar::parse;
use toolrl_grpo::TermReward;
use toolrl_reward::{Context, Part, Rubric, Score, parts};
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
    /// The reward's terms that failed on it.
    pub failures: BTreeSet<String>,
    /// Whether such a failure leaves it out: it is not trained on, and the others are not compared with it.
    pub skipped: bool,
}

/// Scores every reply of the groups, in their shape. `positions[i]` is the task of group i.
pub(crate) async fn score(
    groups: Vec<Group>,
    tasks: &[Task],
    positions: &[usize],
    rubric: &Rubric,
    (step, steps): (u64, u64),
) -> Result<Vec<Vec<Scored>>, TrainError> {
    let context = Context::training(step, steps);
    let pairs = groups.iter().zip(positions);
    let replies: Vec<_> = pairs
        .flat_map(|(group, &task)| group.trajectories.iter().map(move |t| (t, task)))
        .map(|(trajectory, task)| (parse(&trajectory.text), &tasks[task].reference))
        .collect();
    let scores = rubric.score_batch(&replies, &context).await;
    let taken_apart = replies.iter().zip(&scores).map(|((parsed, reference), score)| match score {
        Ok(score) => parts(parsed, reference, score),
        Err(_) => Vec::new(),
    });
    let taken_apart: Vec<Vec<Part>> = taken_apart.collect();
    drop(replies);
    let mut scores = scores.into_iter().zip(taken_apart);
    let of_group = |(group, &task): (Group, &usize)| {
        let of_reply = |(trajectory, (score, parts))| {
            let failed = |source| TrainError::Reward { step, id: tasks[task].sample.id.clone(), source };
            Ok(Scored::of(task, trajectory, &Result::map_err(score, failed)?, parts))
        };
        group.trajectories.into_iter().zip(&mut scores).map(of_reply).collect()
    };
    groups.into_iter().zip(positions).map(of_group).collect()
}

impl Scored {
    fn of(task: usize, trajectory: Trajectory, score: &Score, parts: Vec<Part>) -> Self {
        for (term, failure) in score.failures() {
            tracing::debug!(term, cause = %failure.cause, "a reward term failed");
        }
        let terms = score.terms.iter().map(|t| TermReward { weight: t.weight, value: t.score.value });
        Self {
            task,
            trajectory,
            reward: score.total,
            terms: terms.collect(),
            parts,
            components: score.metrics().collect(),
            failures: score.failures().map(|(id, _)| id.to_owned()).collect(),
            skipped: score.skipped,
        }
    }
}

/// How many replies each term of the reward failed on, warned of.
pub(crate) fn count_failures<'s>(
    step: u64,
    scored: impl ExactSizeIterator<Item = &'s Scored>,
) -> BTreeMap<String, usize> {
    let replies = scored.len();
    let mut failures = BTreeMap::new();
    for term in scored.flat_map(|s| &s.failures) {
        *failures.entry(term.clone()).or_insert(0) += 1;
    }
    for (term, count) in &failures {
        tracing::warn!(
            "step {step}: reward term {term:?} failed on {count} of {replies} replies (-v tells why)"
        );
    }
    failures
}
