//! The steps of a run, method by method.

use std::sync::Arc;

use burn::tensor::Device;
use toolrl_chat::Chat;
use toolrl_policy::{Activations, Policy};
use toolrl_record::StoppedEarly;

use super::Job;
use super::evaluations::Evaluations;
use super::recording::Beside;
use super::records::Records;
use crate::checkpoint::State;
use crate::critic::CriticLearner;
use crate::curriculum::Curriculum;
use crate::dpo::{Dpo, references};
use crate::grpo::Grpo;
use crate::guard::Guard;
use crate::learner::Learner;
use crate::pair::Pair;
use crate::ppo::Ppo;
use crate::rl::{Divergence, Replies, Rl, Supply};
use crate::score::Judge;
use crate::sft::Sft;
use crate::stage::Stage;
use crate::task::Task;
use crate::{
    Changes, DpoConfig, GroupFilter, GrpoConfig, Observer, OptimizerConfig, Parts, PpoConfig, RlConfig,
    Setting, TrainError,
};

/// A run in training.
pub(super) struct Trainer<'a, 'j> {
    pub(super) job: &'a Job<'j>,
    pub(super) chat: Arc<Chat>,
    /// The devices beside the first.
    others: &'a [Device],
    pub(super) records: &'a mut Records,
    pub(super) evaluations: &'a Evaluations<'a>,
    pub(super) observer: &'a mut dyn Observer,
    /// Steps that are done.
    pub(super) done: u64,
    /// What observers hear of as the stage, and its steps.
    pub(super) stage: (&'static str, u64),
    pub(super) stopped_early: Option<StoppedEarly>,
}

/// What training made.
pub(super) struct Trained {
    /// The policy of the last step.
    pub policy: Policy,
    /// Steps that are done.
    pub steps: u64,
    /// Why there are no more, where evaluations ended it.
    pub stopped_early: Option<StoppedEarly>,
}

/// The trainer's state in a checkpoint.
pub(super) const TRAINER: &str = "trainer";
pub(super) const STATE: &str = "trainer/state.safetensors";
pub(super) const CRITIC_STATE: &str = "trainer/critic/state.safetensors";
/// What became of the tasks, where their order has a history.
pub(super) const TASKS: &str = "trainer/tasks.json";

impl<'a, 'j> Trainer<'a, 'j> {
    pub(super) fn new(
        job: &'a Job<'j>,
        chat: &Arc<Chat>,
        others: &'a [Device],
        records: &'a mut Records,
        evaluations: &'a Evaluations<'a>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let (done, chat) = (job.resume.map_or(0, |resume| resume.step), chat.clone());
        Self { job, chat, others, records, evaluations, observer, done, stage: ("", 0), stopped_early: None }
    }

    /// Trains what the run begins with, or goes on with what its checkpoint has.
    pub(super) async fn train(
        mut self,
        stage: Stage,
        (start, trained): (Policy, Policy),
        device: &Device,
    ) -> Result<Trained, TrainError> {
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
        let policy = match stage {
            Stage::Sft(config, demonstrations) => {
                drop((start, trained));
                let demonstrations = (demonstrations, &self.evaluations.data.sources[..]);
                let sft = Sft::new(&config, recipe.seed, demonstrations, self.done)?;
                self.sft(sft, policy).await?
            }
            Stage::Dpo(config, pairs) => {
                drop(trained);
                self.dpo(&config, pairs, start, policy).await?
            }
            Stage::Grpo(config, tasks) => {
                let divergence = self.divergence(&config.rl, start, trained)?;
                self.grpo((&config, &tasks), divergence, policy).await?
            }
            Stage::Ppo(config, tasks) => {
                let divergence = self.divergence(&config.rl, start, trained)?;
                self.ppo((&config, &tasks), divergence, policy).await?
            }
        };
        self.observer.end();
        Ok(Trained { policy, steps: self.done, stopped_early: self.stopped_early })
    }

    async fn sft(&mut self, mut sft: Sft<'_>, policy: Policy) -> Result<Policy, TrainError> {
        let config = &sft.config.offline;
        let mut learner = self.learner(policy, &config.optimizer, config.activations, 1.0)?;
        self.begin("sft", sft.steps, &learner, Beside::default()).await?;
        while let Some(step) = self.next_step() {
            let metrics = sft.step(&mut learner, step)?;
            self.record(&metrics, &learner, Beside::default()).await?;
        }
        Ok(learner.into_policy())
    }

    async fn dpo(
        &mut self,
        config: &DpoConfig,
        pairs: Vec<Pair>,
        start: Policy,
        policy: Policy,
    ) -> Result<Policy, TrainError> {
        let (offline, seed) = (&config.offline, self.job.recipe.seed);
        let mut learner = self.learner(policy, &offline.optimizer, offline.activations, 1.0)?;
        // What is not the run that it was is compared with anew.
        let goes_on = self.job.resume.is_some_and(|resume| resume.changes == Changes::Refuse);
        let of_run = (self.job.run_dir, goes_on);
        let references = references((&pairs, config), (&learner, &start), of_run, self.observer)?;
        // The reference is its log-probabilities from here on.
        drop(start);
        let steps = offline.steps_of(pairs.len());
        let dpo = Dpo { config, seed, steps, pairs, references };
        self.begin("dpo", steps, &learner, Beside::default()).await?;
        while let Some(step) = self.next_step() {
            let metrics = dpo.step(&mut learner, step)?;
            self.record(&metrics, &learner, Beside::default()).await?;
        }
        Ok(learner.into_policy())
    }

