//! What the tests of several stages share: a tiny policy with its chat, tasks, scripted turns, and members by hand.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use toolrl_chat::{Chat, train_bpe};
use toolrl_data::{Sample, TaskKind};
use toolrl_grammar::Parsed;
use toolrl_policy::{Activations, Generation, Heads, ModelConfig, Policy};
use toolrl_reward::{Context, FnTerm, OnFailure, Reference, Rubric, WeightedTerm};
use toolrl_rollout::{
    Ended, Episode, FinishReason, GoldReply, Group, Prompt, Reply, Request, RolloutError, Sampled, Sampler,
    SamplerSource, Sampling, SamplingParams, Segment, StreamKey,
};
use toolrl_testing::device;

use crate::curriculum::Curriculum;
use crate::guard::Guard;
use crate::learner::Learner;
use crate::rl::{Credit, Credited, Divergence, Measured, Rl};
use crate::score::Scored;
use crate::task::{Source, Task};
use crate::{GroupFilter, GuardConfig, LocalSampler, OptimizerConfig, Recipe, RlConfig, Setting, Truncated};

/// All that steps are made with, but for what is trained.
pub(crate) struct World {
    pub recipe: Recipe,
    pub chat: Arc<Chat>,
    pub tasks: Vec<Task>,
    pub rubric: Rubric,
}

impl World {
    /// One with so many tasks, whose reward is the number that a reply is.
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            recipe: Recipe::parse("name = \"a\"\n[train]\nmethod = \"grpo\"\n", &[]).unwrap(),
            chat: chat(),
            tasks: (0..tasks).map(task).collect(),
            rubric: numbers(OnFailure::SkipReply, |number, _| number),
        }
    }

    pub(crate) fn rl<'w>(&'w self, config: &'w RlConfig) -> Rl<'w> {
        Rl {
            recipe: &self.recipe,
            config,
            group_size: 2,
            tasks: &self.tasks,
            chat: self.chat.clone(),
            rubric: &self.rubric,
            sampler: &LocalSampler { slots: 2 },
            setting: Setting { environment: &GoldReply, max_turns: 1 },
            divergence: Divergence::default(),
            judge: None,
            groups: GroupFilter::All,
            context: policy(3).config().max_positions,
            replies: None,
        }
    }

    /// What steps of these settings take their tasks from.
    pub(crate) fn curriculum(&self, config: &RlConfig) -> Curriculum {
        let source = Source { name: String::new(), weight: 1.0, train: self.tasks.len() };
        Curriculum::new(self.recipe.seed, config, &[source], &self.tasks).unwrap()
    }
}

/// A tokenizer of bytes.
fn chat() -> Arc<Chat> {
    let dir = tempfile::tempdir().unwrap();
    train_bpe(std::iter::empty(), 259, &[]).unwrap().save(dir.path()).unwrap();
    Arc::new(Chat::load(dir.path()).unwrap())
}

/// Task `number`, whose gold reply is its number.
fn task(number: usize) -> Task {
    let sample = Sample {
        id: format!("task-{number}"),
        messages: Vec::new(),
        tools: Vec::new(),
        gold: number.to_string().into(),
        kind: TaskKind::Other,
        unseen_tools: false,
    };
    let reference = Reference::parse(&sample.gold).unwrap();
    Task { source: 0, sample, prompt: prompt(number), reference }
}

fn prompt(task: usize) -> Arc<Prompt> {
    Arc::new(Prompt { task, index: task as u64, tokens: vec![1, 2, 3 + task as u32], ..Prompt::default() })
}

/// A rubric of the one term `number`, which makes a value of the reply's number and the gold reply's. It fails where a
/// reply is no number.
pub(crate) fn numbers(
    on_failure: OnFailure,
    value: impl Fn(f64, f64) -> f64 + Send + Sync + 'static,
) -> Rubric {
    let score = move |reply: &Parsed<'_>, gold: &Reference, _: &Context| {
        let number = |text: &[u8]| String::from_utf8_lossy(text).parse().unwrap_or(f64::NAN);
        value(number(reply.text), number(gold.text()))
    };
    let term = WeightedTerm::new(1.0, Box::new(FnTerm::new("number", (-10.0, 10.0), score)));
    Rubric::of(vec![WeightedTerm { on_failure, ..term }]).unwrap()
}

/// The built-in terms and `letters`, by which hardly two replies are worth the same.
pub(crate) fn letters() -> toolrl_reward::Registry {
    let mut rewards = toolrl_reward::Registry::builtin();
    rewards.register_fn("letters", (0.0, 1.0), |reply, _, _| {
        let sum: u64 = (1..).zip(reply.text).map(|(place, &byte)| place * u64::from(byte)).sum();
        (sum % 1009) as f64 / 1009.0
    });
    rewards
}

