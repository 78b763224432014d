//! The steps of a run, with their checkpoints.

use std::sync::Arc;

use burn::tensor::Device;
use toolrl_chat::Chat;
use toolrl_policy::{Activations, Policy};
use toolrl_record::StepMetrics;

use super::Job;
use super::evaluations::Evaluations;
use super::records::Records;
use crate::checkpoint::{Checkpoints, State};
use crate::critic::CriticLearner;
use crate::curriculum::Curriculum;
use crate::grpo::Grpo;
use crate::guard::Guard;
use crate::learner::Learner;
use crate::ppo::Ppo;
use crate::rl::{Divergence, Rl};
use crate::score::Judge;
use crate::sft::Sft;
use crate::stage::Stage;
use crate::task::Task;
use crate::{
    Changes, GrpoConfig, Observer, OptimizerConfig, Parts, PpoConfig, RlConfig, Setting, TrainError,
};

/// A run in training.
pub(super) struct Trainer<'a, 'j> {
    pub job: &'a Job<'j>,
    pub chat: Arc<Chat>,
    pub records: &'a mut Records,
    pub evaluations: &'a Evaluations<'a>,
    pub observer: &'a mut dyn Observer,
}

/// What of a run's state stands beside the policy in training.
#[derive(Clone, Copy, Default)]
struct Beside<'b> {
    critic: Option<&'b CriticLearner>,
    divergence: Option<&'b Divergence>,
    tasks: Option<(&'b Curriculum, &'b [Task])>,
}

/// The trainer's state in a checkpoint.
const TRAINER: &str = "trainer";
const STATE: &str = "trainer/state.safetensors";
const CRITIC_STATE: &str = "trainer/critic/state.safetensors";
/// What became of the tasks, where their order has a history.
const TASKS: &str = "trainer/tasks.json";

impl Trainer<'_, '_> {
    /// Trains what the run begins with, or goes on with what its checkpoint has.
    pub(super) async fn train(
        mut self,
        stage: Stage,
        (start, trained): (Policy, Policy),
        device: &Device,
    ) -> Result<(Policy, u64), TrainError> {
        let recipe = self.job.recipe;
        let checkpoint = self.job.resume.and_then(|resume| resume.checkpoint.clone());
        let policy = match &checkpoint {
            // The weights, or the adapters with their base; the state then puts the exact values into them.
            Some(dir) => {
                let policy = Policy::load(dir, recipe.precision, device)?;
                policy.stopping_at(start.generation().stop_tokens.clone())
            }
            None => trained.clone(),
        };
        match stage {
            Stage::Sft(config, demonstrations) => {
                drop((start, trained));
                let demonstrations = (demonstrations, &self.evaluations.data.sources[..]);
                let sft = Sft::new(&config, recipe.seed, demonstrations, self.first() - 1)?;
                self.sft(sft, policy).await
            }
            Stage::Grpo(config, tasks) => {
                let divergence = self.divergence(&config.rl, start, trained)?;
                self.grpo((&config, &tasks), divergence, policy).await
            }
            Stage::Ppo(config, tasks) => {
                let divergence = self.divergence(&config.rl, start, trained)?;
                self.ppo((&config, &tasks), divergence, policy).await
            }
        }
    }

    async fn sft(&mut self, mut sft: Sft<'_>, policy: Policy) -> Result<(Policy, u64), TrainError> {
        let config = sft.config;
        let mut learner = self.learner(policy, &config.optimizer, config.activations, 1.0)?;
        self.begin("sft", sft.steps, &learner).await?;
        for step in self.first()..=sft.steps {
            let metrics = sft.step(&mut learner, step)?;
            self.record(&metrics, &learner, Beside::default(), ("sft", sft.steps)).await?;
        }
        self.observer.end();
        Ok((learner.into_policy(), sft.steps))
    }

    async fn grpo(
        &mut self,
        (config, tasks): (&GrpoConfig, &[Task]),
        divergence: Divergence,
        policy: Policy,
    ) -> Result<(Policy, u64), TrainError> {
        let (chat, steps) = (self.chat.clone(), config.rl.steps);
        let rl = self.rl(&config.rl, config.group_size, tasks, divergence);
        let mut grpo = Grpo { rl, config };
        let mut learner = self.rl_learner(policy, &config.rl)?;
        let mut curriculum = self.curriculum(&config.rl, tasks)?;
        self.begin("grpo", steps, &learner).await?;
        for step in self.first()..=steps {
            let (metrics, credited) = grpo.step(&mut learner, &mut curriculum, step).await?;
            grpo.rl.end_step(&metrics, &learner);
            self.records.completions(step, &credited, (tasks, &chat))?;
            let tasks = Some((&curriculum, tasks));
            let beside = Beside { critic: None, divergence: Some(&grpo.rl.divergence), tasks };
            self.record(&metrics, &learner, beside, ("grpo", steps)).await?;
        }
        self.observer.end();
        Ok((learner.into_policy(), steps))
    }

