//! The runs that a study asks for, and doing them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use toolrl_eval::EvalReport;
use toolrl_reward::Registry;
use toolrl_train::record::Summary;
use toolrl_train::{Changes, DataSource, Job, Observer, PolicySource, Recipe, Resume, Stop, run};

use crate::{Arm, Results, Stage, Study, StudyError};

/// A study with every run that it needs. Arms that begin with the same stages share their runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The study.
    pub study: Study,
    /// Every run once, each after the one that it starts from: first all arms of the first seed.
    pub runs: Vec<PlannedRun>,
    /// By arm, then by seed: the positions of its runs in `runs`, stage by stage.
    pub(crate) chains: Vec<Vec<Vec<usize>>>,
    /// The study's folder.
    pub(crate) dir: PathBuf,
}

/// One run of a plan.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Its directory.
    pub dir: PathBuf,
    /// Its recipe, whose policy is the last stage's where there is one before it.
    pub recipe: Recipe,
    /// What it is, for a line of progress.
    pub title: String,
}

/// Hears what a study does.
pub trait StudyObserver {
    /// Who hears of the runs' own stages.
    fn of_run(&mut self) -> &mut dyn Observer;

    /// A run is done, the `done`th of `all`; `before` was so already. `seconds_left` is a guess by those before it.
    fn done(
        &mut self,
        done: usize,
        all: usize,
        title: &str,
        summary: &Summary,
        before: bool,
        seconds_left: f64,
    );
}

impl Plan {
    /// Resolves every stage of a study in `dir`. `recipe` reads a recipe with its overrides; recipes without a policy
    /// start from `default_policy`.
    ///
    /// # Errors
    /// [`StudyError::Recipe`].
    pub fn of<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        study: Study,
        dir: &Path,
        default_policy: &Path,
        recipe: impl Fn(&str, &[String]) -> Result<Recipe, E>,
    ) -> Result<Self, StudyError> {
        let mut plan = Self { runs: Vec::new(), chains: Vec::new(), dir: dir.to_owned(), study };
        let mut known = HashMap::new();
        let arms = plan.study.arms.clone();
        plan.chains = vec![Vec::new(); arms.len()];
        for seed in plan.study.seeds.clone() {
            for (number, arm) in arms.iter().enumerate() {
                let mut chain = Vec::<usize>::new();
                for (place, stage) in arm.stages.iter().enumerate() {
                    let start = chain.last().map(|&last| plan.runs[last].dir.join("final"));
                    let mut resolved = plan.resolve(arm, stage, seed, &recipe)?;
                    if let Some(dir) =
                        start.or_else(|| resolved.policy.is_none().then(|| default_policy.to_owned()))
                    {
                        resolved.policy = Some(PolicySource::Dir(dir));
                    }
                    let text = resolved.to_toml().map_err(|e| recipe_error(arm, stage, e.into()))?;
                    let next = plan.runs.len();
                    let position = *known.entry(text).or_insert(next);
                    if position == next {
                        plan.runs.push(plan.planned(arm, place, seed, resolved));
                    }
                    chain.push(position);
                }
                plan.chains[number].push(chain);
            }
        }
        Ok(plan)
    }

    fn resolve<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        arm: &Arm,
        stage: &Stage,
        seed: u64,
        recipe: &impl Fn(&str, &[String]) -> Result<Recipe, E>,
    ) -> Result<Recipe, StudyError> {
        let of_seed = format!("seed={seed}");
        let overrides: Vec<String> =
            self.study.set.iter().chain(&stage.set).chain([&of_seed]).cloned().collect();
        recipe(&stage.recipe, &overrides).map_err(|e| recipe_error(arm, stage, e.into()))
    }

    fn planned(&self, arm: &Arm, place: usize, seed: u64, recipe: Recipe) -> PlannedRun {
        let slug = slug(&arm.name);
        let dir = self.dir.join("runs").join(format!("{slug}-stage{}-seed{seed}", place + 1));
        let of = if arm.stages.len() > 1 {
            format!(", stage {} of {}", place + 1, arm.stages.len())
        } else {
            String::new()
        };
        PlannedRun { dir, recipe, title: format!("{}{of}, seed {seed}", arm.name) }
    }

    /// Does every run that is not done, and writes the results after each. A run that was cut off goes on from its last
    /// checkpoint; without one it begins anew.
    ///
    /// # Errors
    /// [`StudyError`]; runs that are done stay, and the next call goes on after them.
    pub async fn run(
        &self,
        registry: &Registry,
        stop: &Stop,
        observer: &mut dyn StudyObserver,
    ) -> Result<(), StudyError> {
        let mut evaluated = Evaluated::default();
        let (clock, mut fresh) = (Instant::now(), 0);
        for (i, planned) in self.runs.iter().enumerate() {
            let before = planned.finished()?;
            let summary = match before.clone() {
                Some(summary) => summary,
                None => {
                    fresh += 1;
                    planned.run(registry, evaluated.of(&planned.recipe), stop, observer.of_run()).await?
                }
            };
            evaluated.keep(planned, &summary);
            let left = self.runs[i + 1..].iter().filter(|r| !r.dir.join("summary.json").exists()).count();
            let each = clock.elapsed().as_secs_f64() / f64::from(fresh.max(1));
            observer.done(
                i + 1,
                self.runs.len(),
                &planned.title,
                &summary,
                before.is_some(),
                each * left as f64,
            );
            if before.is_none() {
                self.write()?;
            }
        }
        self.write()
    }

    fn write(&self) -> Result<(), StudyError> {
        Results::read(self)?.write(&self.dir)
    }
}

