//! What a user sets about the world.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{DataError, TaskKind};

/// Settings of the synthetic tool world. The same settings give the same tasks on every machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldConfig {
    /// Everything random follows from it. Default 1.
    pub seed: u64,
    /// How many tasks to train on. Default 4,000. The first tasks stay the same when it changes.
    pub train: usize,
    /// How many tasks to evaluate on. Default 500. The first tasks stay the same when it changes.
    pub held_out: usize,
    /// The share of held-out tasks, 0 to 1, whose tools come from the domains that training never shows.
    /// Default 0.3.
    pub unseen_share: f64,
    /// The share of values, 0 to 1, that the request does not simply state, so that they must be converted
    /// or picked. Default 0.5.
    pub hard_values: f64,
    /// The share of training replies, 0 to 1, with the slip of a hurried demonstrator: the last of several
    /// calls or the last parameter of one call is left out, or a tool is called where none applies. Held-out
    /// tasks have none. Default 0.
    pub slips: f64,
    /// The least number of tools that a prompt lists, from 2. Default 2.
    pub min_tools: usize,
    /// The greatest number of tools that a prompt lists, up to 8. Default 4.
    pub max_tools: usize,
    /// How often each kind of task comes.
    pub mix: Mix,
    /// The prompt.
    pub template: Template,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            train: 4_000,
            held_out: 500,
            unseen_share: 0.3,
            hard_values: 0.5,
            slips: 0.0,
            min_tools: 2,
            max_tools: 4,
            mix: Mix::default(),
            template: Template::default(),
        }
    }
}

/// Weights of the kinds; only their ratios count. Keys are the names of [`TaskKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// One call. Default 35.
    pub one_call: u32,
    /// Two or three calls in one turn. Default 20.
    pub several_calls: u32,
    /// No tool applies. Default 15.
    pub no_call: u32,
    /// A second turn, after an observation. Default 15.
    pub history: u32,
    /// Opaque names. Default 15.
    pub masked: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { one_call: 35, several_calls: 20, no_call: 15, history: 15, masked: 15 }
    }
}

impl Mix {
    /// The kinds with their weights.
    pub(crate) fn weights(&self) -> [(TaskKind, u32); 5] {
        [
            (TaskKind::OneCall, self.one_call),
            (TaskKind::SeveralCalls, self.several_calls),
            (TaskKind::NoCall, self.no_call),
            (TaskKind::History, self.history),
            (TaskKind::Masked, self.masked),
        ]
    }
}

/// Where the prompt comes from: a minijinja template with the blocks `system` and `user`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The compact prompt of this crate.
    #[default]
    Compact,
    /// The template itself.
    Text(String),
    /// The template's file.
    File(PathBuf),
}

impl WorldConfig {
    /// Refuses settings from which no world can be made.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let shares =
            [("unseen_share", self.unseen_share), ("hard_values", self.hard_values), ("slips", self.slips)];
        check(&shares, [self.min_tools, self.max_tools], &self.mix.weights())
    }
}

/// Refuses shares, the least and the greatest number of tools, and weights from which no world can be made.
pub(crate) fn check(
    shares: &[(&'static str, f64)],
    [least, most]: [usize; 2],
    kinds: &[(TaskKind, u32)],
) -> Result<(), DataError> {
    for (field, value) in shares {
        if !(0.0..=1.0).contains(value) {
            return Err(refused(field, "a share from 0 to 1", value));
        }
    }
    if !(2..=8).contains(&most) {
        return Err(refused("max_tools", "2 to 8", most));
    }
    if !(2..=most).contains(&least) {
        return Err(refused("min_tools", "2 to max_tools", least));
    }
    if kinds.iter().all(|(_, weight)| *weight == 0) {
        return Err(refused("mix", "at least one weight above 0", 0));
    }
    Ok(())
}

pub(crate) fn refused(field: &'static str, expected: &'static str, found: impl ToString) -> DataError {
    DataError::World { field, expected, found: found.to_string() }
}