    async fn grpo(
        &mut self,
        (config, tasks): (&GrpoConfig, &[Task]),
        divergence: Divergence,
        policy: Policy,
    ) -> Result<Policy, TrainError> {
        let chat = self.chat.clone();
        let context = policy.config().max_positions;
        let rl = self.rl(&config.rl, (config.group_size, context), tasks, divergence)?;
        let mut grpo = Grpo { rl: Rl { groups: config.groups, ..rl }, config };
        let mut learner = self.rl_learner(policy, &config.rl)?;
        let mut supply = Supply::new(self.curriculum(&config.rl, tasks)?, self.done);
        let beside = Beside::of(&grpo.rl, supply.curriculum());
        self.begin("grpo", config.rl.steps, &learner, beside).await?;
        while let Some(step) = self.next_step() {
            let (metrics, credited) = grpo.step(&mut learner, &mut supply, step).await?;
            grpo.rl.end_step(&metrics, &learner);
            self.records.completions(step, &credited, (tasks, &chat))?;
            self.record(&metrics, &learner, Beside::of(&grpo.rl, supply.curriculum())).await?;
        }
        Ok(learner.into_policy())
    }

    async fn ppo(
        &mut self,
        (config, tasks): (&PpoConfig, &[Task]),
        divergence: Divergence,
        policy: Policy,
    ) -> Result<Policy, TrainError> {
        let chat = self.chat.clone();
        let context = policy.config().max_positions;
        let rl = self.rl(&config.rl, (config.group_size, context), tasks, divergence)?;
        let mut ppo = Ppo { rl, config };
        let guard = Guard::of_critic(config.rl.guards, self.job.run_dir);
        let critic = CriticLearner::of(&policy, &config.critic, config.rl.activations, guard);
        let mut critic = critic.and_on(self.others);
        if let Some(dir) = self.job.resume.and_then(|resume| resume.checkpoint.as_ref()) {
            critic.restore(State::read(&dir.join(CRITIC_STATE))?)?;
        }
        let mut learner = self.rl_learner(policy, &config.rl)?;
        let mut supply = Supply::new(self.curriculum(&config.rl, tasks)?, self.done);
        let beside = Beside { critic: Some(&critic), ..Beside::of(&ppo.rl, supply.curriculum()) };
        self.begin("ppo", config.rl.steps, &learner, beside).await?;
        while let Some(step) = self.next_step() {
            let (metrics, credited) = ppo.step(&mut learner, &mut critic, &mut supply, step).await?;
            ppo.rl.end_step(&metrics, &learner);
            self.records.completions(step, &credited, (tasks, &chat))?;
            let beside = Beside { critic: Some(&critic), ..Beside::of(&ppo.rl, supply.curriculum()) };
            self.record(&metrics, &learner, beside).await?;
        }
        critic.critic().save(&self.job.run_dir.join("critic"), |to| self.chat.save_files(to))?;
        Ok(learner.into_policy())
    }

    /// The number of the next step to do.
    fn next_step(&self) -> Option<u64> {
        (self.done < self.stage.1 && self.stopped_early.is_none()).then_some(self.done + 1)
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
        (group_size, context): (usize, usize),
        tasks: &'r [Task],
        divergence: Divergence,
    ) -> Result<Rl<'r>, TrainError>
    where
        Self: 'r,
    {
        let Parts { rubrics, sampler, .. } = self.job.parts;
        let (recipe, rubric, chat) = (self.job.recipe, &rubrics.training, self.chat.clone());
        let (sampler, setting, groups) = (&**sampler, self.setting(), GroupFilter::All);
        let chooses = recipe.train.reads_outcomes();
        let judge = chooses.then(|| Judge { success: config.success, dialect: chat.dialect() });
        let replies = recipe.sampler.is_remote().then(|| self.replies()).transpose()?;
        Ok(Rl {
            recipe,
            config,
            group_size,
            tasks,
            chat,
            rubric,
            sampler,
            setting,
            divergence,
            judge,
            groups,
            context,
            replies,
        })
    }

    /// What was sampled already of a run that goes on as it was.
    fn replies(&self) -> Result<Replies, TrainError> {
        let replies = Replies::of(self.job.run_dir);
        if self.job.resume.is_none_or(|resume| resume.is_other) {
            replies.forget(|step| step > self.done)?;
        }
        Ok(replies)
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
        let mut learner = learner.seeded(self.job.recipe.seed).and_on(self.others);
        if let Some(dir) = self.job.resume.and_then(|resume| resume.checkpoint.as_ref()) {
            learner.restore(State::read(&dir.join(STATE))?)?;
        }
        Ok(learner)
    }
}
