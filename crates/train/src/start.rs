//! The policy that a run begins with: a model directory, or fresh weights with a tokenizer of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use toolrl_chat::{Chat, TurnEnd, train_bpe};
use toolrl_policy::{Generation, ModelConfig, Policy, PolicyPlace};

use crate::task::Data;
use crate::{AdaptersOn, FreshPolicy, PolicySource, Recipe, StartAdapters, TrainError, worded};

/// A policy with its tokenizer and its directory.
pub(crate) struct Start {
    pub dir: PathBuf,
    /// The base model of adapters.
    pub base: Option<PathBuf>,
    pub policy: Policy,
    pub chat: Arc<Chat>,
}

impl Start {
    /// Loads or makes the recipe's policy. A fresh one is saved in the run directory first, and so are weights with merged
    /// adapters that get new ones: these name the model that they belong to.
    pub(crate) fn of(
        recipe: &Recipe,
        data: &Data,
        run_dir: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        match &recipe.policy {
            None => {
                Err(TrainError::Recipe("no policy: set [policy] dir, or name one by --policy".to_owned()))
            }
            Some(PolicySource::Dir(dir)) => Self::load(dir.into(), (recipe, run_dir), data, device),
            Some(PolicySource::Adapters(AdaptersOn { dir, base })) => {
                let place = PolicyPlace { dir: dir.clone(), base: Some(base.clone()) };
                Self::load(place, (recipe, run_dir), data, device)
            }
            Some(PolicySource::Fresh(fresh)) => {
                let dir = start_dir(run_dir);
                make(fresh, recipe.seed, data, &dir, device)?;
                Self::load((&dir).into(), (recipe, run_dir), data, device)
            }
        }
    }

    fn load(
        place: PolicyPlace,
        (recipe, run_dir): (&Recipe, &Path),
        data: &Data,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut policy = Policy::load(&place, recipe.precision, device)?;
        let base = place.base()?;
        let chat = Chat::load_on(&place.dir, base.as_deref())?;
        if recipe.train.start_adapters() == StartAdapters::Merge && policy.has_adapters() {
            policy = policy.merged();
            if recipe.train.lora().is_some() {
                let dir = start_dir(run_dir);
                policy.save(&dir, |to| chat.save_files(to))?;
                policy = Policy::load(&dir, recipe.precision, device)?;
            }
        }
        let chat = chat.with_variables(recipe.template.clone())?;
        let chat = worded(recipe, data.train.iter().chain(&data.held_out), chat)?;
        let chat = Arc::new(chat.with_embeddings(policy.config().vocab_size)?);
        let end = TurnEnd::of(&chat, &policy.generation().stop_tokens)?;
        Ok(Self { dir: place.dir, base, policy: policy.stopping_at(end.stops), chat })
    }
}

impl Start {
    /// What the run trains: the start, with the adapters that it is trained by.
    ///
    /// # Errors
    /// [`TrainError::Adapters`] where the start has others than the recipe asks for.
    pub(crate) fn trained(&self, recipe: &Recipe) -> Result<Policy, TrainError> {
        let start = self.policy.clone();
        match (recipe.train.lora(), start.lora()) {
            (None, _) => Ok(start),
            (Some(lora), Some(has)) if (has.rank, has.alpha) == (lora.rank, lora.alpha) => Ok(start),
            (Some(lora), Some(has)) => Err(TrainError::Adapters {
                dir: self.dir.clone(),
                has: (has.rank, has.alpha),
                asked: (lora.rank, lora.alpha),
            }),
            (Some(lora), None) => Ok(start.with_lora(lora, recipe.seed)?),
        }
    }
}

/// Where a policy is that a run makes before it trains it.
fn start_dir(run_dir: &Path) -> PathBuf {
    run_dir.join("start")
}

/// Trains a tokenizer on the run's training texts and saves a policy with fresh weights.
fn make(fresh: &FreshPolicy, seed: u64, data: &Data, dir: &Path, device: &Device) -> Result<(), TrainError> {
    if let Some(fault) = fresh.fault() {
        return Err(TrainError::Recipe(format!("policy.fresh: {fault}")));
    }
    let texts =
        data.train.iter().flat_map(|s| s.messages.iter().map(|m| m.content.as_str()).chain([s.gold.text()]));
    let texts: Vec<String> = texts.map(str::to_owned).collect();
    train_bpe(texts.into_iter(), fresh.vocab_size, &[])?.save(dir)?;
    let chat = Chat::load(dir)?;
    let stop = TurnEnd::of(&chat, &[])?.taught;
    let config =
        ModelConfig::tiny(chat.vocab_size(), fresh.hidden_size, fresh.layers, fresh.attention(), stop);
    let policy = Policy::fresh(config, Generation::stopping_at(vec![stop]), seed, device);
    policy.save(dir, |to| chat.save_files(to))?;
    Ok(())
}
