//! What a run trains on, as tokens, with the method that it trains by.

use toolrl_chat::Chat;
use toolrl_policy::Policy;

use crate::limit::OverlongCounts;
use crate::sft::{Demonstration, demonstrations};
use crate::task::{Data, Task, tasks};
use crate::{GrpoConfig, Method, PpoConfig, Recipe, Setting, SftConfig, TrainError};

/// A method with what it trains on.
pub(crate) enum Stage {
    Sft(SftConfig, Vec<Demonstration>),
    /// With the number of steps that its epochs are.
    Grpo(GrpoConfig, Vec<Task>),
    /// As of GRPO.
    Ppo(PpoConfig, Vec<Task>),
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
    ) -> Result<(Self, OverlongCounts), TrainError> {
        let with = (chat, setting.environment);
        let context = start.config().max_positions;
        Ok(match &recipe.train {
            Method::Sft(config) => {
                let (demonstrations, counts) = demonstrations(config, data, with, start)?;
                (Self::Sft(config.clone(), demonstrations), counts)
            }
            Method::Grpo(config) => {
                let (tasks, counts) = tasks(data, with, config.rl.prompt_limit(context))?;
                let rl = config.rl.with_steps_of(tasks.len());
                (Self::Grpo(GrpoConfig { rl, ..config.clone() }, tasks), counts)
            }
            Method::Ppo(config) => {
                let (tasks, counts) = tasks(data, with, config.rl.prompt_limit(context))?;
                let rl = config.rl.with_steps_of(tasks.len());
                (Self::Ppo(PpoConfig { rl, ..config.clone() }, tasks), counts)
            }
        })
    }

    /// A checksum of the tokens of every prompt, of SFT with their replies: CRC-32C.
    pub(crate) fn checksum(&self) -> u32 {
        let add = |crc, tokens: &[u32]| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|id| id.to_le_bytes()).collect();
            crc32c::crc32c_append(crc32c::crc32c_append(crc, &(tokens.len() as u64).to_le_bytes()), &bytes)
        };
        match self {
            Self::Sft(_, demonstrations) => demonstrations.iter().fold(0, |crc, d| add(crc, &d.tokens)),
            Self::Grpo(_, tasks) | Self::Ppo(_, tasks) => {
                tasks.iter().fold(0, |crc, task| add(crc, &task.prompt.tokens))
            }
        }
    }
}
