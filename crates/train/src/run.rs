//! A whole run: evaluation, training, evaluation, report, all in one directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use toolrl_chat::Chat;
use toolrl_eval::EvalReport;
use toolrl_policy::Policy;
use toolrl_reward::Rubric;

use crate::critic::CriticLearner;
use crate::examples::{Examples, completion};
use crate::grpo::Grpo;
use crate::learner::Learner;
use crate::ppo::Ppo;
use crate::record::{
    EventWriter, MetricsLog, PpoMetrics, StepDetail, StepMetrics, Summary, completions_path,
    write_completions, write_whole,
};
use crate::report::{ReportInput, render};
use crate::rl::{Credited, Rl};
use crate::sft::Sft;
use crate::start::Start;
use crate::task::{Data, Task, load_data, tasks};
use crate::{
    EvalSettings, GrpoConfig, Method, Observer, PpoConfig, Recipe, RlConfig, Rubrics, SftConfig, TrainError,
    evaluate_policy,
};

/// What a run made.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The evaluations before and after.
    pub summary: Summary,
    /// The trained policy's directory.
    pub policy: PathBuf,
    /// The report.
    pub report: PathBuf,
}

/// Does a recipe, with everything it leaves behind in `run_dir`, which is made.
///
/// # Arguments
/// - `before`: the evaluation of the policy that the run begins with, where it is known already.
///
/// # Errors
/// [`TrainError`]; what was written until then stays, and is whole.
pub async fn run(
    recipe: &Recipe,
    rubrics: &Rubrics,
    run_dir: &Path,
    before: Option<EvalReport>,
    observer: &mut dyn Observer,
) -> Result<RunOutcome, TrainError> {
    let clock = Instant::now();
    refuse_used(run_dir)?;
    let data = load_data(&recipe.data, recipe.seed)?;
    let device = Device::flex();
    let start = Start::of(recipe, &data, run_dir, &device)?;
    let mut records = Records::create(recipe, run_dir)?;
    tracing::info!(
        policy = %start.dir.display(),
        parameters = start.policy.num_params(),
        train = data.train.len(),
        held_out = data.held_out.len(),
        unscorable = data.gold.unscorable.len(),
        "starting"
    );
    let evaluated_by = rubrics.of_evaluation();
    let before = match before {
        Some(known) => known,
        None => {
            let Start { dir, policy, chat } = &start;
            evaluate_on(recipe, &data, evaluated_by, policy, chat, dir, observer).await?
        }
    };
    tracing::info!("before training\n{}", before.table());

    let rubric = &rubrics.training;
    let mut run = Run { recipe, rubric, chat: start.chat.clone(), run_dir, records: &mut records, observer };
    let policy = match recipe.train.lora() {
        Some(lora) => start.policy.with_lora(lora, recipe.seed)?,
        None => start.policy,
    };
    let (policy, steps) = match &recipe.train {
        Method::Sft(config) => run.sft(config, &data, policy)?,
        Method::Grpo(config) => run.grpo(config, &data, policy).await?,
        Method::Ppo(config) => run.ppo(config, &data, policy).await?,
    };
    let final_dir = run_dir.join("final");
    policy.save(&final_dir, |dir| start.chat.save_files(dir))?;
    let after = evaluate_on(recipe, &data, evaluated_by, &policy, &start.chat, &final_dir, observer).await?;
    let summary = Summary {
        recipe: recipe.name.clone(),
        seed: recipe.seed,
        steps,
        seconds: clock.elapsed().as_secs_f64(),
        before,
        after,
        compared: Default::default(),
    };
    summary.write(&run_dir.join("summary.json"))?;
    let report = records.report(recipe, Some(&summary))?;
    Ok(RunOutcome { summary, policy: final_dir, report })
}

/// Refuses a directory that holds a run, before anything is written there.
///
/// # Errors
/// [`TrainError::RunDirInUse`].
pub fn refuse_used(run_dir: &Path) -> Result<(), TrainError> {
    if run_dir.join("metrics.jsonl").exists() {
        return Err(TrainError::RunDirInUse { dir: run_dir.to_owned() });
    }
    Ok(())
}

async fn evaluate_on(
    recipe: &Recipe,
    data: &Data,
    rubric: &Rubric,
    policy: &Policy,
    chat: &Arc<Chat>,
    dir: &Path,
    observer: &mut dyn Observer,
) -> Result<EvalReport, TrainError> {
    let n = recipe.eval.limit.unwrap_or(usize::MAX).min(data.held_out.len());
    let name = dir.display().to_string();
    let settings =
        EvalSettings { name: &name, max_new_tokens: recipe.eval.max_new_tokens, slots: recipe.slots };
    Ok(evaluate_policy(policy, chat, &data.held_out[..n], rubric, &settings, observer).await?.report)
}

/// A run in progress.
struct Run<'a> {
    recipe: &'a Recipe,
    rubric: &'a Rubric,
    chat: Arc<Chat>,
    run_dir: &'a Path,
    records: &'a mut Records,
    observer: &'a mut dyn Observer,
}

