//! Which tasks the steps of reinforcement learning train on, and when a reply to one is a success.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// When a reply is a success: what tasks are chosen by, and what groups with a mixed outcome are told by. The reward is
/// another question: it may like style too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Success {
    /// It makes exactly the gold reply's calls ([`toolrl_eval::is_exact`]), whatever its reward.
    #[default]
    Exact,
    /// Its reward is at least this. An environment's verdict is part of the reward.
    Reward(f64),
}

/// Which tasks a step trains on. By default each of them once a pass, every pass in a new order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TasksConfig {
    /// Draws a step's tasks by how hard they are so far, in the place of passes.
    pub difficulty: Option<DifficultyConfig>,
    /// Leaves tasks out for a while.
    pub rest: RestConfig,
}

/// How tasks are drawn by the share of their replies that succeeded so far in the run, see
/// [`toolrl_grpo::learnability`]. A task that was not asked yet is worth as much as the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DifficultyConfig {
    /// The success rate whose tasks are worth most.
    pub target: f64,
    /// Below 1 the best tasks come more often yet, above 1 all come more alike.
    pub temperature: f64,
    /// The share of the odds that all tasks have alike, so that none is lost for good.
    pub uniform: f64,
    /// What a task's earlier replies keep of their weight when it is asked again.
    pub decay: f64,
}

impl Default for DifficultyConfig {
    fn default() -> Self {
        Self { target: 0.5, temperature: 1.0, uniform: 0.1, decay: 0.5 }
    }
}

/// For how long a task is left out. Where all tasks are, those that come back first are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestConfig {
    /// After a step in which all replies to it succeeded.
    pub solved: Option<RestLength>,
    /// After a step in which none did.
    pub failed: Option<RestLength>,
}

/// A while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestLength {
    /// So many steps.
    Steps(u64),
    /// As many steps as so many passes over all tasks are, rounded up.
    Passes(f64),
}

impl RestLength {
    /// In steps of so many prompts, where there are so many tasks.
    pub(crate) fn steps(self, tasks: usize, prompts: usize) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Passes(passes) => (passes * tasks as f64 / prompts as f64).ceil() as u64,
        }
    }
}

impl Success {
    pub(crate) fn check(self) -> Result<(), TrainError> {
        match self {
            Self::Reward(least) if !least.is_finite() => {
                Err(TrainError::Recipe(format!("train.success.reward = {least} should be a number")))
            }
            _ => Ok(()),
        }
    }
}

impl TasksConfig {
    /// Whether the outcomes of earlier steps decide what is trained on.
    pub(crate) fn reads_outcomes(self) -> bool {
        self != Self::default()
    }

    pub(crate) fn check(self) -> Result<(), TrainError> {
        let wrong = |key: &str, value: String, expected: &str| {
            Err(TrainError::Recipe(format!("train.tasks.{key} = {value} should be {expected}")))
        };
        if let Some(DifficultyConfig { target, temperature, uniform, decay }) = self.difficulty {
            if !(target > 0.0 && target < 1.0) {
                return wrong("difficulty.target", target.to_string(), "between 0 and 1");
            }
            if !(temperature > 0.0 && temperature.is_finite()) {
                return wrong("difficulty.temperature", temperature.to_string(), "above 0");
            }
            for (key, share) in [("difficulty.uniform", uniform), ("difficulty.decay", decay)] {
                if !(0.0..=1.0).contains(&share) {
                    return wrong(key, share.to_string(), "0 to 1");
                }
            }
        }
        for (key, length) in [("rest.solved", self.rest.solved), ("rest.failed", self.rest.failed)] {
            match length {
                Some(RestLength::Steps(0)) => {
                    return wrong(&format!("{key}.steps"), "0".to_owned(), "at least 1");
                }
                Some(RestLength::Passes(passes)) if !(passes > 0.0 && passes.is_finite()) => {
                    return wrong(&format!("{key}.passes"), passes.to_string(), "above 0");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_as_many_steps_as_it_takes() {
        assert_eq!(RestLength::Steps(7).steps(100, 8), 7);
        assert_eq!(RestLength::Passes(1.0).steps(100, 8), 13);
        assert_eq!(RestLength::Passes(0.5).steps(8, 8), 1);
    }
}
