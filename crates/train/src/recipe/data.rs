//! What a run is trained and evaluated on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolrl_data::wide::WideConfig;
use toolrl_data::world::WorldConfig;
use toolrl_data::{Faulty, HeldOut, LoadConfig, Turns};

use crate::{CompletionsConfig, Method, TrainError};

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// The synthetic tool world.
    World(WorldConfig),
    /// The wide world: tools by the thousand, in OpenAI's form (docs/data.md).
    Wide(WideConfig),
    /// Files of rows (docs/data.md).
    Files(FilesConfig),
    /// Several of these, by weight.
    Mix(Vec<MixPart>),
    /// What an earlier run sampled, for SFT and DPO (docs/offline.md).
    Completions(CompletionsConfig),
}

impl Default for DataSource {
    fn default() -> Self {
        Self::World(WorldConfig::default())
    }
}

/// One of several sources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "MixFields")]
pub struct MixPart {
    /// What it is called in metrics, and before the ids of its samples. By default the name of its file without the
    /// extension, or `world` or `wide`.
    pub name: Option<String>,
    /// Its share of what is trained on, against the other sources' weights.
    pub weight: f64,
    /// Where its samples come from: `world`, `wide` or `files`.
    #[serde(flatten)]
    pub source: DataSource,
}

/// A source as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MixFields {
    name: Option<String>,
    weight: f64,
    world: Option<WorldConfig>,
    wide: Option<WideConfig>,
    files: Option<FilesConfig>,
}

impl TryFrom<MixFields> for MixPart {
    type Error = &'static str;

    fn try_from(MixFields { name, weight, world, wide, files }: MixFields) -> Result<Self, Self::Error> {
        let source = match (world, wide, files) {
            (Some(world), None, None) => DataSource::World(world),
            (None, Some(wide), None) => DataSource::Wide(wide),
            (None, None, Some(files)) => DataSource::Files(files),
            _ => return Err("a source of data.mix should have either world, wide or files"),
        };
        Ok(Self { name, weight, source })
    }
}

impl MixPart {
    /// What it is called.
    pub fn name(&self) -> String {
        let of_source = || match &self.source {
            DataSource::Files(files) => {
                files.train.file_stem().unwrap_or_default().to_string_lossy().into_owned()
            }
            DataSource::Wide(_) => "wide".to_owned(),
            DataSource::World(_) | DataSource::Mix(_) | DataSource::Completions(_) => "world".to_owned(),
        };
        self.name.clone().unwrap_or_else(of_source)
    }
}

impl DataSource {
    /// The files that it reads.
    pub fn paths(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::World(_) | Self::Wide(_) => Vec::new(),
            Self::Files(files) => std::iter::once(&mut files.train).chain(&mut files.eval).collect(),
            Self::Mix(parts) => parts.iter_mut().flat_map(|part| part.source.paths()).collect(),
            Self::Completions(completions) => vec![&mut completions.run],
        }
    }

    /// The sources of a mix; none of another.
    pub(crate) fn mix(&self) -> &[MixPart] {
        if let Self::Mix(parts) = self { parts } else { &[] }
    }

    /// Whether the recipe asks for no held-out tasks.
    pub(crate) fn holds_nothing_out(&self) -> bool {
        match self {
            Self::World(_) | Self::Wide(_) | Self::Completions(_) => false,
            Self::Files(files) => files.holds_nothing_out(),
            Self::Mix(parts) => parts.iter().all(|part| part.source.holds_nothing_out()),
        }
    }

    /// Refuses what a method cannot learn from.
    pub(crate) fn check(&self, method: &Method) -> Result<(), TrainError> {
        let wrong = |what: &str| Err(TrainError::Recipe(what.to_owned()));
        match (self, method) {
            (Self::Completions(completions), Method::Sft(_) | Method::Dpo(_)) => completions.check(),
            (Self::Completions(_), Method::Grpo(_)) => {
                wrong("train.method = \"grpo\" samples its own replies: data.completions is for sft and dpo")
            }
            (Self::Completions(_), Method::Ppo(_)) => {
                wrong("train.method = \"ppo\" samples its own replies: data.completions is for sft and dpo")
            }
            (_, Method::Dpo(_)) => Err(Self::not_sampled()),
            (Self::Mix(parts), _) => check_mix(parts),
            _ => Ok(()),
        }
    }

    /// What is wrong with other data for DPO.
    pub(crate) fn not_sampled() -> TrainError {
        let what =
            "train.method = \"dpo\" learns from what a run sampled: set data.completions.run, or give --run";
        TrainError::Recipe(what.to_owned())
    }
}

