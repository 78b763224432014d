//! What a recipe names and a program may bring: reward terms, samplers, environments.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_engine::Engine;
use toolrl_policy::Policy;
use toolrl_rollout::{Environment, GoldReply, RolloutError, Sampler, SamplerSource};

use crate::served::ServedPolicy;
use crate::{Recipe, Rubrics, TrainError};

/// A source of samplers that can be shared.
pub type SharedSampler = Arc<dyn SamplerSource<Policy> + Send>;

/// What recipes can name. The built-in parts are always there: the reward terms of [`toolrl_reward::Registry`], those of
/// other programs ([`toolrl_scorers::register`]), the samplers `local`, `vllm` and `sglang`, and the environment `gold`.
#[derive(Clone)]
pub struct Registry {
    /// Reward terms.
    pub rewards: Arc<toolrl_reward::Registry>,
    samplers: BTreeMap<String, SharedSampler>,
    environments: BTreeMap<String, Arc<dyn Environment>>,
}

impl From<toolrl_reward::Registry> for Registry {
    fn from(mut rewards: toolrl_reward::Registry) -> Self {
        toolrl_scorers::register(&mut rewards);
        Self { rewards: Arc::new(rewards), samplers: BTreeMap::new(), environments: BTreeMap::new() }
    }
}

impl Default for Registry {
    fn default() -> Self {
        toolrl_reward::Registry::builtin().into()
    }
}

impl Registry {
    /// The name of the sampler in this process.
    pub const LOCAL: &'static str = "local";
    /// The names of the samplers that are always there; of the others than [`Registry::LOCAL`] docs/servers.md tells.
    const BUILT_IN: &'static [&'static str] = &[Self::LOCAL, "vllm", "sglang"];
    /// The name of the environment in which a reply is only compared with the gold one.
    pub const GOLD: &'static str = "gold";

    /// The registry with a source of samplers, for `[sampler] kind = "NAME"`.
    #[must_use]
    pub fn with_sampler(
        mut self,
        name: impl Into<String>,
        source: impl SamplerSource<Policy> + Send + 'static,
    ) -> Self {
        self.samplers.insert(name.into(), Arc::new(source));
        self
    }

    /// The registry with an environment, for `[environment] kind = "NAME"`.
    #[must_use]
    pub fn with_environment(
        mut self,
        name: impl Into<String>,
        environment: impl Environment + 'static,
    ) -> Self {
        self.environments.insert(name.into(), Arc::new(environment));
        self
    }
}

/// What a recipe's names stand for.
#[derive(Clone)]
pub struct Parts {
    /// The rubrics of its rewards.
    pub rubrics: Arc<Rubrics>,
    /// Where its samplers come from.
    pub sampler: SharedSampler,
    /// Where its episodes take place.
    pub environment: Arc<dyn Environment>,
}

impl Recipe {
    /// Looks up everything that the recipe names.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a reward term, a sampler or an environment that is not registered; it names those that
    /// are.
    pub fn parts(&self, registry: &Registry) -> Result<Parts, TrainError> {
        let (sampler, environment) = (&self.sampler.kind, &self.environment.kind);
        Ok(Parts {
            rubrics: Arc::new(self.rubrics(&registry.rewards)?),
            sampler: match (sampler.as_str(), &self.sampler.servers) {
                (Registry::LOCAL, _) => Arc::new(LocalSampler { slots: self.slots }),
                (_, Some(servers)) => Arc::new(ServedPolicy::of(self, servers)?),
                (name, None) => named("sampler", name, Registry::BUILT_IN, &registry.samplers)?,
            },
            environment: match environment.as_str() {
                Registry::GOLD => Arc::new(GoldReply),
                name => named("environment", name, &[Registry::GOLD], &registry.environments)?,
            },
        })
    }
}

impl Parts {
    /// The same in a run with this directory.
    pub(crate) fn of_run(&self, run_dir: &Path) -> Self {
        let sampler = self.sampler.of_run(run_dir).unwrap_or_else(|| self.sampler.clone());
        Self { sampler, ..self.clone() }
    }

    /// Where this recipe's episodes take place.
    pub(crate) fn setting(&self, recipe: &Recipe) -> Setting<'_> {
        Setting { environment: &*self.environment, max_turns: recipe.environment.max_turns }
    }
}

/// A part by its name.
fn named<T: Clone>(
    what: &str,
    name: &str,
    built_in: &[&str],
    known: &BTreeMap<String, T>,
) -> Result<T, TrainError> {
    known.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = built_in.iter().copied().chain(known.keys().map(String::as_str)).collect();
        TrainError::Recipe(format!("{what}.kind: no {what} {name:?}: expected {}", known.join(", ")))
    })
}

/// The engine of this process, over the weights that are trained.
#[derive(Clone, Copy, Debug)]
pub struct LocalSampler {
    /// Turns decoded together, at most.
    pub slots: usize,
}

impl SamplerSource<Policy> for LocalSampler {
    fn at<'a>(
        &'a self,
        policy: &'a Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError> {
        Ok(Box::new(Engine::new(policy, self.slots).with_version(version).with_chat(chat)))
    }
}

/// Where a policy's episodes take place, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub environment: &'a dyn Environment,
    pub max_turns: usize,
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