impl PlannedRun {
    /// What the run left, where it is done.
    pub(crate) fn finished(&self) -> Result<Option<Summary>, StudyError> {
        let path = self.dir.join("summary.json");
        if !path.exists() {
            return Ok(None);
        }
        let config = self.dir.join("config.toml");
        let text = std::fs::read_to_string(&config).map_err(StudyError::io(&config))?;
        if !Recipe::parse(&text, &[]).is_ok_and(|found| same_settings(&found, &self.recipe)) {
            return Err(StudyError::OtherSettings { dir: self.dir.clone() });
        }
        Ok(Some(Summary::read(&path)?))
    }

    async fn run(
        &self,
        registry: &Registry,
        before: Option<EvalReport>,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<Summary, StudyError> {
        let failed = |source| StudyError::Run { dir: self.dir.clone(), source: Box::new(source) };
        let begun = self.dir.join("config.toml").exists();
        let resume =
            begun.then(|| Resume::of(&self.dir, &[], None, Changes::Refuse)).transpose().map_err(failed)?;
        // Without a checkpoint there is nothing to go on with, and what was cut off may be of other settings.
        let resume = resume.filter(|resume| resume.step > 0 && same_settings(&resume.recipe, &self.recipe));
        if begun && resume.is_none() {
            tracing::info!("{} was cut off: it begins anew", self.dir.display());
            std::fs::remove_dir_all(&self.dir).map_err(StudyError::io(&self.dir))?;
        }
        let rubrics = self.recipe.rubrics(registry).map_err(failed)?;
        let (recipe, run_dir, stop) = (&self.recipe, self.dir.as_path(), stop.clone());
        let job = Job { recipe, rubrics: &rubrics, run_dir, before, resume: resume.as_ref(), stop };
        let outcome = run(job, observer).await.map_err(failed)?;
        Ok(outcome.summary)
    }
}

/// A name as part of a file's name.
pub(crate) fn slug(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

/// Whether two recipes are the same but for where their policy lies: the folder may have been moved.
fn same_settings(a: &Recipe, b: &Recipe) -> bool {
    Recipe { policy: None, ..a.clone() } == Recipe { policy: None, ..b.clone() }
}

/// Evaluations that are known already: the same policy over the same tasks by the same reward.
#[derive(Default)]
struct Evaluated(HashMap<String, EvalReport>);

impl Evaluated {
    fn of(&self, recipe: &Recipe) -> Option<EvalReport> {
        self.0.get(&key(recipe)).cloned()
    }

    fn keep(&mut self, planned: &PlannedRun, summary: &Summary) {
        self.0.insert(key(&planned.recipe), summary.before.clone());
        let last = PolicySource::Dir(planned.dir.join("final"));
        self.0.insert(key(&Recipe { policy: Some(last), ..planned.recipe.clone() }), summary.after.clone());
    }
}

/// Everything that decides an evaluation of a recipe's policy.
fn key(recipe: &Recipe) -> String {
    let reward = recipe.eval.reward.as_ref().unwrap_or(&recipe.reward);
    // Which rows of a file are held out depends on the seed.
    let seed = matches!(recipe.data, DataSource::Files(_)).then_some(recipe.seed);
    format!(
        "{:?} {:?} {seed:?} {:?} {reward:?} {:?}",
        recipe.policy, recipe.data, recipe.eval, recipe.precision
    )
}

fn recipe_error(arm: &Arm, stage: &Stage, source: Box<dyn std::error::Error + Send + Sync>) -> StudyError {
    StudyError::Recipe { arm: arm.name.clone(), recipe: stage.recipe.clone(), source }
}
