//! What a run trains on, as tokens, with the method that it trains by.

use toolrl_chat::Chat;
use toolrl_policy::Policy;

use crate::completions::{GroupCounts, Use, used_groups};
use crate::limit::OverlongCounts;
use crate::pair::{Pair, pairs};
use crate::sft::{Demonstration, best_replies, demonstrations};
use crate::task::{Data, Task, tasks};
use crate::{DataSource, DpoConfig, GrpoConfig, Method, PpoConfig, Recipe, Setting, SftConfig, TrainError};

/// A method with what it trains on.
pub(crate) enum Stage {
    Sft(SftConfig, Vec<Demonstration>),
    Dpo(DpoConfig, Vec<Pair>),
    /// With the number of steps that its epochs are.
    Grpo(GrpoConfig, Vec<Task>),
    /// As of GRPO.
    Ppo(PpoConfig, Vec<Task>),
}

/// What is trained on of the data, by numbers: in `run.json`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub overlong: OverlongCounts,
    /// Of a run on another's completions.
    pub groups: Option<GroupCounts>,
}

impl Stage {
    /// Renders and tokenises the recipe's training samples.
    ///
    /// # Errors
    /// [`TrainError`] of a sample that cannot be rendered or scored, or is refused as too long.
    pub(crate) fn of(
        recipe: &Recipe,
        data: &Data,
        (chat, setting): (&Chat, Setting<'_>),
        start: &Policy,
    ) -> Result<(Self, Counts), TrainError> {
        let with = (chat, setting.environment);
        let model = start.config();
        let context = model.max_positions;
        recipe.data.check(&recipe.train)?;
        let mut groups = None;
        let used = |config| {
            let of_replies = (&recipe.sampling, model.vocab_size);
            used_groups(config, Use::of(&recipe.train), &data.train, with, of_replies)
        };
        let (stage, overlong) = match (&recipe.train, &recipe.data) {
            (Method::Sft(config), DataSource::Completions(completions)) => {
                let (used, counts) = used(completions)?;
                groups = Some(counts);
                let (best, overlong) = best_replies(config, used, context)?;
                (Self::Sft(config.clone(), best), overlong)
            }
            (Method::Dpo(config), DataSource::Completions(completions)) => {
                let (used, counts) = used(completions)?;
                groups = Some(counts);
                let (pairs, overlong) = pairs(&config.offline, used, context)?;
                (Self::Dpo(config.clone(), pairs), overlong)
            }
            (Method::Sft(config), _) => {
                let words = (&start.generation().stop_tokens[..], context);
                let (demonstrations, overlong) = demonstrations(config, data, with, words)?;
                (Self::Sft(config.clone(), demonstrations), overlong)
            }
            (Method::Grpo(config), _) => {
                let (tasks, overlong) = tasks(data, with, config.rl.prompt_limit(context))?;
                let rl = config.rl.with_steps_of(tasks.len());
                (Self::Grpo(GrpoConfig { rl, ..config.clone() }, tasks), overlong)
            }
            (Method::Ppo(config), _) => {
                let (tasks, overlong) = tasks(data, with, config.rl.prompt_limit(context))?;
                let rl = config.rl.with_steps_of(tasks.len());
                (Self::Ppo(PpoConfig { rl, ..config.clone() }, tasks), overlong)
            }
            (Method::Dpo(_), _) => return Err(DataSource::not_sampled()),
        };
        Ok((stage, Counts { overlong, groups }))
    }

    /// A checksum of the tokens of every prompt, of SFT and DPO with their replies: CRC-32C.
    pub(crate) fn checksum(&self) -> u32 {
        let add = |crc, tokens: &[u32]| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|id| id.to_le_bytes()).collect();
            crc32c::crc32c_append(crc32c::crc32c_append(crc, &(tokens.len() as u64).to_le_bytes()), &bytes)
        };
        match self {
            Self::Sft(_, demonstrations) => demonstrations.iter().fold(0, |crc, d| add(crc, &d.tokens)),
            Self::Dpo(_, pairs) => pairs.iter().fold(0, |crc, pair| {
                let replies = [&pair.prompt, &pair.chosen.tokens, &pair.rejected.tokens];
                replies.into_iter().fold(crc, |crc, tokens| add(crc, tokens))
            }),
            Self::Grpo(_, tasks) | Self::Ppo(_, tasks) => {
                tasks.iter().fold(0, |crc, task| add(crc, &task.prompt.tokens))
            }
        }
    }
}
