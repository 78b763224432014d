//! The runs that a study asks for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toolrl_record::Summary;
use toolrl_train::{PolicySource, Recipe};

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
    /// The position of the run whose policy it starts from, where there is one.
    pub after: Option<usize>,
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
                    let after = chain.last().copied();
                    let start = after.map(|last| plan.runs[last].dir.join("final"));
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
                        plan.runs.push(PlannedRun { after, ..plan.planned(arm, place, seed, resolved) });
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
        PlannedRun { dir, recipe, title: format!("{}{of}, seed {seed}", arm.name), after: None }
    }

    /// Writes the results of the runs that are done.
    ///
    /// # Errors
    /// [`StudyError`].
    pub fn write(&self) -> Result<(), StudyError> {
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
}

/// A name as part of a file's name.
pub(crate) fn slug(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

/// Whether two recipes are the same but for where their policy lies: the folder may have been moved.
pub(crate) fn same_settings(a: &Recipe, b: &Recipe) -> bool {
    Recipe { policy: None, ..a.clone() } == Recipe { policy: None, ..b.clone() }
}

fn recipe_error(arm: &Arm, stage: &Stage, source: Box<dyn std::error::Error + Send + Sync>) -> StudyError {
    StudyError::Recipe { arm: arm.name.clone(), recipe: stage.recipe.clone(), source }
}
