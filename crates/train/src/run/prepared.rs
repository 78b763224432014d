//! Everything that a run needs, read and checked before anything is computed.

use burn::tensor::Device;
use toolrl_policy::{Place, Policy};

use crate::evaluation::{LoadedBenchmark, LoadedSet};
use crate::identity::Identity;
use crate::served::no_adapters;
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
    /// Further devices that it is trained on.
    pub others: Vec<Device>,
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
    /// What a job needs. A policy that is made first is written to the run's directory, and nothing else.
    pub(super) fn of(job: &Job<'_>) -> Result<Self, TrainError> {
        let mut recipe = job.recipe.resolved()?;
        recipe.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let data = load_data(&recipe.data, recipe.seed)?;
        let (place, others) = recipe.device.open_several(recipe.devices)?;
        std::iter::once(&place).chain(&others).try_for_each(|place| recipe.train.check_on(place))?;
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
        if recipe.sampler.sends_adapters() && trained.lora().is_none() {
            return Err(no_adapters());
        }
        let decisive = (&sets[..], &job.parts.rubrics.training);
        let identity = Identity::of((&data, &stage, counts), decisive, &start, &name(&place, &others))?;
        let others = others.into_iter().map(|place| place.device).collect();
        Ok(Self { recipe, place, others, data, start, trained, stage, sets, benchmarks, identity })
    }
}

/// What all devices are: `2 x cpu`.
fn name(first: &Place, others: &[Place]) -> String {
    let mut names = first.name.clone();
    if others.is_empty() {
        return names;
    }
    if others.iter().all(|other| other.name == first.name) {
        return format!("{} x {names}", 1 + others.len());
    }
    others.iter().for_each(|other| names += &format!(" + {}", other.name));
    names
}