/// A tiny policy with the vocabulary of the [`World`]'s chat.
pub(crate) fn policy(seed: u64) -> Policy {
    let model = ModelConfig::tiny(259, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(model, Generation::stopping_at(vec![0]), seed, &device())
}

pub(crate) fn learner() -> Learner {
    learner_with(OptimizerConfig::default().lr, Activations::Keep)
}

pub(crate) fn learner_with(lr: f64, activations: Activations) -> Learner {
    let guard = Guard::new(GuardConfig::default(), Path::new(""));
    Learner::new(policy(3), OptimizerConfig { lr, ..OptimizerConfig::default() }, activations, 1.0, guard)
}

/// A member with this reward. Its turns have so many tokens, with log-probabilities of -0.25, -0.5 and so on; the
/// environment put two tokens between two turns.
pub(crate) fn scored(reward: f64, turns: &[usize]) -> Scored {
    let turn = |&len: &usize| Segment::Sampled { len, version: 0, finish: FinishReason::Stop };
    let with_answer = |turn| [Segment::Given { len: 2 }, turn];
    let segments: Vec<_> = turns.iter().map(turn).flat_map(with_answer).skip(1).collect();
    let (len, sampled): (usize, usize) = (segments.iter().map(Segment::len).sum(), turns.iter().sum());
    let episode = Episode {
        member: 0,
        tokens: (0..len as u32).map(|i| 10 + i).collect(),
        segments,
        logprobs: (1..=sampled).map(|i| -0.25 * i as f32).collect(),
        replies: turns.iter().map(|_| Reply::default()).collect(),
        ended: Ended::Closed,
        outcome: None,
    };
    let (terms, parts, components) = (Vec::new(), Vec::new(), BTreeMap::new());
    Scored {
        episode,
        reward,
        terms,
        parts,
        components,
        failures: BTreeSet::new(),
        skipped: false,
        success: None,
    }
}

/// The same, cut off by the limit on new tokens.
pub(crate) fn cut_off(mut scored: Scored) -> Scored {
    if let Some(Segment::Sampled { finish, .. }) = scored.episode.segments.last_mut() {
        *finish = FinishReason::Length;
    }
    scored
}

/// The same, on which a term failed that leaves it out.
pub(crate) fn skipped(scored: Scored) -> Scored {
    Scored { skipped: true, failures: BTreeSet::from(["number".to_owned()]), ..scored }
}

pub(crate) fn measured(scored: Scored) -> Measured {
    Measured::new(scored, None, None, &RlConfig::default(), 16)
}

/// A member of reward 0 and one turn, credited.
pub(crate) fn credited(len: usize, credit: Credit) -> Credited {
    measured(scored(0.0, &[len])).credited(credit, Truncated::Keep)
}

/// The group of a task.
pub(crate) fn group<T>(task: usize, members: impl IntoIterator<Item = T>) -> Group<T> {
    Group { prompt: prompt(task), members: members.into_iter().collect() }
}

/// A source of samplers that says what it is told to, by round, prompt and member.
pub(crate) struct Script<F> {
    pub chat: Arc<Chat>,
    pub says: F,
    /// Every round: the version of the policy, the key, and the prompts' indices.
    pub asked: Mutex<Vec<(u64, StreamKey, Vec<u64>)>>,
}

struct Saying<'a, F>(&'a Script<F>, u64);

impl<F: Fn(usize, u64, usize) -> String + Sync> SamplerSource<Policy> for Script<F> {
    fn at<'a>(
        &'a self,
        _: &'a Policy,
        _: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError> {
        Ok(Box::new(Saying(self, version)))
    }
}

impl<F: Fn(usize, u64, usize) -> String> Sampler for Saying<'_, F> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        _: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        let Self(Script { chat, says, asked }, version) = self;
        Box::pin(async move {
            let mut asked = asked.lock().unwrap();
            let turn = |index, member| turn(chat, &says(asked.len(), index, member), *version);
            let turns = |r: &Request<'_>| r.members.clone().map(|member| turn(r.index, member)).collect();
            let turns = requests.iter().map(turns).collect();
            asked.push((*version, key, requests.iter().map(|request| request.index).collect()));
            Ok(turns)
        })
    }
}

/// A turn that says this and stops.
pub(crate) fn turn(chat: &Chat, text: &str, version: u64) -> Sampled {
    let mut tokens = chat.encode(text).unwrap();
    tokens.extend(chat.eos_token_id());
    Sampled { logprobs: vec![-1.0; tokens.len()], tokens, finish: FinishReason::Stop, version }
}
