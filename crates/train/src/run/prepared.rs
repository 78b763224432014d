//! Everything that a run needs, read and checked before anything is computed.

use toolrl_policy::{Place, Policy};

use crate::evaluation::{LoadedBenchmark, LoadedSet};
use crate::identity::Identity;
use crate::stage::Stage;
use crate::start::Start;
use crate::task::{Data, load_data};
use crate::{EvalConfig, Recipe, TrainError};

use super::Job;

/// A run before its first step.
pub(super) struct Prepared {
    /// The recipe with every choice made.
    pub recipe: Recipe,
    pub place: Place,
    /// In the policy's dialect.
    pub data: Data,
    pub start: Start,
    /// What is trained.
    pub trained: Policy,
    pub stage: Stage,
    pub sets: Vec<LoadedSet>,
    pub benchmarks: Vec<LoadedBenchmark>,
    pub identity: Identity,
}

impl Prepared {
    /// What a job needs. A fresh policy is written to the run's directory, and nothing else.
    pub(super) fn of(job: &Job<'_>) -> Result<Self, TrainError> {
        let mut recipe = job.recipe.resolved()?;
        recipe.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let data = load_data(&recipe.data, recipe.seed)?;
        let place = recipe.device.open()?;
        recipe.train.check_on(&place)?;
        let start = Start::of(&recipe, &data, job.run_dir, &place.device)?;
        let dialect = start.chat.dialect();
        let data = data.in_dialect(dialect)?;
        recipe.dialect = dialect.name().to_owned();
        let sets = LoadedSet::all(&recipe, &start.chat)?;
        if recipe.eval.saves_the_best()
            && recipe.eval.best.by == EvalConfig::HELD_OUT
            && data.held_out.is_empty()
        {
            let why = "eval.best.by = \"held-out\", and none is held out".to_owned();
            return Err(TrainError::NoTasks { what: "held-out data", why });
        }
        let benchmarks = LoadedBenchmark::all(&recipe, dialect)?;
        let setting = job.parts.setting(&recipe);
        let (stage, counts) = Stage::of(&recipe, &data, (&start.chat, setting), &start.policy)?;
        let trained = start.trained(&recipe)?;
        let decisive = (&sets[..], &job.parts.rubrics.training);
        let identity = Identity::of((&data, &stage, counts), decisive, &start, &place.name)?;
        Ok(Self { recipe, place, data, start, trained, stage, sets, benchmarks, identity })
    }
}
