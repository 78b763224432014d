//! From groups of episodes to scores.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use toolrl_eval::{asked, makes_gold_calls};
use toolrl_grammar::Dialect;
use toolrl_grpo::TermReward;
use toolrl_reward::{Context, Part, Reference, Rubric, Score, parts};
use toolrl_rollout::{Episode, Group};

use crate::task::Task;
use crate::{Success, TrainError};

/// An episode with its score.
#[derive(Debug)]
pub(crate) struct Scored {
    pub episode: Episode,
    pub reward: f64,
    /// The terms of the reward, in the rubric's order; then the environment's verdict, where it has one.
    pub terms: Vec<TermReward>,
    /// The reward taken apart.
    pub parts: Vec<Part>,
    /// The parts of the reward by name.
    pub components: BTreeMap<String, f64>,
    /// The reward's terms that failed on it.
    pub failures: BTreeSet<String>,
    /// Whether such a failure leaves it out: it is not trained on, and the others are not compared with it.
    pub skipped: bool,
    /// Whether it succeeded; none where the run does not ask for that, or it is left out.
    pub success: Option<bool>,
}

/// Scores the last turn of every episode against its task's gold reply. Where `judge` is there, it says which succeeded.
pub(crate) async fn score(
    groups: Vec<Group<Episode>>,
    tasks: &[Task],
    (rubric, judge): (&Rubric, Option<Judge>),
    (step, steps): (u64, u64),
) -> Result<Vec<Group<Scored>>, TrainError> {
    let context = Context::training(step, steps);
    let references = groups.iter().map(|group| {
        let task = &tasks[group.prompt.task];
        asked(&task.reference, &task.sample, rubric)
    });
    let references: Vec<Cow<'_, Reference>> = references.collect();
    let replies: Vec<_> = groups
        .iter()
        .zip(&references)
        .flat_map(|(group, reference)| group.members.iter().map(move |episode| (episode, &**reference)))
        .map(|(episode, reference)| (reference.read(episode.reply().text.as_bytes()), reference))
        .collect();
    let scores = rubric.score_batch(&replies, &context).await;
    let taken_apart = replies.iter().zip(&scores).map(|((parsed, reference), score)| match score {
        Ok(score) => parts(parsed, reference, score),
        Err(_) => Vec::new(),
    });
    let taken_apart: Vec<Vec<Part>> = taken_apart.collect();
    drop(replies);
    let mut scores = scores.into_iter().zip(taken_apart);
    let of_group = |group: Group<Episode>| {
        let task = group.prompt.task;
        let failed = |source| TrainError::Reward { step, id: tasks[task].sample.id.clone(), source };
        let of_episode = |episode| match scores.next() {
            Some((score, parts)) => {
                Ok(Scored::of(episode, (&score.map_err(failed)?, parts), (judge, &tasks[task])))
            }
            None => Err(TrainError::NoScore { step }),
        };
        group.try_map(of_episode)
    };
    groups.into_iter().map(of_group).collect()
}

/// Who says whether a reply succeeded.
#[derive(Clone, Copy)]
pub(crate) struct Judge {
    pub success: Success,
    pub dialect: &'static dyn Dialect,
}

impl Judge {
    fn succeeds(self, reply: &str, reward: f64, task: &Task) -> bool {
        match self.success {
            Success::Exact => makes_gold_calls(reply, (&task.sample.gold, &task.reference), self.dialect),
            Success::Reward(least) => reward >= least,
        }
    }
}

impl Scored {
    fn of(
        episode: Episode,
        (score, parts): (&Score, Vec<Part>),
        (judge, task): (Option<Judge>, &Task),
    ) -> Self {
        for (term, failure) in score.failures() {
            tracing::debug!(term, cause = %failure.cause, "a reward term failed");
        }
        let terms = score.terms.iter().map(|t| TermReward { weight: t.weight, value: t.score.value });
        let verdict = episode.outcome.map(|value| TermReward { weight: 1.0, value });
        let named = episode.outcome.map(|value| (Episode::OUTCOME.to_owned(), value));
        let reward = score.total + episode.outcome.unwrap_or_default();
        let judge = judge.filter(|_| !score.skipped);
        Self {
            reward,
            terms: terms.chain(verdict).collect(),
            parts,
            components: score.metrics().chain(named).collect(),
            failures: score.failures().map(|(id, _)| id.to_owned()).collect(),
            skipped: score.skipped,
            success: judge.map(|judge| judge.succeeds(&episode.reply().text, reward, task)),
            episode,
        }
    }
}

/// How many episodes each term of the reward failed on, warned of.
pub(crate) fn count_failures<'s>(
    step: u64,
    scored: impl Iterator<Item = &'s Scored>,
) -> BTreeMap<String, usize> {
    let mut replies = 0;
    let mut failures = BTreeMap::new();
    for term in scored.inspect(|_| replies += 1).flat_map(|s| &s.failures) {
        *failures.entry(term.clone()).or_insert(0) += 1;
    }
    for (term, count) in &failures {
        tracing::warn!(
            "step {step}: reward term {term:?} failed on {count} of {replies} replies (-v tells why)"
        );
    }
    failures
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
