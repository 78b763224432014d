//! Servers of vLLM or SGLang as the sampler of a run: each version of its policy is written where they read it, and
//! published once.

mod probe;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use toolrl_chat::Chat;
use toolrl_engine::Engine;
use toolrl_policy::{LoraConfig, Policy};
use toolrl_rollout::{RolloutError, Sampler, SamplerSource};
use toolrl_servers::{ServedSampler, Servers, Sync};

use crate::{Recipe, ServedWeights, TrainError};

/// Servers that hold the weights of a run's policy.
pub(crate) struct ServedPolicy {
    servers: Arc<Servers>,
    settings: ServedWeights,
    /// The adapters that a policy without any is given, which change nothing: what the run begins with.
    fresh_adapters: Option<(LoraConfig, u64)>,
    /// Turns decoded together where this process samples.
    slots: usize,
    /// Where weights are written; none before there is a run.
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

/// What was published.
#[derive(Default)]
struct State {
    /// The versions that servers have, oldest first, each with its folder.
    kept: Vec<(u64, PathBuf)>,
    /// Since the figures were last asked for.
    published: Figures,
}

/// What publications took.
#[derive(Clone, Copy, Default)]
struct Figures {
    seconds: f64,
    gap: Option<f64>,
}

impl ServedPolicy {
    /// The servers of a recipe. Nothing is sent yet.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for an address that is none.
    pub(crate) fn of(recipe: &Recipe, settings: &ServedWeights) -> Result<Self, TrainError> {
        let wrong = |error: toolrl_servers::ServersError| TrainError::Recipe(format!("sampler: {error}"));
        let servers = Arc::new(Servers::new(settings.servers.clone()).map_err(wrong)?);
        let fresh_adapters = recipe.train.lora().map(|lora| (lora.clone(), recipe.seed));
        let (settings, slots) = (settings.clone(), recipe.slots);
        Ok(Self { servers, settings, fresh_adapters, slots, folder: None, state: Mutex::default() })
    }

    /// Has the servers hold these weights, unless they do.
    fn publish(&self, policy: &Policy, chat: &Chat, version: u64, folder: &Path) -> Result<(), RolloutError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A whole model takes the place of the one before; adapters stay beside each other.
        let reach = if self.settings.servers.sync == Sync::Disk { 1 } else { self.settings.servers.keep };
        if state.kept.iter().rev().take(reach).any(|(kept, _)| *kept == version) {
            return Ok(());
        }
        let failed =
            |error: Box<dyn std::error::Error + Send + std::marker::Sync>| RolloutError::Sampler(error);
        let dir = folder.join(format!("v{version}"));
        let probe = probe::probe(policy, chat)?;
        self.write(policy, chat, &dir).map_err(|error| failed(error.into()))?;
        let report = self.servers.publish(version, &dir, &probe).map_err(|error| {
            remove(&dir);
            failed(error.into())
        })?;
        for url in &report.left_out {
            tracing::warn!(
                "{url} did not take version {version} of the weights, and is left out until it does"
            );
        }
        let gaps = report.servers.iter().map(|server| server.gap);
        let gap = gaps.fold(state.published.gap.unwrap_or_default(), f64::max);
        let seconds = state.published.seconds + report.seconds;
        state.published = Figures { seconds, gap: Some(gap) };
        state.kept.retain(|(kept, _)| *kept != version);
        state.kept.push((version, dir));
        let keep = self.settings.servers.keep.max(1);
        let old = state.kept.len().saturating_sub(keep);
        state.kept.drain(..old).for_each(|(_, dir)| remove(&dir));
        Ok(())
    }

    /// Writes what the servers are to read: the adapters in PEFT's form, or the whole model.
    fn write(&self, policy: &Policy, chat: &Chat, dir: &Path) -> Result<(), TrainError> {
        match self.settings.servers.sync {
            Sync::Lora => {
                let with_adapters = match (policy.lora(), &self.fresh_adapters) {
                    (Some(_), _) => policy.clone(),
                    (None, Some((lora, seed))) => policy.clone().with_lora(lora, *seed)?,
                    (None, None) => return Err(no_adapters()),
                };
                with_adapters.save(dir, |_| Ok::<(), std::io::Error>(()))?;
            }
            Sync::Disk => {
                let whole = if policy.has_adapters() { policy.merged() } else { policy.clone() };
                let whole = if self.settings.untie_head { whole.untied() } else { whole };
                whole.save(dir, |to| chat.save_files(to))?;
            }
        }
        Ok(())
    }

    fn sampler<'a>(&'a self, policy: &Policy, chat: &'a Chat, version: u64) -> ServedSampler<'a> {
        let sampler = self.servers.sampler(chat, version);
        let (stops, context) = (&policy.generation().stop_tokens, policy.config().max_positions);
        sampler.with_stop_tokens(stops).with_context(context)
    }
}

/// Why adapters cannot be sent.
pub(crate) fn no_adapters() -> TrainError {
    TrainError::Recipe(
        "sampler.sync = \"lora\" sends adapters, and the policy has none: set train.lora, or sync = \"disk\""
            .to_owned(),
    )
}

impl SamplerSource<Policy> for ServedPolicy {
    fn at<'a>(
        &'a self,
        policy: &'a Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError> {
        match self.ahead(policy, chat, version)? {
            Some(sampler) => Ok(sampler),
            // Where there is no run, as of an evaluation by itself, the weights are here and nowhere else.
            None => Ok(Box::new(Engine::new(policy, self.slots).with_version(version).with_chat(chat))),
        }
    }

    fn ahead<'a>(
        &'a self,
        policy: &Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Option<Box<dyn Sampler + Send + 'a>>, RolloutError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        self.publish(policy, chat, version, folder)?;
        Ok(Some(Box::new(self.sampler(policy, chat, version))))
    }

    fn of_run(&self, run_dir: &Path) -> Option<Arc<dyn SamplerSource<Policy> + Send>> {
        let folder = self.settings.weights_dir.clone().unwrap_or_else(|| run_dir.join("weights"));
        Some(Arc::new(Self {
            servers: self.servers.clone(),
            settings: self.settings.clone(),
            fresh_adapters: self.fresh_adapters.clone(),
            slots: self.slots,
            folder: Some(folder),
            state: Mutex::default(),
        }))
    }

    fn context(&self) -> Option<usize> {
        self.servers.context()
    }

    fn figures(&self) -> Vec<(&'static str, f64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Figures { seconds, gap } = std::mem::take(&mut state.published);
        let counts = self.servers.counts();
        let figures = [
            ("publish_seconds", seconds),
            ("requests", counts.requests as f64),
            ("retries", counts.retries as f64),
            ("left_out", counts.left_out as f64),
            ("idle_seconds", counts.idle_seconds),
        ];
        figures.into_iter().chain(gap.map(|gap| ("probe_gap", gap))).collect()
    }
}

impl Drop for ServedPolicy {
    /// What the servers hold they have read.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.kept.drain(..).for_each(|(_, dir)| remove(&dir));
        // It goes where it is empty, and another's files stay.
        self.folder.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}

/// Removes a version's folder. One that stays takes room and does no other harm.
fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        tracing::warn!("{}: {error}", dir.display());
    }
}

#[cfg(test)]
mod tests;