impl Run<'_> {
    fn sft(&mut self, config: &SftConfig, data: &Data, policy: Policy) -> Result<(Policy, u64), TrainError> {
        let sft = Sft::new(config, self.recipe.seed, &data.train, &self.chat, &policy)?;
        let mut learner = Learner::new(policy, config.optimizer.clone(), config.activations, 1.0);
        self.observer.begin("sft", sft.steps);
        for step in 1..=sft.steps {
            let metrics = sft.step(&mut learner, step)?;
            self.record(&metrics, learner.policy(), sft.steps)?;
        }
        self.observer.end();
        Ok((learner.into_policy(), sft.steps))
    }

    async fn grpo(
        &mut self,
        config: &GrpoConfig,
        data: &Data,
        policy: Policy,
    ) -> Result<(Policy, u64), TrainError> {
        let tasks = tasks(data, &self.chat, config.rl.max_prompt_tokens)?;
        let grpo = Grpo { rl: self.rl(&config.rl, config.group_size, &tasks, &policy), config };
        let steps = config.rl.steps;
        let mut learner = self.learner(&config.rl, policy);
        self.observer.begin("grpo", steps);
        for step in 1..=steps {
            let (metrics, credited) = grpo.step(&mut learner, step).await?;
            self.records.completions(step, steps, &credited, &tasks, self.rubric)?;
            self.record(&metrics, learner.policy(), steps)?;
        }
        self.observer.end();
        Ok((learner.into_policy(), steps))
    }

    async fn ppo(
        &mut self,
        config: &PpoConfig,
        data: &Data,
        policy: Policy,
    ) -> Result<(Policy, u64), TrainError> {
        let tasks = tasks(data, &self.chat, config.rl.max_prompt_tokens)?;
        let ppo = Ppo { rl: self.rl(&config.rl, config.group_size, &tasks, &policy), config };
        let steps = config.rl.steps;
        let mut critic = CriticLearner::of(&policy, &config.critic, config.rl.activations);
        let mut learner = self.learner(&config.rl, policy);
        self.observer.begin("ppo", steps);
        for step in 1..=steps {
            let (metrics, credited) = ppo.step(&mut learner, &mut critic, step).await?;
            self.records.completions(step, steps, &credited, &tasks, self.rubric)?;
            self.record(&metrics, learner.policy(), steps)?;
        }
        self.observer.end();
        critic.critic().save(&self.run_dir.join("critic"), |to| self.chat.save_files(to))?;
        Ok((learner.into_policy(), steps))
    }

    fn rl<'r>(&self, config: &'r RlConfig, group_size: usize, tasks: &'r [Task], policy: &Policy) -> Rl<'r>
    where
        Self: 'r,
    {
        // Adapters leave the base as it was: it is the reference, and no second copy.
        let reference = config.has_reference().then(|| policy.without_lora());
        let (recipe, rubric, chat) = (self.recipe, self.rubric, self.chat.clone());
        Rl { recipe, config, group_size, tasks, chat, rubric, reference }
    }

    fn learner(&self, config: &RlConfig, policy: Policy) -> Learner {
        let temperature = self.recipe.sampling.temperature;
        Learner::new(policy, config.optimizer.clone(), config.activations, temperature)
    }

    /// Writes a step's numbers, and its checkpoint where one is due.
    fn record(&mut self, metrics: &StepMetrics, policy: &Policy, steps: u64) -> Result<(), TrainError> {
        self.records.step(metrics)?;
        self.observer.progress(metrics.step, &message(metrics));
        let every = self.recipe.train.checkpoint_every();
        if every > 0 && metrics.step.is_multiple_of(every) && metrics.step < steps {
            let dir = self.run_dir.join("checkpoints").join(format!("step-{:05}", metrics.step));
            let path = self.run_dir.join("checkpoints");
            std::fs::create_dir_all(&path).map_err(|source| TrainError::Write { path, source })?;
            policy.save(&dir, |to| self.chat.save_files(to))?;
        }
        Ok(())
    }
}

/// A step in a few words.
fn message(metrics: &StepMetrics) -> String {
    match &metrics.detail {
        StepDetail::Sft(_) => format!("loss {:.3}", metrics.loss),
        StepDetail::Grpo(replies) | StepDetail::Ppo(PpoMetrics { replies, .. }) => {
            format!("reward {:.2}, length {:.0}", replies.reward.mean, replies.reply_length.mean)
        }
    }
}

/// The files of a run that grow with it.
struct Records {
    dir: PathBuf,
    metrics: MetricsLog,
    events: EventWriter,
    rows: Vec<StepMetrics>,
    examples: Examples,
}

impl Records {
    fn create(recipe: &Recipe, dir: &Path) -> Result<Self, TrainError> {
        std::fs::create_dir_all(dir).map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
        write_whole(&dir.join("config.toml"), recipe.to_toml()?.as_bytes())?;
        Ok(Self {
            dir: dir.to_owned(),
            metrics: MetricsLog::create(&dir.join("metrics.jsonl"))?,
            events: EventWriter::create(&dir.join("events"))?,
            rows: Vec::new(),
            examples: Examples::default(),
        })
    }

    fn step(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.metrics.append(metrics)?;
        self.events.append_scalars(metrics.step, &metrics.scalars())?;
        self.rows.push(metrics.clone());
        Ok(())
    }

    fn completions(
        &mut self,
        step: u64,
        steps: u64,
        credited: &[Credited],
        tasks: &[Task],
        rubric: &Rubric,
    ) -> Result<(), TrainError> {
        let rows: Vec<_> = credited
            .iter()
            .map(|reply| completion(step, reply, &tasks[reply.measured.scored.task]))
            .collect();
        write_completions(&completions_path(&self.dir, step), &rows)?;
        self.examples.add(step, steps, credited, tasks, rubric);
        Ok(())
    }

    fn report(&self, recipe: &Recipe, summary: Option<&Summary>) -> Result<PathBuf, TrainError> {
        let config = recipe.to_toml()?;
        let input = ReportInput {
            title: &recipe.name,
            metrics: &self.rows,
            summary,
            examples: &self.examples.0,
            config: &config,
        };
        let path = self.dir.join("report.html");
        write_whole(&path, render(&input).as_bytes())?;
        Ok(path)
    }
}