fn check_mix(parts: &[MixPart]) -> Result<(), TrainError> {
    let wrong = |message: String| Err(TrainError::Recipe(message));
    if parts.is_empty() {
        return wrong("data.mix should have a source at least".to_owned());
    }
    let mut names = BTreeSet::new();
    for (i, part) in parts.iter().enumerate() {
        let name = part.name();
        if !(part.weight > 0.0 && part.weight.is_finite()) {
            return wrong(format!("data.mix[{i}].weight = {} of {name:?} should be above 0", part.weight));
        }
        if name.is_empty() || name.contains('/') {
            return wrong(format!("data.mix[{i}].name = {name:?} should be a word without slashes"));
        }
        if !names.insert(name.clone()) {
            return wrong(format!(
                "data.mix[{i}].name: another source is called {name:?} too: give it a name"
            ));
        }
    }
    Ok(())
}

/// A user's own data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// JSON, JSON lines or Parquet; may be packed by gzip or zstd.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;

    fn parse(data: &str) -> Result<Recipe, TrainError> {
        Recipe::parse(&format!("name = \"a\"\n[train]\nmethod = \"sft\"\n{data}"), &[])
    }

    const MIX: &str = "[[data.mix]]\nweight = 3\nfiles = { train = \"in/mine.jsonl\", hold_out = { count = 2 } }\n\
                       [[data.mix]]\nname = \"made\"\nweight = 1.5\nworld = { train = 8 }\n";

    #[test]
    fn a_mix_has_sources_with_names_and_weights() {
        let mut recipe = parse(MIX).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), &[]).unwrap(), recipe);
        assert_eq!(recipe.data.paths(), [&PathBuf::from("in/mine.jsonl")]);
        let DataSource::Mix(parts) = &recipe.data else { panic!("{:?}", recipe.data) };
        let found: Vec<_> = parts.iter().map(|part| (part.name(), part.weight)).collect();
        assert_eq!(found, [("mine".to_owned(), 3.0), ("made".to_owned(), 1.5)]);
        assert!(matches!(&parts[1].source, DataSource::World(world) if world.train == 8));
    }

    #[test]
    fn what_is_wrong_with_a_mix_is_named() {
        let world = "[[data.mix]]\nweight = 1\nworld = {}\n";
        for (text, part) in [
            ("[data]\nmix = []\n".to_owned(), "data.mix should have a source"),
            (MIX.replace("1.5", "0"), "data.mix[1].weight = 0 of \"made\" should be above 0"),
            (MIX.replace("1.5", "-1"), "data.mix[1].weight = -1"),
            (MIX.replace("1.5", "nan"), "data.mix[1].weight = NaN"),
            (MIX.replace("weight = 1.5", "weight = 1.5\nwait = 2"), "wait"),
            (MIX.replace("weight = 1.5\n", ""), "weight"),
            (MIX.replace("world = { train = 8 }", "planet = 3"), "planet"),
            (MIX.replace("world = { train = 8 }", "world = { trains = 8 }"), "trains"),
            (MIX.replace("world = { train = 8 }", "mix = []"), "unknown field `mix`"),
            (MIX.replace("world = { train = 8 }", ""), "either world, wide or files"),
            (MIX.replace("weight = 3", "weight = 3\nworld = {}"), "either world, wide or files"),
            (MIX.replace("made", "mine"), "data.mix[1].name"),
            (MIX.replace("made", "a/b"), "data.mix[1].name = \"a/b\""),
            (world.repeat(2), "another source is called \"world\""),
        ] {
            let message = parse(&text).unwrap_err().to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
