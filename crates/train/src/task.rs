//! The data of a run: samples ready to be trained on, and those held out.

use std::path::Path;
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::world::World;
use toolrl_data::{GoldReport, Sample, load_with};
use toolrl_eval::reference;
use toolrl_grammar::{Dialect, ToolRl};
use toolrl_record::write_whole;
use toolrl_reward::Reference;
use toolrl_rollout::{Environment, Prompt};

use crate::limit::{OverlongCounts, TokenLimit, WithLength};
use crate::{DataSource, Recipe, TrainError, in_dialect};

/// The samples of a run.
#[derive(Clone, Debug)]
pub struct Data {
    /// To train on.
    pub train: Vec<Sample>,
    /// To evaluate on.
    pub held_out: Vec<Sample>,
    /// Training samples whose gold reply cannot be scored; RL leaves them out.
    pub gold: GoldReport,
}

/// Reads or makes the samples of a run.
///
/// # Errors
/// [`TrainError::Data`] naming file and row; [`TrainError::NoTasks`] when nothing is held out.
pub fn load_data(source: &DataSource, seed: u64) -> Result<Data, TrainError> {
    let (train, held_out) = match source {
        DataSource::World(config) => {
            let tasks = World::generate(config)?;
            (tasks.train, tasks.held_out)
        }
        DataSource::Files(files) => {
            let train = load_with(&files.train, files.load())?;
            match &files.eval {
                Some(eval) => (train.samples, load_with(eval, files.load())?.samples),
                None => {
                    let parts = train.split(files.hold_out, seed)?;
                    (parts.train, parts.held_out)
                }
            }
        }
    };
    let nothing_held_out = matches!(source, DataSource::Files(files) if files.holds_nothing_out());
    for (what, part) in [("training data", &train), ("held-out data", &held_out)] {
        if part.is_empty() && !(what == "held-out data" && nothing_held_out) {
            return Err(TrainError::NoTasks { what, why: "the split left nothing to this part".to_owned() });
        }
    }
    let gold = GoldReport::of(&train);
    Ok(Data { train, held_out, gold })
}

impl Data {
    /// The same in a dialect.
    pub(crate) fn in_dialect(self, dialect: &'static dyn Dialect) -> Result<Self, TrainError> {
        let (train, held_out) = (in_dialect(self.train, dialect)?, in_dialect(self.held_out, dialect)?);
        // The gold check is of ToolRL's text.
        let gold = if dialect.name() == ToolRl.name() { self.gold } else { GoldReport::default() };
        Ok(Self { train, held_out, gold })
    }
}

/// The ids of the samples that a run holds out.
const HELD_OUT: &str = "held_out.json";

/// Writes down which samples a run holds out.
pub(crate) fn write_held_out(run_dir: &Path, data: &Data) -> Result<(), TrainError> {
    let ids: Vec<&str> = data.held_out.iter().map(|sample| sample.id.as_str()).collect();
    Ok(write_whole(&run_dir.join(HELD_OUT), &serde_json::to_vec(&ids).unwrap_or_default())?)
}

/// The samples that a run held out: those that its recipe gives, compared with what it wrote down.
///
/// # Errors
/// As [`load_data`]; [`TrainError::Changed`] where other samples are held out now.
pub fn held_out_of(run_dir: &Path, recipe: &Recipe) -> Result<Vec<Sample>, TrainError> {
    let path = run_dir.join(HELD_OUT);
    let broken = |what: String| TrainError::CheckpointFile { path: path.clone(), what };
    let bytes = std::fs::read(&path).map_err(|e| broken(e.to_string()))?;
    let ids: Vec<String> = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
    let held_out = load_data(&recipe.data, recipe.seed)?.held_out;
    if held_out.iter().map(|sample| &sample.id).eq(&ids) {
        return Ok(held_out);
    }
    let what =
        vec![format!("held-out samples: {} then, {} now, and not the same", ids.len(), held_out.len())];
    Err(TrainError::Changed { dir: run_dir.to_owned(), what })
}

/// A training task of RL: a sample, its prompt, and what replies are scored against.
#[derive(Debug)]
pub(crate) struct Task {
    pub sample: Sample,
    pub prompt: Arc<Prompt>,
    pub reference: Reference,
}

/// The scorable samples as tasks, in what becomes of those that are too long.
pub(crate) fn tasks(
    data: &Data,
    (chat, environment): (&Chat, &dyn Environment),
    limit: TokenLimit,
) -> Result<(Vec<Task>, OverlongCounts), TrainError> {
    let scorable = data.gold.scorable(data.train.clone());
    if scorable.is_empty() {
        let why = format!("{} samples have gold replies that cannot be scored", data.gold.unscorable.len());
        return Err(TrainError::NoTasks { what: "training data", why });
    }
    let prompted = |sample: Sample| {
        let prompt = Prompt::of_sample(chat, environment, &sample, 0)?;
        Ok(WithLength { id: sample.id.clone(), tokens: prompt.tokens.len(), sample: (sample, prompt) })
    };
    let prompted = scorable.into_iter().map(prompted).collect::<Result<Vec<_>, TrainError>>()?;
    let cut = |(sample, prompt): (Sample, Prompt)| Ok((sample, prompt.keep_last(chat, limit.tokens)?));
    let (prompted, counts) = limit.apply(prompted, cut)?;
    let task = |(task, (sample, prompt)): (usize, (Sample, Prompt))| {
        let reference = reference(&sample, chat.dialect())
            .map_err(|source| TrainError::Gold { id: sample.id.clone(), source })?;
        Ok(Task { sample, prompt: Arc::new(Prompt { task, index: task as u64, ..prompt }), reference })
    };
    Ok((prompted.into_iter().enumerate().map(task).collect::<Result<_, TrainError>>()?, counts))
}