    async fn ppo(
        &mut self,
        (config, tasks): (&PpoConfig, &[Task]),
        divergence: Divergence,
        policy: Policy,
    ) -> Result<(Policy, u64), TrainError> {
        let (chat, steps) = (self.chat.clone(), config.rl.steps);
        let rl = self.rl(&config.rl, config.group_size, tasks, divergence);
        let mut ppo = Ppo { rl, config };
        let guard = Guard::of_critic(config.rl.guards, self.job.run_dir);
        let mut critic = CriticLearner::of(&policy, &config.critic, config.rl.activations, guard);
        if let Some(dir) = self.job.resume.and_then(|resume| resume.checkpoint.as_ref()) {
            critic.restore(State::read(&dir.join(CRITIC_STATE))?)?;
        }
        let mut learner = self.rl_learner(policy, &config.rl)?;
        let mut curriculum = self.curriculum(&config.rl, tasks)?;
        self.begin("ppo", steps, &learner).await?;
        for step in self.first()..=steps {
            let (metrics, credited) = ppo.step(&mut learner, &mut critic, &mut curriculum, step).await?;
            ppo.rl.end_step(&metrics, &learner);
            self.records.completions(step, &credited, (tasks, &chat))?;
            let tasks = Some((&curriculum, tasks));
            let beside = Beside { critic: Some(&critic), divergence: Some(&ppo.rl.divergence), tasks };
            self.record(&metrics, &learner, beside, ("ppo", steps)).await?;
        }
        self.observer.end();
        critic.critic().save(&self.job.run_dir.join("critic"), |to| self.chat.save_files(to))?;
        Ok((learner.into_policy(), steps))
    }

    /// The number of the first step to do.
    fn first(&self) -> u64 {
        self.job.resume.map_or(0, |resume| resume.step) + 1
    }

    /// What the run's policy is held to, as it was at the checkpoint.
    fn divergence(
        &self,
        config: &RlConfig,
        start: Policy,
        trained: Policy,
    ) -> Result<Divergence, TrainError> {
        let mut divergence = Divergence::of(config, start, trained);
        if let Some(dir) = self.job.resume.and_then(|resume| resume.checkpoint.as_ref()) {
            divergence.restore(&dir.join(TRAINER))?;
        }
        Ok(divergence)
    }

