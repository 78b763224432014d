//! Steps, prompts and updates: TRL counts updates of the weights, in micro-batches of replies.

use toolrl_train::{GrpoConfig, PassOrder};

use crate::ExportError;
use crate::settings::Mapping;

use super::RELEASE;

/// What train.py works out from how replies are dealt out to however many processes there are.
pub(super) const UPDATE: &str = "settings.REPLIES_PER_UPDATE";
pub(super) const MICRO: &str = "settings.MICRO_REPLIES";
/// By what reward.py counts steps.
pub(super) const UPDATES: &str = "settings.UPDATES_A_STEP";

/// The shape of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    prompts: usize,
    group_size: usize,
    updates: usize,
    passes: usize,
}

impl Batch {
    /// # Errors
    /// [`ExportError::Unsupported`] for updates that are not of one size, and for groups of one.
    pub(super) fn of(grpo: &GrpoConfig) -> Result<Self, ExportError> {
        let (rl, group_size) = (&grpo.rl, grpo.group_size);
        let unsupported = |key, value: usize, what: String| {
            Err(ExportError::Unsupported { trainer: RELEASE, key, value: value.to_string(), what })
        };
        if !rl.prompts.is_multiple_of(rl.updates) {
            let what = format!(
                "all updates are of one size there, and train.prompts = {} is no multiple of it",
                rl.prompts
            );
            return unsupported("train.updates", rl.updates, what);
        }
        if group_size < 2 {
            return unsupported(
                "train.group_size",
                group_size,
                "a group has 2 replies or more there".to_owned(),
            );
        }
        Ok(Self { prompts: rl.prompts, group_size, updates: rl.updates, passes: rl.passes })
    }

    /// Updates of the weights in a step.
    pub(super) fn updates_a_step(&self) -> u64 {
        self.updates as u64 * self.passes as u64
    }

    pub(super) fn map(&self, map: &mut Mapping, grpo: &GrpoConfig, steps: u64) {
        let rl = &grpo.rl;
        let replies = self.prompts * self.group_size;
        for key in ["train.steps", "train.epochs"] {
            let decides = (key == "train.epochs") == rl.epochs.is_some();
            if decides {
                map.there(key, "max_steps", steps * self.updates_a_step());
                map.but(format!("{steps} steps, counted in updates of the weights"));
            } else {
                map.met(
                    key,
                    if rl.epochs.is_some() { "train.epochs decides" } else { "train.steps decides" },
                );
            }
        }
        map.there("train.prompts", "generation_batch_size", replies);
        map.but("counted in replies");
        map.there("train.group_size", "num_generations", self.group_size);
        map.there("train.updates", UPDATE, replies / self.updates);
        map.but("train.py divides it by the micro-batch and the processes: gradient_accumulation_steps");
        map.there("train.updates", UPDATES, self.updates_a_step());
        map.there("train.passes", "num_iterations", self.passes);
        let sampled = rl.pass_order == PassOrder::Sampled || self.passes == 1;
        map.lost_unless(sampled, "train.pass_order", "every pass has the same micro-batches");
        map.there("train.micro_tokens", MICRO, self.micro_replies(rl.micro_tokens, rl.max_prompt_tokens));
        map.but("counted in replies of the longest prompt's length, padded; at least one");
    }

    /// Replies of a forward and backward pass of so many tokens, padding included.
    fn micro_replies(&self, micro_tokens: usize, longest: usize) -> usize {
        (micro_tokens / longest.max(1)).clamp(1, self.prompts * self.group_size)
    }
}
