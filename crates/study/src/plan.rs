//! The runs that a study asks for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toolrl_record::Summary;
use toolrl_train::{PolicySource, Recipe, began_with};

use crate::settings::same_settings;
use crate::{Arm, Results, Stage, Study, StudyError, Test};

/// A study with every run that it needs. Arms that begin with the same stages share their runs, and arms and seeds with the
/// same policy its tests.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The study.
    pub study: Study,
    /// Every run once, each after the one that it starts from: first all arms of the first seed. Behind an arm's last run
    /// stand the tests of what it left.
    pub runs: Vec<PlannedRun>,
    /// By arm, then by seed: the positions of its runs in `runs`, stage by stage.
    pub(crate) chains: Vec<Vec<Vec<usize>>>,
    /// By arm, then by seed: those of its tests, in the study's order.
    pub(crate) tests: Vec<Vec<Vec<usize>>>,
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
    /// What it is done for.
    pub purpose: Purpose,
    /// The position of the run whose policy it starts from, where there is one.
    pub after: Option<usize>,
}

/// What a run is done for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The policy that it leaves.
    Training,
    /// The evaluation of the one that it begins with.
    Test,
}

impl Plan {
    /// Resolves every stage of a study in `dir`. `recipe` reads a recipe with its overrides; recipes without a policy
    /// start from `default_policy`. Where arms are named in `only`, the plan is theirs alone, and their runs have the
    /// directories that they have in the whole plan: a study that is done arm by arm does no run twice.
    ///
    /// # Errors
    /// [`StudyError::Recipe`].
    pub fn of<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        study: Study,
        dir: &Path,
        default_policy: &Path,
        only: &[String],
        recipe: impl Fn(&str, &[String]) -> Result<Recipe, E>,
    ) -> Result<Self, StudyError> {
        let arms = study.arms.clone();
        let of_arms = || vec![Vec::new(); arms.len()];
        let (chains, tests) = (of_arms(), of_arms());
        let mut plan = Self { runs: Vec::new(), chains, tests, dir: dir.to_owned(), study };
        let mut known = HashMap::new();
        for seed in plan.study.seeds.clone() {
            for (number, arm) in arms.iter().enumerate() {
                match plan.of_arm(arm, seed, default_policy, &mut known, &recipe) {
                    Ok((chain, tests)) => {
                        plan.chains[number].push(chain);
                        plan.tests[number].push(tests);
                    }
                    // Nobody asked for it, and it may lack what the others' settings have.
                    Err(_) if !only.is_empty() && !only.contains(&arm.name) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !only.is_empty() {
            plan.keep(only);
        }
        Ok(plan)
    }

    /// The positions of an arm's runs, and of its tests.
    fn of_arm<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        arm: &Arm,
        seed: u64,
        default_policy: &Path,
        known: &mut HashMap<String, usize>,
        recipe: &impl Fn(&str, &[String]) -> Result<Recipe, E>,
    ) -> Result<(Vec<usize>, Vec<usize>), StudyError> {
        let mut chain = Vec::<usize>::new();
        for (place, stage) in arm.stages.iter().enumerate() {
            let last = chain.last().copied();
            let resolved = self.resolve(arm, stage, Some(seed), recipe)?;
            let planned = self.planned(arm, place, seed, resolved);
            chain.push(self.add(planned, (last, default_policy), (arm, stage), known)?);
        }
        let mut tests = Vec::new();
        for test in self.study.tests.clone() {
            let (last, stage) = (chain.last().copied(), test.stage());
            let resolved = self.resolve(arm, &stage, None, recipe)?;
            let planned = self.planned_test(arm, &test, seed, resolved);
            tests.push(self.add(planned, (last, default_policy), (arm, &stage), known)?);
        }
        Ok((chain, tests))
    }

    /// The position of a run that starts from what the `last` one left, where there is one before it: that of the same run
    /// where that is planned already, as `known` has it by its recipe.
    fn add(
        &mut self,
        mut planned: PlannedRun,
        (last, default_policy): (Option<usize>, &Path),
        (arm, stage): (&Arm, &Stage),
        known: &mut HashMap<String, usize>,
    ) -> Result<usize, StudyError> {
        let start = last.map(|last| self.runs[last].dir.join("final"));
        let recipe = &mut planned.recipe;
        if let Some(dir) = start.or_else(|| recipe.policy.is_none().then(|| default_policy.to_owned())) {
            recipe.policy = Some(PolicySource::Dir(dir));
        }
        let text = recipe.to_toml().map_err(|e| recipe_error(arm, stage, e.into()))?;
        let next = self.runs.len();
        let position = *known.entry(text).or_insert(next);
        if position == next {
            self.runs.push(PlannedRun { after: last, ..planned });
        }
        Ok(position)
    }

    fn resolve<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        arm: &Arm,
        stage: &Stage,
        seed: Option<u64>,
        recipe: &impl Fn(&str, &[String]) -> Result<Recipe, E>,
    ) -> Result<Recipe, StudyError> {
        let of_seed = seed.map(|seed| format!("seed={seed}"));
        let overrides: Vec<String> =
            self.study.set.iter().chain(&stage.set).chain(&of_seed).cloned().collect();
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
        let title = format!("{}{of}, seed {seed}", arm.name);
        PlannedRun { dir, recipe, title, purpose: Purpose::Training, after: None }
    }

    /// A test, in which no seed is drawn by: what all seeds have in common is tested once.
    fn planned_test(&self, arm: &Arm, test: &Test, seed: u64, recipe: Recipe) -> PlannedRun {
        let of_seed = if arm.stages.is_empty() { String::new() } else { format!("-seed{seed}") };
        let dir = format!("{}-test-{}{of_seed}", slug(&arm.name), slug(&test.name));
        let title = format!("{}, test {}, seed {seed}", arm.name, test.name);
        let dir = self.dir.join("runs").join(dir);
        PlannedRun { dir, recipe, title, purpose: Purpose::Test, after: None }
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

    /// Refuses what a run left where another run of the plan has made the policy anew that it began with. Of a policy that is
    /// not the plan's it warns alone: files may have come to it, as to a folder of the Hub's cache.
    pub(crate) fn check_start(&self) -> Result<Began, StudyError> {
        let Some(PolicySource::Dir(start)) = &self.recipe.policy else { return Ok(Began::WithTheSame) };
        let failed = |source| StudyError::Run { dir: self.dir.clone(), source: Box::new(source) };
        match (self.after, began_with(&self.dir, start).map_err(failed)) {
            (Some(_), Ok(false)) => {
                Err(StudyError::OtherStart { dir: self.dir.clone(), start: start.clone() })
            }
            (Some(_), Err(error)) => Err(error),
            (None, Ok(false)) => {
                let (run, start) = (self.dir.display(), start.display());
                tracing::warn!("{run} began with other files than are now in {start}");
                Ok(Began::WithOthers)
            }
            _ => Ok(Began::WithTheSame),
        }
    }
}

/// Which files a finished run began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Began {
    /// Those that are there now.
    WithTheSame,
    /// Others: what was measured of them says nothing of those that are there now.
    WithOthers,
}

