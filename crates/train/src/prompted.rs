//! What a recipe trains on, as text and tokens, for those who train elsewhere: made without the policy's weights.

use std::sync::Arc;

use toolrl_chat::{Chat, TurnEnd};
use toolrl_data::Sample;
use toolrl_policy::{Generation, ModelConfig, PolicyPlace};
use toolrl_rollout::{Environment, Prompt};

use crate::sft::{demonstration, demonstrations};
use crate::task::{Data, tasks};
use crate::{DataSource, Method, Recipe, TrainError, load_data, worded};

/// The tasks of a run of GRPO or PPO.
#[derive(Clone, Debug)]
pub struct Prompted {
    /// The recipe with every choice made: its dialect has a name, its paths are absolute.
    pub recipe: Recipe,
    /// The policy's words, as the recipe has them.
    pub chat: Chat,
    /// The tokens with which a reply ends.
    pub stops: Vec<u32>,
    /// Steps of the run.
    pub steps: u64,
    /// What it trains on.
    pub train: Vec<PromptedTask>,
    /// What it evaluates on.
    pub held_out: Vec<PromptedTask>,
}

/// A task with its prompt.
#[derive(Clone, Debug)]
pub struct PromptedTask {
    /// What its source is called, where the recipe has several.
    pub source: String,
    /// The task, its gold reply in the recipe's dialect.
    pub sample: Sample,
    /// What the policy reads.
    pub prompt: Arc<Prompt>,
}

/// The demonstrations of a run of SFT.
#[derive(Clone, Debug)]
pub struct Demonstrated {
    /// As of [`Prompted`].
    pub recipe: Recipe,
    /// The policy's words, as the recipe has them.
    pub chat: Chat,
    /// The tokens with which a reply ends.
    pub stops: Vec<u32>,
    /// Steps of the run.
    pub steps: u64,
    /// What it trains on.
    pub train: Vec<Shown>,
    /// What it evaluates on, with the gold replies.
    pub held_out: Vec<Shown>,
}

/// A prompt with a gold reply, and the token that ends it, as token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// All of them.
    pub tokens: Vec<u32>,
    /// How many of them, at the beginning, are the prompt's.
    pub prompt: usize,
}

/// What both are made of.
struct Read {
    recipe: Recipe,
    /// In the recipe's dialect.
    data: Data,
    chat: Chat,
    stops: Vec<u32>,
    /// Tokens of the policy's context.
    context: usize,
}

impl Read {
    fn of(recipe: &Recipe, place: &PolicyPlace) -> Result<Self, TrainError> {
        let mut recipe = recipe.resolved()?;
        let data = load_data(&recipe.data, recipe.seed)?;
        let base = place.base()?;
        let model = base.as_ref().unwrap_or(&place.dir);
        let config = ModelConfig::load(model)?;
        let generation = Generation::load(model, &config)?;
        let chat = Chat::load_on(&place.dir, base.as_deref())?;
        let chat = chat.with_variables(recipe.template.clone())?;
        let chat = worded(&recipe, data.train.iter().chain(&data.held_out), chat)?;
        let chat = chat.with_embeddings(config.vocab_size)?;
        let stops = TurnEnd::of(&chat, &generation.stop_tokens)?.stops;
        let data = data.in_dialect(chat.dialect())?;
        recipe.dialect = chat.dialect().name().to_owned();
        Ok(Self { recipe, data, chat, stops, context: config.max_positions })
    }
}

impl Prompted {
    /// Reads a recipe's data and renders its prompts, as a run from the policy of this directory does.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a method that samples nothing, and whatever a run would be refused for before its first step.
    pub fn of(
        recipe: &Recipe,
        place: &PolicyPlace,
        environment: &dyn Environment,
    ) -> Result<Self, TrainError> {
        let rl = match &recipe.train {
            Method::Grpo(grpo) => &grpo.rl,
            Method::Ppo(ppo) => &ppo.rl,
            _ => return Err(TrainError::Recipe("train.method samples nothing".to_owned())),
        };
        let Read { recipe, data, chat, stops, context } = Read::of(recipe, place)?;
        let (tasks, _) = tasks(&data, (&chat, environment), rl.prompt_limit(context))?;
        let steps = rl.with_steps_of(tasks.len()).steps;
        let name = |source: usize| data.sources.get(source).map(|of| of.name.clone()).unwrap_or_default();
        let train = tasks.into_iter().map(|task| PromptedTask {
            source: name(task.source),
            sample: task.sample,
            prompt: task.prompt,
        });
        let train = train.collect();
        let cut_to = recipe.train.cut_prompts_to(context);
        let held_out = data.held_out.into_iter().enumerate().map(|(at, sample)| {
            let prompt = Prompt::of_sample(&chat, environment, &sample, at)?;
            let prompt = match cut_to {
                Some(tokens) => prompt.keep_last(&chat, tokens)?,
                None => prompt,
            };
            let source = source_of(&recipe, &sample);
            Ok(PromptedTask { source, sample, prompt: Arc::new(prompt) })
        });
        let held_out = held_out.collect::<Result<_, TrainError>>()?;
        Ok(Self { recipe, chat, stops, steps, train, held_out })
    }
}

/// The name of the source that a sample of a mix has before its id.
fn source_of(recipe: &Recipe, sample: &Sample) -> String {
    let of_mix = !recipe.data.mix().is_empty();
    let name = sample.id.split_once('/').map(|(name, _)| name).filter(|_| of_mix);
    name.unwrap_or_default().to_owned()
}

impl Demonstrated {
    /// Reads a recipe's data and tokenises its demonstrations, as a run from the policy of this directory does.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for another method, and for data that a run sampled; whatever a run would be refused for before
    /// its first step.
    pub fn of(
        recipe: &Recipe,
        place: &PolicyPlace,
        environment: &dyn Environment,
    ) -> Result<Self, TrainError> {
        let config = match (&recipe.train, &recipe.data) {
            (Method::Sft(_), DataSource::Completions(_)) => {
                let what = "data.completions: the replies that a run sampled are learned from here alone";
                return Err(TrainError::Recipe(what.to_owned()));
            }
            (Method::Sft(config), _) => config,
            _ => return Err(TrainError::Recipe("train.method has no demonstrations".to_owned())),
        };
        let Read { recipe, data, chat, stops, context } = Read::of(recipe, place)?;
        let with = (&chat, environment);
        // The first of the tokens that end a reply is the one that is taught.
        let (train, _) = demonstrations(config, &data, with, (&stops, context))?;
        let steps = config.offline.steps_of(train.len());
        let train = train.into_iter().map(|of| Shown { tokens: of.tokens, prompt: of.prompt }).collect();
        let taught = stops.first().copied().unwrap_or_default();
        let shown = |sample: &Sample| {
            let of = demonstration((0, sample), with, taught)?;
            Ok(Shown { tokens: of.tokens, prompt: of.prompt })
        };
        let held_out = data.held_out.iter().map(shown).collect::<Result<_, TrainError>>()?;
        Ok(Self { recipe, chat, stops, steps, train, held_out })
    }
}
