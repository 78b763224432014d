//! A run's completions as another run learns from them: the groups that are used, and what is used of each.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_grpo::has_no_spread;
use toolrl_record::{Completion, EpisodeRecord, completions_path, groups, read_completions};
use toolrl_rollout::{Environment, FinishReason, Prompt, Reply, Sampled, SamplingParams};

use crate::{CompletionsConfig, Method, TrainError};

/// What is used of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Its best reply.
    Best,
    /// Its best and its worst.
    Pair,
}

/// How many groups a run on completions learns from, and why not from the others: in its `run.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounts {
    /// Groups of the steps that are taken.
    pub groups: usize,
    /// Groups that are learned from.
    pub used: usize,
    /// Groups without a reply that ended by itself and has a reward.
    pub without_reply: usize,
    /// Groups whose best reply has less than `min_reward`.
    pub below_reward: usize,
    /// Groups whose best reply is not above the worst, or by less than `min_margin`.
    pub below_margin: usize,
    /// Groups that gave the same replies to the same prompt as one before.
    pub repeated: usize,
}

/// The best and the worst reply of a group, each with its episode.
struct Ranked<'r> {
    best: (&'r Completion, &'r EpisodeRecord),
    worst: (&'r Completion, &'r EpisodeRecord),
    /// Whether all rewards are equal.
    even: bool,
}

/// Counts the groups that a method would learn from.
///
/// # Errors
/// As of a run: [`TrainError::NoCompletions`], [`TrainError::NoRun`], [`TrainError::Record`].
pub fn count_groups(config: &CompletionsConfig, method: &Method) -> Result<GroupCounts, TrainError> {
    each_used(config, Use::of(method), |_| Ok(()))
}

impl Use {
    pub(crate) fn of(method: &Method) -> Self {
        if matches!(method, Method::Dpo(_)) { Self::Pair } else { Self::Best }
    }
}

/// Hands over the groups that are used, in the order in which they were sampled.
fn each_used(
    config: &CompletionsConfig,
    of: Use,
    mut take: impl FnMut(&Ranked<'_>) -> Result<(), TrainError>,
) -> Result<GroupCounts, TrainError> {
    let mut counts = GroupCounts::default();
    let mut known = HashSet::new();
    for step in config.steps()? {
        let rows = read_completions(&completions_path(&config.run, step))?;
        for group in groups(&rows) {
            counts.groups += 1;
            let Some(ranked) = ranked(group, config)? else {
                counts.without_reply += 1;
                continue;
            };
            let Ranked { best, worst, even } = &ranked;
            let margin = best.0.reward - worst.0.reward;
            if config.min_reward.is_some_and(|least| best.0.reward < least) {
                counts.below_reward += 1;
            } else if margin < config.min_margin || (of == Use::Pair && (*even || margin <= 0.0)) {
                counts.below_margin += 1;
            } else {
                let rejected = (of == Use::Pair).then(|| worst.1.token_ids.clone());
                if known.insert((best.0.sample_id.clone(), best.1.token_ids.clone(), rejected)) {
                    counts.used += 1;
                    take(&ranked)?;
                } else {
                    counts.repeated += 1;
                }
            }
        }
    }
    Ok(counts)
}

/// The best reply of a group and its worst, the first of equals. Replies without a reward count for neither, and the best
/// is one that ended by itself.
fn ranked<'r>(group: &'r [Completion], config: &CompletionsConfig) -> Result<Option<Ranked<'r>>, TrainError> {
    let mut replies = Vec::with_capacity(group.len());
    for row in group {
        let Some(episode) = &row.episode else {
            let why = "they are of an earlier version of the program, which wrote no token ids".to_owned();
            return Err(TrainError::NoCompletions { dir: config.run.clone(), why });
        };
        if !episode.skipped && !episode.turns.is_empty() && row.reward.is_finite() {
            replies.push((row, episode));
        }
    }
    let rewards: Vec<f64> = replies.iter().map(|(row, _)| row.reward).collect();
    let whole = replies.iter().filter(|(row, _)| row.finish != FinishReason::Length);
    // Of equals `max_by` takes the last, `min_by` the first.
    let best = whole.rev().max_by(|a, b| a.0.reward.total_cmp(&b.0.reward));
    let worst = replies.iter().min_by(|a, b| a.0.reward.total_cmp(&b.0.reward));
    let ranked = best.zip(worst);
    Ok(ranked.map(|(&best, &worst)| Ranked { best, worst, even: has_no_spread(&rewards) }))
}

/// A reply that was sampled, with what the environment put between its turns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sequence {
    pub tokens: Vec<u32>,
    /// The places of what was sampled.
    pub turns: Vec<Range<usize>>,
}

impl Sequence {
    /// At most its first `n` tokens.
    pub(crate) fn cut_to(&mut self, n: usize) {
        self.tokens.truncate(n);
        self.turns.retain(|turn| turn.start < n);
        self.turns.iter_mut().for_each(|turn| turn.end = turn.end.min(n));
    }
}