/// A name as part of a file's name.
pub(crate) fn slug(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

fn recipe_error(arm: &Arm, stage: &Stage, source: Box<dyn std::error::Error + Send + Sync>) -> StudyError {
    StudyError::Recipe { arm: arm.name.clone(), recipe: stage.recipe.clone(), source }
}

#[cfg(test)]
pub(crate) mod tests {
    use toolrl_eval::{EvalReport, Rates};
    use toolrl_train::TrainError;

    use super::*;

    const STUDY: &str = r#"
name = "small"
seeds = [1, 2]
set = ["slots=4"]
[[arm]]
name = "raw"
[[arm]]
name = "SFT"
stage = [{ recipe = "sft" }]
[[arm]]
name = "SFT+GRPO"
stage = [{ recipe = "sft" }, { recipe = "grpo", set = ["slots=8"] }]
[[finding]]
claim = "reinforcement adds to fine-tuning"
better = "SFT+GRPO"
worse = "SFT"
by = "reward"
"#;

    /// A recipe of nothing but its method, which is its name.
    fn recipe(method: &str, set: &[String]) -> Result<Recipe, TrainError> {
        Recipe::parse(&format!("name = \"{method}\"\n[train]\nmethod = \"{method}\"\nsteps = 2\n"), set)
    }

    fn planned(study: &str, dir: &Path, only: &[&str]) -> Result<Plan, StudyError> {
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        Plan::of(Study::parse(study).unwrap(), dir, Path::new("start"), &only, recipe)
    }

    /// Some of its arms.
    pub(crate) fn plan_of(dir: &Path, only: &[&str]) -> Plan {
        planned(STUDY, dir, only).unwrap()
    }

    /// A plan of three arms with two seeds: as it is, fine-tuned, reinforced after that.
    pub(crate) fn plan(dir: &Path) -> Plan {
        planned(STUDY, dir, &[]).unwrap()
    }

    /// What a run of so many seconds left, with the mean rewards before and after it.
    pub(crate) fn summary(seed: u64, seconds: u64, rewards: [f64; 2]) -> Summary {
        let report = |mean_reward| EvalReport {
            overall: Rates { tasks: 4, mean_reward, ..Rates::default() },
            ..EvalReport::default()
        };
        let [before, after] = rewards.map(report);
        Summary {
            recipe: "r".to_owned(),
            seed,
            steps: 2,
            seconds: seconds as f64,
            cpu_seconds: Some(2.0 * seconds as f64),
            before,
            after,
            ..Summary::default()
        }
    }

    #[test]
    fn arms_share_the_runs_that_they_begin_with() {
        let plan = plan(Path::new("out"));
        let titles: Vec<&str> = plan.runs.iter().map(|run| run.title.as_str()).collect();
        let second = "SFT+GRPO, stage 2 of 2, seed";
        assert_eq!(
            titles,
            ["SFT, seed 1", &format!("{second} 1"), "SFT, seed 2", &format!("{second} 2")],
            "all arms of a seed before the next seed"
        );
        assert_eq!(plan.chains, [vec![vec![], vec![]], vec![vec![0], vec![2]], vec![vec![0, 1], vec![2, 3]]]);
    }

    #[test]
    fn a_stage_starts_from_what_the_one_before_it_left() {
        let plan = plan(Path::new("out"));
        let of = |run: usize| (plan.runs[run].after, plan.runs[run].recipe.policy.clone());
        let dir = |dir: &str| Some(PolicySource::Dir(dir.into()));
        assert_eq!(of(2), (None, dir("start")));
        assert_eq!(of(3), (Some(2), dir("out/runs/sft-stage1-seed2/final")));
        let set = |run: usize| (plan.runs[run].recipe.seed, plan.runs[run].recipe.slots);
        assert_eq!([set(0), set(3)], [(1, 4), (2, 8)], "a stage's settings come after the study's");
    }

    /// The plan of two seeds with two tests.
    pub(crate) fn tested_plan(dir: &Path) -> Plan {
        tested_plan_of(dir, &[])
    }

    /// Some of its arms.
    pub(crate) fn tested_plan_of(dir: &Path, only: &[&str]) -> Plan {
        let test = |name: &str, slots: u32| {
            format!("[[test]]\nname = \"{name}\"\nrecipe = \"sft\"\nset = [\"slots={slots}\"]\n")
        };
        let text = format!("{STUDY}{}{}", test("world", 5), test("BFCL", 6));
        planned(&text, dir, only).unwrap()
    }

    #[test]
    fn tests_are_of_what_an_arm_left_and_the_start_is_tested_once() {
        let plan = tested_plan(Path::new("out"));
        assert_eq!(plan.tests[0], [vec![0, 1], vec![0, 1]], "one policy, whatever the seed");
        assert_eq!(plan.tests[1..], [vec![vec![3, 4], vec![9, 10]], vec![vec![6, 7], vec![12, 13]]]);
        assert_eq!(plan.chains[2], [vec![2, 5], vec![8, 11]]);
        let of = |run: usize| {
            let PlannedRun { dir, recipe, after, purpose, .. } = &plan.runs[run];
            (dir.clone(), recipe.policy.clone(), recipe.slots, *after, *purpose)
        };
        let policy = |dir: &str| Some(PolicySource::Dir(dir.into()));
        let start = ("out/runs/raw-test-world".into(), policy("start"), 5, None, Purpose::Test);
        assert_eq!(of(0), start);
        let left = "out/runs/sft-stage1-seed2/final";
        let second = ("out/runs/sft-test-bfcl-seed2".into(), policy(left), 6, Some(8), Purpose::Test);
        assert_eq!(of(10), second);
        let twice = STUDY.replace("[[arm]]\nname = \"raw\"", "[[test]]\nname = \"a\"\nrecipe = \"sft\"\n[[test]]\nname = \"A\"\nrecipe = \"sft\"\n[[arm]]\nname = \"raw\"");
        assert!(Study::parse(&twice).unwrap_err().to_string().contains("two tests"));
    }

    #[test]
    fn a_recipe_that_cannot_be_resolved_is_named_with_its_arm() {
        let text = STUDY.replace("slots=8", "slotz=8");
        let of = |only: &[&str]| planned(&text, Path::new("out"), only);
        let message = of(&[]).unwrap_err().to_string();
        assert_eq!(of(&["SFT+GRPO"]).unwrap_err().to_string(), message);
        assert_eq!(of(&["raw", "SFT"]).unwrap().chains.len(), 2, "it is none of these");
        assert!(message.starts_with("arm \"SFT+GRPO\", recipe \"grpo\": "), "{message}");
        assert!(message.contains("slotz"), "{message}");
    }

    #[test]
    fn a_run_counts_as_finished_where_its_settings_are_the_plans() {
        let dir = tempfile::tempdir().unwrap();
        let run = &plan(dir.path()).runs[0];
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(&run.dir).unwrap();
            std::fs::write(run.dir.join(name), text).unwrap();
        };
        assert_eq!(run.finished().unwrap(), None, "there is nothing yet");
        write("config.toml", &run.recipe.to_toml().unwrap());
        assert_eq!(run.finished().unwrap(), None, "it was cut off");
        summary(1, 2, [0.0, 0.0]).write(&run.dir.join("summary.json")).unwrap();
        let moved = Recipe { policy: Some(PolicySource::Dir("elsewhere".into())), ..run.recipe.clone() };
        write("config.toml", &moved.to_toml().unwrap());
        assert_eq!(run.finished().unwrap().map(|summary| summary.steps), Some(2), "a folder may be moved");
        let other = Recipe { slots: 5, ..run.recipe.clone() };
        write("config.toml", &other.to_toml().unwrap());
        assert!(matches!(run.finished(), Err(StudyError::OtherSettings { dir }) if dir == run.dir));
    }
}