    fn rl<'r>(
        &self,
        config: &'r RlConfig,
        group_size: usize,
        tasks: &'r [Task],
        divergence: Divergence,
    ) -> Rl<'r>
    where
        Self: 'r,
    {
        let Parts { rubrics, sampler, .. } = self.job.parts;
        let (recipe, rubric, chat) = (self.job.recipe, &rubrics.training, self.chat.clone());
        let (sampler, setting) = (&**sampler, self.setting());
        let chooses = recipe.train.reads_outcomes();
        let judge = chooses.then(|| Judge { success: config.success, dialect: chat.dialect() });
        Rl { recipe, config, group_size, tasks, chat, rubric, sampler, setting, divergence, judge }
    }

    /// What the steps take their tasks from, as it was after the last one.
    fn curriculum(&self, config: &RlConfig, tasks: &[Task]) -> Result<Curriculum, TrainError> {
        let sources = &self.evaluations.data.sources;
        let mut curriculum = Curriculum::new(self.job.recipe.seed, config, sources, tasks)?;
        if let Some((resume, dir)) =
            self.job.resume.and_then(|resume| Some((resume, resume.checkpoint.as_ref()?)))
        {
            let path = dir.join(TASKS);
            // A run whose settings were changed may have had no use for a history until now.
            if resume.changes == Changes::Refuse || path.exists() {
                curriculum.restore(&path, tasks)?;
            }
        }
        Ok(curriculum)
    }

    fn setting<'r>(&self) -> Setting<'r>
    where
        Self: 'r,
    {
        self.job.parts.setting(self.job.recipe)
    }

    fn rl_learner(&self, policy: Policy, config: &RlConfig) -> Result<Learner, TrainError> {
        let temperature = self.job.recipe.sampling.temperature;
        self.learner(policy, &config.optimizer, config.activations, temperature)
    }

    fn learner(
        &self,
        policy: Policy,
        optimizer: &OptimizerConfig,
        activations: Activations,
        temperature: f32,
    ) -> Result<Learner, TrainError> {
        let guard = Guard::new(self.job.recipe.train.guards(), self.job.run_dir);
        let learner = Learner::new(policy, optimizer.clone(), activations, temperature, guard);
        let mut learner = learner.seeded(self.job.recipe.seed);
        if let Some(dir) = self.job.resume.and_then(|resume| resume.checkpoint.as_ref()) {
            learner.restore(State::read(&dir.join(STATE))?)?;
        }
        Ok(learner)
    }

    /// Begins the steps, with the evaluation that a run lacks which was cut off between a checkpoint and it.
    async fn begin(&mut self, stage: &str, steps: u64, learner: &Learner) -> Result<(), TrainError> {
        let done = self.first() - 1;
        if self.evaluations.is_due(done) {
            self.evaluations.in_training(done, learner.policy(), self.records, self.observer).await?;
        }
        self.observer.begin(stage, steps);
        Ok(())
    }

    /// Writes a step's numbers, with a checkpoint and evaluations where they are due; stops where that was asked for.
    async fn record(
        &mut self,
        metrics: &StepMetrics,
        learner: &Learner,
        beside: Beside<'_>,
        (stage, steps): (&str, u64),
    ) -> Result<(), TrainError> {
        let step = metrics.step;
        self.check_gap(metrics)?;
        self.records.step(metrics)?;
        self.observer.progress(step, &message(metrics));
        self.records.warn_of_standstill(&self.job.parts.rubrics.training, steps);
        if step == steps {
            return Ok(());
        }
        let every = self.job.recipe.train.checkpoint_every();
        let stops = self.job.stop.is_requested() || self.job.last_step == Some(step);
        if stops || (every > 0 && step.is_multiple_of(every)) {
            self.checkpoint(step, learner, beside)?;
        }
        if stops {
            self.observer.end();
            return Err(TrainError::Stopped { step, dir: self.job.run_dir.to_owned() });
        }
        if self.evaluations.is_due(step) {
            self.observer.end();
            self.evaluations.in_training(step, learner.policy(), self.records, self.observer).await?;
            self.observer.begin(stage, steps);
        }
        Ok(())
    }

    fn checkpoint(&self, step: u64, learner: &Learner, beside: Beside<'_>) -> Result<(), TrainError> {
        let checkpoints = Checkpoints::of(self.job.run_dir);
        checkpoints.save(step, |dir| {
            learner.policy().save(dir, |to| self.chat.save_files(to))?;
            let folder = dir.join("trainer/critic");
            std::fs::create_dir_all(&folder)
                .map_err(|source| TrainError::Write { path: folder.clone(), source })?;
            learner.state().write(&dir.join(STATE))?;
            let Beside { critic, divergence, tasks } = beside;
            tasks.map_or(Ok(()), |(curriculum, tasks)| curriculum.write(&dir.join(TASKS), tasks))?;
            critic.map_or(Ok(()), |critic| critic.state().write(&dir.join(CRITIC_STATE)))?;
            divergence.map_or(Ok(()), |divergence| divergence.save(&dir.join(TRAINER)))
        })?;
        let best = self.records.best(&checkpoints.steps());
        checkpoints.prune(self.job.recipe.train.checkpoint_keep(), best)
    }

    /// The sampler holds the trainer's weights where it gives the sampled tokens the trainer's log-probabilities.
    fn check_gap(&self, metrics: &StepMetrics) -> Result<(), TrainError> {
        let most = self.job.recipe.train.guards().max_logprob_gap;
        let gap = metrics.detail.sampled().map_or(0.0, |replies| replies.logprob_gap.mean);
        let step = metrics.step;
        if gap <= most { Ok(()) } else { Err(TrainError::LogprobGap { step, gap, most }) }
    }
}

/// A step in a few words.
fn message(metrics: &StepMetrics) -> String {
    match metrics.detail.sampled() {
        None => format!("loss {:.3}", metrics.loss),
        Some(replies) => {
            format!("reward {:.2}, length {:.0}", replies.reward.mean, replies.reply_length.mean)
        }
    }
}
