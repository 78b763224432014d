//! What a run is trained and evaluated on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_data::world::WorldConfig;
use toolrl_data::{Faulty, HeldOut, LoadConfig, Turns};

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// The synthetic tool world.
    World(WorldConfig),
    /// Files of rows (docs/data.md).
    Files(FilesConfig),
}

impl Default for DataSource {
    fn default() -> Self {
        Self::World(WorldConfig::default())
    }
}

/// A user's own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// JSON, JSON lines or Parquet, gzipped or not.
    pub train: PathBuf,
    /// What to evaluate on; without it, a part of `train` is held out.
    pub eval: Option<PathBuf>,
    /// How much of `train` is held out where `eval` is absent: `{ fraction = 0.1 }` by default. With `{ count = 0 }` all of
    /// it is trained on, and there is no evaluation on held-out tasks.
    #[serde(default = "a_tenth")]
    pub hold_out: HeldOut,
    /// Which replies of a dialogue are samples. Default: each.
    #[serde(default)]
    pub turns: Turns,
    /// What becomes of a row that cannot be read. Default: it ends the run before it begins.
    #[serde(default)]
    pub faulty: Faulty,
}

impl FilesConfig {
    /// One file, a tenth of it held out.
    pub fn new(train: PathBuf) -> Self {
        let LoadConfig { turns, faulty } = LoadConfig::default();
        Self { train, eval: None, hold_out: a_tenth(), turns, faulty }
    }

    /// How its files are read.
    pub fn load(&self) -> LoadConfig {
        LoadConfig { turns: self.turns, faulty: self.faulty }
    }

    /// Whether the recipe asks for no held-out tasks.
    pub(crate) fn holds_nothing_out(&self) -> bool {
        self.eval.is_none() && matches!(self.hold_out, HeldOut::Count(0) | HeldOut::Fraction(0.0))
    }
}

fn a_tenth() -> HeldOut {
    HeldOut::Fraction(0.1)
}
