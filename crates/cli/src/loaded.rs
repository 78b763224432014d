//! A policy that a command was given: found, read, and told where its replies end.

use std::path::{Path, PathBuf};

use anyhow::bail;
use burn::tensor::Device;
use toolrl_chat::{Chat, TemplateVariables, TurnEnd};
use toolrl_policy::{Policy, PolicyPlace, Precision};

use crate::hub;

/// A policy with its tokenizer and template.
pub(crate) struct Loaded {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// Its replies end where [`TurnEnd`] says.
    pub(crate) policy: Policy,
    /// None where there is no tokenizer.
    pub(crate) chat: Option<Chat>,
}

impl Loaded {
    /// Finds and reads a policy; its template is given these variables.
    pub(crate) fn of(
        given: &Path,
        precision: Precision,
        device: &Device,
        variables: TemplateVariables,
    ) -> anyhow::Result<Self> {
        let place = hub::find(given)?;
        let policy = Policy::load(&place, precision, device)?;
        let base = place.base()?;
        let configured = policy.generation().stop_tokens.clone();
        if ![Some(&place.dir), base.as_ref()]
            .into_iter()
            .flatten()
            .any(|dir| dir.join("tokenizer.json").exists())
        {
            if configured.is_empty() {
                bail!(
                    "{} has no tokenizer.json, and no eos_token_id says where a reply ends",
                    place.dir.display()
                );
            }
            return Ok(Self { dir: place.dir, policy, chat: None });
        }
        let chat = words(&place, variables)?.with_embeddings(policy.config().vocab_size)?;
        let end = TurnEnd::of(&chat, &configured)?;
        Ok(Self { dir: place.dir, policy: policy.stopping_at(end.stops), chat: Some(chat) })
    }

    /// The tokenizer and the template, which what is asked for needs.
    pub(crate) fn chat(&self) -> anyhow::Result<&Chat> {
        match &self.chat {
            Some(chat) => Ok(chat),
            None => bail!(
                "{} is missing: messages and rewards need it",
                self.dir.join("tokenizer.json").display()
            ),
        }
    }
}

/// The tokenizer and the template of a policy, or those of the base model where adapters have none.
pub(crate) fn words(place: &PolicyPlace, variables: TemplateVariables) -> anyhow::Result<Chat> {
    Ok(Chat::load_on(&place.dir, place.base()?.as_deref())?.with_variables(variables)?)
}
