//! What a user sets about the wide world.

use serde::{Deserialize, Serialize};

use crate::world::{check, refused};
use crate::{DataError, TaskKind};

/// Settings of the wide world. The same settings give the same tasks on every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WideConfig {
    /// Everything random follows from it. Default 1.
    pub seed: u64,
    /// How many tasks to train on. Default 4,000. The first tasks stay the same when it changes.
    pub train: usize,
    /// How many tasks to evaluate on. Default 500. The first tasks stay the same when it changes.
    pub held_out: usize,
    /// How many of training's domains its tasks come from, from the first on; held-out tasks are of all of them. Default:
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domains: Option<usize>,
    /// The share of held-out tasks, 0 to 1, whose tools come from the domains that training never shows. Default 0.5.
    pub unseen_share: f64,
    /// The share of values, 0 to 1, that the request says otherwise than the call has them. Default 0.5.
    pub hard_values: f64,
    /// The share of training's tasks, 0 to 1, whose tools and parameters have names that are made up for that task, and of
    /// names within values that are made up, so that no name is learnt by heart. Default 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub made_up: f64,
    /// The least number of tools that a prompt lists, from 2. Default 2.
    pub min_tools: usize,
    /// The greatest number of tools that a prompt lists, up to 8, reached seldom. Default 4.
    pub max_tools: usize,
    /// The most characters that the messages of a prompt and the JSON of its tools have together, from 1,500; longer
    /// prompts are drawn anew. Default 1,800, which is some 570 tokens.
    pub max_chars: usize,
    /// What gold replies think first. Default: nothing.
    pub thoughts: Thoughts,
    /// Whose gold reply a training task has. Default: its own.
    #[serde(skip_serializing_if = "GoldOf::is_own")]
    pub gold: GoldOf,
    /// How often each kind of task comes.
    pub mix: WideMix,
}

/// What gold replies think first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thoughts {
    /// Nothing: they begin with their calls or words.
    #[default]
    None,
    /// A sentence that says why. ToolRL's dialect wants thoughts.
    Short,
}

/// Whose gold reply a training task has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoldOf {
    /// Its own.
    #[default]
    Own,
    /// Another task's, each one's once: a control, of what is learnt from replies of the right kind to other requests.
    Another,
}

impl GoldOf {
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

impl Thoughts {
    /// The thought where there is to be one.
    pub(crate) fn then(self, thought: impl FnOnce() -> String) -> Option<toolrl_grammar::Passage<'static>> {
        (self == Self::Short).then(|| thought().into())
    }
}

/// Weights of the kinds; only their ratios count. Keys are the names of [`TaskKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WideMix {
    /// One call. Default 30.
    pub one_call: u32,
    /// Two or three calls in one turn. Default 15.
    pub several_calls: u32,
    /// No tool applies, or the work is done. Default 15.
    pub no_call: u32,
    /// A value is missing. Default 10.
    pub ask_back: u32,
    /// A call after earlier turns. Default 15.
    pub history: u32,
    /// The second call of a request for two. Default 10.
    pub multi_hop: u32,
    /// Opaque names. Default 5.
    pub masked: u32,
}

impl Default for WideMix {
    fn default() -> Self {
        Self {
            one_call: 30,
            several_calls: 15,
            no_call: 15,
            ask_back: 10,
            history: 15,
            multi_hop: 10,
            masked: 5,
        }
    }
}

impl WideMix {
    /// The kinds with their weights.
    pub(crate) fn weights(&self) -> [(TaskKind, u32); 7] {
        [
            (TaskKind::OneCall, self.one_call),
            (TaskKind::SeveralCalls, self.several_calls),
            (TaskKind::NoCall, self.no_call),
            (TaskKind::AskBack, self.ask_back),
            (TaskKind::History, self.history),
            (TaskKind::MultiHop, self.multi_hop),
            (TaskKind::Masked, self.masked),
        ]
    }
}

impl Default for WideConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            train: 4_000,
            held_out: 500,
            domains: None,
            unseen_share: 0.5,
            hard_values: 0.5,
            made_up: 0.0,
            min_tools: 2,
            max_tools: 4,
            max_chars: 1_800,
            thoughts: Thoughts::None,
            gold: GoldOf::Own,
            mix: WideMix::default(),
        }
    }
}

impl WideConfig {
    /// Refuses settings from which no world can be made; `domains` is how many there are.
    pub(crate) fn check(&self, domains: usize) -> Result<(), DataError> {
        let shares = [
            ("unseen_share", self.unseen_share),
            ("hard_values", self.hard_values),
            ("made_up", self.made_up),
        ];
        check(&shares, [self.min_tools, self.max_tools], &self.mix.weights())?;
        if self.max_chars < 1_500 {
            return Err(refused("max_chars", "1500 or more", self.max_chars));
        }
        if let Some(some) = self.domains.filter(|some| !(4..=domains).contains(some)) {
            return Err(refused("domains", "4 to as many as there are for training", some));
        }
        Ok(())
    }
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}