/// A group as it is learned from.
pub(crate) struct UsedGroup {
    pub id: String,
    pub prompt: Arc<Prompt>,
    pub best: Sequence,
    pub worst: Sequence,
}

/// The groups that are used of a run's completions, whose tasks are among these samples.
pub(crate) fn used_groups(
    config: &CompletionsConfig,
    of: Use,
    samples: &[Sample],
    (chat, environment): (&Chat, &dyn Environment),
    (sampling, vocab_size): (&SamplingParams, usize),
) -> Result<(Vec<UsedGroup>, GroupCounts), TrainError> {
    let mut words = Words {
        config,
        samples: samples.iter().map(|sample| (sample.id.as_str(), sample)).collect(),
        chat,
        environment,
        sampling,
        vocab_size,
        prompts: HashMap::new(),
    };
    let mut used = Vec::new();
    let counts = each_used(config, of, |Ranked { best, worst, .. }| {
        let prompt = words.prompt(best.0)?;
        words.check(&prompt, *best)?;
        if of == Use::Pair {
            words.check(&prompt, *worst)?;
        }
        let sequence = |episode: &EpisodeRecord| {
            let EpisodeRecord { token_ids, turns, .. } = episode.clone();
            Sequence { tokens: token_ids, turns }
        };
        let (id, best, worst) = (best.0.sample_id.clone(), sequence(best.1), sequence(worst.1));
        used.push(UsedGroup { id, prompt, best, worst });
        Ok(())
    })?;
    tracing::info!("{}", counts.told(&config.run.display().to_string()));
    if used.is_empty() {
        let why = counts.told(&config.run.display().to_string());
        return Err(TrainError::NoTasks { what: "training data", why });
    }
    Ok((used, counts))
}

impl GroupCounts {
    /// The numbers in words.
    pub fn told(&self, run: &str) -> String {
        let Self { groups, used, without_reply, below_reward, below_margin, repeated } = self;
        format!(
            "{used} of the {groups} groups of {run} are used; of the others {below_margin} have too small a margin, \
             {below_reward} too low a reward, {without_reply} no whole reply, {repeated} repeat one before"
        )
    }
}

/// How the policy writes what a run wrote down.
struct Words<'a> {
    config: &'a CompletionsConfig,
    samples: HashMap<&'a str, &'a Sample>,
    chat: &'a Chat,
    environment: &'a dyn Environment,
    /// What ended the replies.
    sampling: &'a SamplingParams,
    /// Ids that the policy has.
    vocab_size: usize,
    prompts: HashMap<(&'a str, u64), Arc<Prompt>>,
}

impl<'a> Words<'a> {
    fn other(&self, row: &Completion, what: &'static str) -> TrainError {
        let (dir, id) = (self.config.run.clone(), row.sample_id.clone());
        TrainError::OtherWords { dir, step: row.step, id, what }
    }

    /// The prompt of a reply's task, as long as it was.
    fn prompt(&mut self, row: &Completion) -> Result<Arc<Prompt>, TrainError> {
        let Some((&id, sample)) = self.samples.get_key_value(row.sample_id.as_str()) else {
            let why = format!("sample {} is not among what the run trained on", row.sample_id);
            return Err(TrainError::NoCompletions { dir: self.config.run.clone(), why });
        };
        if let Some(known) = self.prompts.get(&(id, row.prompt_cut)) {
            return Ok(known.clone());
        }
        let whole = Prompt::of_sample(self.chat, self.environment, sample, 0)?;
        let kept = whole.tokens.len().checked_sub(row.prompt_cut as usize).filter(|&kept| kept > 0);
        let kept = kept.ok_or_else(|| self.other(row, "prompt"))?;
        let prompt = Arc::new(whole.keep_last(self.chat, kept)?);
        self.prompts.insert((id, row.prompt_cut), prompt.clone());
        Ok(prompt)
    }

    /// Whether the policy's own template and tokenizer make the recorded text of the prompt and of the recorded ids.
    fn check(
        &self,
        prompt: &Prompt,
        (row, episode): (&Completion, &EpisodeRecord),
    ) -> Result<(), TrainError> {
        let last = episode.turns.last().cloned().unwrap_or_default();
        let known = |ids: &[u32]| ids.iter().all(|&id| (id as usize) < self.vocab_size);
        if !known(&episode.token_ids) {
            return Err(self.other(row, "reply"));
        }
        let before = self.chat.decode(&episode.token_ids[..last.start], false)?;
        if row.prompt.strip_prefix(prompt.text.as_str()) != Some(before.as_str()) {
            return Err(self.other(row, "prompt"));
        }
        let tokens = episode.token_ids[last].to_vec();
        let turn = Sampled { tokens, logprobs: Vec::new(), finish: row.finish, version: 0 };
        let same = Reply::of_turn(self.chat, prompt, &turn, self.sampling)?.text == row.completion;
        if same { Ok(()) } else { Err(self.other(row, "reply")) }
    }
}

#[cfg(test)]
#[path = "completions_tests.rs"]
mod tests;
