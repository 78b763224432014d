//! A recipe for those who outgrow one machine: its data, its reward and its settings as files for TRL and verl.
//!
//! Invariant: every setting of the recipe has a counterpart there, is met by the files, or is named as one that has none. The
//! prompts are those that a run of the recipe samples from, to the token.

mod check;
mod error;
mod page;
mod python;
mod settings;
mod shared;
mod tables;
mod trl;
mod verl;

use std::path::Path;

use serde_json::Value;
use toolrl_chat::Chat;
use toolrl_train::{Demonstrated, Method, Prompted, Recipe};

pub use error::ExportError;
pub use settings::{Fate, Row, Settings, UNKNOWN};

/// The role of the message that a prompt of verl's is: the template in `tokenizer/` renders its content as it stands.
pub const RENDERED: &str = "rendered";

/// Another trainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trainer {
    /// TRL's GRPOTrainer and SFTTrainer.
    Trl,
    /// verl's main_ppo.
    Verl,
}

/// What a recipe trains on.
#[derive(Clone, Debug)]
pub enum Tasks {
    /// Tasks to which replies are sampled.
    Sampled(Prompted),
    /// Gold replies.
    Shown(Demonstrated),
}

impl Tasks {
    /// The recipe with every choice made.
    pub fn recipe(&self) -> &Recipe {
        match self {
            Self::Sampled(prompted) => &prompted.recipe,
            Self::Shown(shown) => &shown.recipe,
        }
    }

    /// Tasks to train on, those held out, and steps.
    pub fn counts(&self) -> (usize, usize, u64) {
        match self {
            Self::Sampled(Prompted { train, held_out, steps, .. }) => (train.len(), held_out.len(), *steps),
            Self::Shown(Demonstrated { train, held_out, steps, .. }) => (train.len(), held_out.len(), *steps),
        }
    }

    fn words(&self) -> (&Chat, &[u32]) {
        match self {
            Self::Sampled(prompted) => (&prompted.chat, &prompted.stops),
            Self::Shown(shown) => (&shown.chat, &shown.stops),
        }
    }
}

/// The policy that training begins with, as the other trainer is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// A directory, or a name on the Hub. What is no absolute path is looked for in the exported directory first.
    pub name: String,
    /// Which of its revisions, where it is on the Hub.
    pub revision: Option<String>,
}

const TRAIN: &str = "train.parquet";
const HELD_OUT: &str = "held_out.parquet";
const REWARD: &str = "reward.toml";
const PAGE: &str = "SETTINGS.md";
const TOKENIZER: &str = "tokenizer";

impl Trainer {
    /// Its name with the release whose settings are written.
    pub fn release(self) -> &'static str {
        match self {
            Self::Trl => trl::RELEASE,
            Self::Verl => verl::RELEASE,
        }
    }

    /// The files of an export, and the folder `tokenizer`. One of SFT has no reward.
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Self::Trl => &["train.py", "settings.py", "reward.py", REWARD, TRAIN, HELD_OUT, TOKENIZER, PAGE],
            Self::Verl => &["run.sh", "recipe.yaml", "reward.py", REWARD, TRAIN, HELD_OUT, TOKENIZER, PAGE],
        }
    }

    /// Refuses a recipe of a method that the other trainer does not have.
    ///
    /// # Errors
    /// [`ExportError::Unsupported`].
    pub fn takes(self, recipe: &Recipe) -> Result<(), ExportError> {
        let supported = match (self, &recipe.train) {
            (_, Method::Grpo(_)) | (Self::Trl, Method::Sft(_)) | (Self::Verl, Method::Ppo(_)) => {
                return Ok(());
            }
            (Self::Trl, _) => "supported are sft and grpo; toolrl export verl has ppo",
            (Self::Verl, _) => "supported are grpo and ppo; toolrl export trl has sft",
        };
        Err(ExportError::Unsupported {
            trainer: self.release(),
            key: "train.method",
            value: shared::method(&recipe.train).to_owned(),
            what: supported.to_owned(),
        })
    }

    /// Every setting of the recipe with what becomes of it.
    ///
    /// # Errors
    /// [`ExportError::Unsupported`] for a setting without which training there would be another method.
    pub fn settings(self, tasks: &Tasks) -> Result<Settings, ExportError> {
        self.takes(tasks.recipe())?;
        match (tasks, &tasks.recipe().train) {
            (Tasks::Shown(shown), Method::Sft(sft)) => trl::sft::settings(shown, sft),
            (Tasks::Sampled(prompted), Method::Grpo(grpo)) if self == Self::Trl => {
                trl::settings(prompted, grpo)
            }
            (Tasks::Sampled(prompted), _) => verl::settings(prompted),
            (Tasks::Shown(_), _) => Err(ExportError::Recipe("these are no tasks of its method".to_owned())),
        }
    }

    /// Writes the recipe's files into a directory, over those of the same names.
    ///
    /// # Errors
    /// [`ExportError`]; what cannot be exported is refused before anything is written.
    pub fn export(self, tasks: &Tasks, model: &Model, dir: &Path) -> Result<Settings, ExportError> {
        let settings = self.settings(tasks)?;
        if let Tasks::Sampled(prompted) = tasks {
            check::reward(&prompted.recipe)?;
            check::prompts(prompted)?;
            if self == Self::Verl {
                check::replies(prompted)?;
            }
        }
        let made = |source| ExportError::Write { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir.join(TOKENIZER)).map_err(made)?;
        write(dir, PAGE, &page::page(&tasks.recipe().name, self.release(), &settings))?;
        match (self, tasks) {
            (Self::Trl, _) => trl::write(dir, tasks, model, &settings)?,
            (Self::Verl, Tasks::Sampled(prompted)) => verl::write(dir, prompted, model, &settings)?,
            (Self::Verl, Tasks::Shown(_)) => {}
        }
        Ok(settings)
    }
}

/// Writes the reward's terms as a file of their own.
fn write_reward(dir: &Path, recipe: &Recipe) -> Result<(), ExportError> {
    let failed = |e: toml::ser::Error| ExportError::Recipe(e.to_string());
    let terms = toml::Value::try_from(&recipe.reward).map_err(failed)?;
    let text = toml::to_string(&toml::Table::from_iter([("reward".to_owned(), terms)])).map_err(failed)?;
    write(dir, REWARD, &format!("# The reward of the recipe {}.\n{text}", Value::from(recipe.name.as_str())))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<(), ExportError> {
    let path = dir.join(name);
    std::fs::write(&path, text).map_err(|source| ExportError::Write { path, source })
}
