//! A recipe: everything that decides a run, as TOML with unknown keys refused.

mod adapters;
mod benchmark;
mod completions;
mod data;
mod dpo;
mod eval;
mod guards;
mod length;
mod method;
mod offline;
mod optimizer;
mod passes;
mod policy;
mod prompts;
mod reference;
mod resolve;
mod rl;
mod rollout;
mod rubrics;
mod sampler;
mod sft;
mod tasks;
mod warnings;

use serde::{Deserialize, Serialize};
use toolrl_chat::TemplateVariables;
use toolrl_grammar::dialect::named;
use toolrl_policy::{DeviceChoice, Precision};
use toolrl_reward::{Registry, Rubric, RubricConfig};
use toolrl_rollout::SamplingParams;
use toolrl_trackers::TrackerConfig;

use crate::TrainError;

pub use adapters::StartAdapters;
pub use benchmark::{ApiBankHandler, BenchmarkConfig};
pub use completions::CompletionsConfig;
pub use data::{DataSource, FilesConfig, MixPart};
pub use dpo::DpoConfig;
pub use eval::{BestBy, EarlyStop, EvalConfig, EvalMeasure, EvalSet, FinalPolicy};
pub use guards::{GuardConfig, OnFault};
pub use method::Method;
pub use offline::OfflineConfig;
pub use optimizer::{MomentStorage, OptimizerConfig};
pub use passes::PassOrder;
pub use policy::{AdaptersOn, FreshPolicy, PolicySource};
pub use prompts::OverlongPrompts;
pub use reference::{KlReference, Renewal};
pub use rl::{
    CreditKind, CriticConfig, GroupFilter, GrpoConfig, Overlong, PpoAdvantage, PpoConfig, ResampleBy,
    RlConfig, Truncated,
};
pub use rollout::EnvironmentConfig;
pub use rubrics::Rubrics;
pub use sampler::{SamplerConfig, ServedWeights};
pub use sft::SftConfig;
pub use tasks::{DifficultyConfig, RestConfig, RestLength, Success, TasksConfig};

/// A whole run's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The recipe's name: in the run directory's name, and in its report.
    pub name: String,
    /// Everything random follows from it.
    #[serde(default)]
    pub seed: u64,
    /// How weights, activations and cached keys and values are stored: `f32`, or `bf16` with f32 masters of the
    /// weights that are trained.
    #[serde(default)]
    pub precision: Precision,
    /// Where it is computed: `auto` (an NVIDIA GPU where there is one that can be used, the CPU otherwise), `cpu`,
    /// `cuda` or `cuda:N`.
    #[serde(default)]
    pub device: DeviceChoice,
    /// On how many devices it is trained: `device` and those of the numbers after it, so that `cuda` with 4 is `cuda:0` to
    /// `cuda:3`. Each has the weights, and computes a share of a step's groups; the first alone samples and evaluates. The
    /// CPU then stands for several devices, one after the other: nothing is faster, and tests need no GPU.
    #[serde(default = "one_device")]
    pub devices: usize,
    /// Where the policy comes from.
    pub policy: Option<PolicySource>,
    /// How the policy writes its turns: the name of a dialect, or `auto`: ToolRL's where the data is in ToolRL's text,
    /// otherwise the one that the policy's own chat template writes. A run's `config.toml` has its name.
    #[serde(default = "auto")]
    pub dialect: String,
    /// How conversations and their tools are shown: `native`, by the policy's own chat template; `chatml`, by one of ours
    /// for models that know ChatML and show no tools; a file with another chat template; or `toolrl`, by the own template,
    /// with tools told in the system's text. A template that is not the policy's own is saved with it.
    #[serde(default = "native")]
    pub prompt: String,
    /// What the chat template reads beside the conversation: `template.values.enable_thinking = false`, and
    /// `template.date`, the day that it tells as today's; that of the run's beginning by default, written down.
    #[serde(default)]
    pub template: TemplateVariables,
    /// What it is trained and evaluated on.
    #[serde(default)]
    pub data: DataSource,
    /// The reward's terms, or the name of a preset; ToolRL's format and correctness by default.
    #[serde(default)]
    pub reward: RubricConfig,
    /// How replies are sampled in training.
    #[serde(default)]
    pub sampling: SamplingParams,
    /// Replies decoded together, at most; more are faster and take more memory.
    #[serde(default = "default_slots")]
    pub slots: usize,
    /// Who samples.
    #[serde(default)]
    pub sampler: SamplerConfig,
    /// Where episodes take place.
    #[serde(default)]
    pub environment: EnvironmentConfig,
    /// The method and its settings.
    pub train: Method,
    /// The evaluation before, during and after.
    #[serde(default)]
    pub eval: EvalConfig,
    /// Where else its numbers go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trackers: Vec<TrackerConfig>,
}

/// The choice of [`Recipe::dialect`] by data and template.
pub(crate) const AUTO: &str = "auto";

fn auto() -> String {
    AUTO.to_owned()
}

/// The choices of [`Recipe::prompt`] beside a file.
pub(crate) const NATIVE: &str = "native";
pub(crate) const TOOLRL: &str = "toolrl";
pub(crate) const CHATML: &str = "chatml";

fn native() -> String {
    NATIVE.to_owned()
}

fn one_device() -> usize {
    1
}

fn default_slots() -> usize {
    32
}

impl Recipe {
    /// Reads a recipe, then sets each `key=value` of `overrides`, a key being a path such as
    /// `train.steps` and a value TOML (a bare word is taken as a string). A key below `data` names the source: others that
    /// the recipe has are put aside. What a recipe on a run's completions leaves out is as that run's `config.toml` has it.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] with the place of a syntax error, an unknown key, or a value out of range.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, TrainError> {
        let mut table: toml::Table = toml::from_str(text).map_err(|e| located(text, &e))?;
        for assignment in overrides {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| TrainError::Recipe(format!("--set {assignment}: expected key=value")))?;
            set(&mut table, key.trim(), value.trim())?;
        }
        if !completions::take_over(&mut table)? && overrides.is_empty() {
            // Straight from the text, so that errors show their line.
            return toml::from_str::<Self>(text).map_err(|e| located(text, &e))?.checked();
        }
        let method = method_of(&table);
        table.try_into::<Self>().map_err(|e| TrainError::Recipe(with_path(&e, &method)))?.checked()
    }

    /// The recipe as TOML: what lies beside every checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a path that is not Unicode.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|e| TrainError::Recipe(e.to_string()))
    }

    /// The rubrics of the recipe's rewards, of these terms.
    ///
    /// # Errors
    /// [`TrainError::Rubric`].
    pub fn rubrics(&self, registry: &Registry) -> Result<Rubrics, TrainError> {
        let training = Rubric::from_config(&self.reward, registry)?;
        let evaluation = self.eval.reward.as_ref().map(|r| Rubric::from_config(r, registry)).transpose()?;
        Ok(Rubrics { training, evaluation })
    }

    fn checked(self) -> Result<Self, TrainError> {
        let positive = [
            ("devices", self.devices),
            ("slots", self.slots),
            ("environment.max_turns", self.environment.max_turns),
        ];
        for (key, value) in positive.into_iter().chain(self.train.positive()) {
            if value == 0 {
                return Err(TrainError::Recipe(format!("{key} should be at least 1")));
            }
        }
        self.eval.check()?;
        if let Some(problem) = self.sampling.problem() {
            return Err(TrainError::Recipe(format!("sampling.{problem}")));
        }
        if self.dialect != AUTO {
            named(&self.dialect).map_err(|e| TrainError::Recipe(format!("dialect: {e}, and {AUTO}")))?;
        }
        self.template.check().map_err(|e| TrainError::Recipe(format!("template.values: {e}")))?;
        self.train.check()?;
        self.sampler.check(&self.train)?;
        for (place, tracker) in self.trackers.iter().enumerate() {
            tracker.check().map_err(|e| TrainError::Recipe(format!("trackers[{place}].{e}")))?;
        }
        self.data.check(&self.train)?;
        Ok(self)
    }
}

/// A TOML error on one line, with the line where it stands.
fn located(text: &str, error: &toml::de::Error) -> TrainError {
    let method = toml::from_str(text).map(|table| method_of(&table)).unwrap_or_default();
    let message = with_keys(error.message(), &method);
    TrainError::Recipe(match error.span() {
        Some(span) => format!("line {}: {message}", text[..span.start].matches('\n').count() + 1),
        None => message,
    })
}

fn method_of(table: &toml::Table) -> String {
    let method = table.get("train").and_then(|train| train.get("method")?.as_str());
    method.unwrap_or_default().to_owned()
}

/// A TOML error of no line, with the key's path where it is known.
fn with_path(error: &toml::de::Error, method: &str) -> String {
    let message = with_keys(error.message(), method);
    let shown = error.to_string();
    match shown.rsplit_once("\nin `").and_then(|(_, path)| path.trim_end().strip_suffix('`')) {
        Some(path) => format!("{path}: {message}"),
        None => message,
    }
}

/// Tells the keys that there are of one that there is not: serde does not know them all where settings are shared.
fn with_keys(message: &str, method: &str) -> String {
    let keys = Method::keys(method);
    if !message.starts_with("unknown field") || message.contains("expected") || keys.is_empty() {
        return message.to_owned();
    }
    format!("{message}, expected one of {}", keys.join(", "))
}

/// Sets one value of a table by the path of its key.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), TrainError> {
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}"))
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    if let Some(source) = key.strip_prefix("data.").and_then(|rest| rest.split('.').next())
        && let Some(data) = table.get_mut("data").and_then(toml::Value::as_table_mut)
    {
        data.retain(|other, _| other == source);
    }
    let (parents, last) =
        key.rsplit_once('.').map_or((Vec::new(), key), |(p, l)| (p.split('.').collect(), l));
    let mut at = table;
    for parent in parents {
        let entry = at.entry(parent).or_insert_with(|| toml::Table::new().into());
        at = entry
            .as_table_mut()
            .ok_or_else(|| TrainError::Recipe(format!("--set {key}: {parent} is a value, not a table")))?;
    }
    at.insert(last.to_owned(), parsed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"a\"\n[train]\nmethod = \"grpo\"\nsteps = 3\n";

    #[test]
    fn overrides_reach_nested_keys() {
        let set = |s: &[&str]| Recipe::parse(TEXT, &s.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        let recipe = set(&["train.steps=7", "sampling.temperature = 0.5", "policy.dir=some/where"]).unwrap();
        assert_eq!(recipe.train.steps(), Some(7));
        assert_eq!(recipe.sampling.temperature, 0.5);
        assert_eq!(recipe.policy, Some(PolicySource::Dir("some/where".into())));
        for preset in ["reward=star", "reward.preset=star"] {
            assert_eq!(set(&[preset]).unwrap().reward.terms[0].id, "rouge_values");
        }
        let world = format!("{TEXT}[data.world]\nseed = 4\n");
        let set_world = |set: &str| Recipe::parse(&world, &[set.to_owned()]).unwrap().data;
        assert!(
            matches!(set_world("data.world.train=9"), DataSource::World(w) if (w.seed, w.train) == (4, 9))
        );
        assert!(matches!(set_world("data.wide.train=9"), DataSource::Wide(w) if (w.seed, w.train) == (1, 9)));
        for (bad, part) in [
            ("data.wide.trian=1", "trian"),
            ("train.stepz=1", "stepz"),
            ("nothing", "key=value"),
            ("name.x=1", "not a table"),
            ("slots=0", "slots"),
            ("sampling.min_p=2", "sampling.min_p 2 should be"),
            ("sampling.top_p=0.0", "sampling.top_p 0 should be"),
            ("sampling.top_k=-1", "sampling.top_k: invalid value: integer `-1`"),
            ("sampling.stop=[\"\"]", "sampling.stop has an empty string"),
            ("sampling.topk=3", "topk"),
            ("reward=starr", "unknown reward preset"),
        ] {
            let message = set(&[bad]).unwrap_err().to_string();
            assert!(message.contains(part), "{bad}: {message}");
        }
    }

    #[test]
    fn the_examples_of_the_page_on_grpo_are_settings() {
        let page = include_str!("../../../../docs/grpo.md");
        let examples: Vec<&str> =
            page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(examples.len() > 4);
        for example in examples {
            let table = if example.starts_with("[train") { "" } else { "[train]\n" };
            let method = example.contains("method").then_some(()).map_or("train.method=grpo", |()| "seed=1");
            let text = format!("name = \"a\"\n{table}{example}");
            Recipe::parse(&text, &[method.to_owned()]).unwrap_or_else(|e| panic!("{e}: {example}"));
        }
    }

    #[test]
    fn every_path_of_a_resolved_recipe_is_absolute() {
        let text = "name = \"a\"\n[policy]\ndir = \"some/model\"\n[data.files]\ntrain = \"rows.jsonl\"\n\
                    eval = \"../other.jsonl\"\n[train]\nmethod = \"sft\"\n\
                    [[eval.benchmarks]]\nbenchmark = \"bamboogle\"\ndata = \"b\"\ndocuments = \"/d\"\n\
                    [[reward]]\nid = \"python\"\npython = \"reward.py:score\"\n";
        let here = std::env::current_dir().unwrap();
        let recipe = Recipe::parse(text, &[]).unwrap().resolved().unwrap();
        assert_eq!(recipe.policy, Some(PolicySource::Dir(here.join("some/model"))));
        let DataSource::Files(files) = &recipe.data else { panic!("{:?}", recipe.data) };
        assert_eq!(
            (&files.train, files.eval.as_ref().unwrap().is_absolute()),
            (&here.join("rows.jsonl"), true)
        );
        let paths: Vec<_> =
            recipe.eval.benchmarks[0].clone().paths().into_iter().map(|p| p.clone()).collect();
        assert_eq!(paths, [here.join("b"), "/d".into()]);
        assert_eq!(recipe.reward.terms[0].settings["directory"].as_str(), here.to_str());
        // Neither the working directory nor the day is asked for again.
        assert!(recipe.template.date.is_some());
        assert_eq!(recipe.resolved().unwrap(), recipe);
    }

    #[test]
    fn errors_show_the_line_and_every_recipe_survives_its_own_toml() {
        let message = Recipe::parse(&TEXT.replace("steps", "stops"), &[]).unwrap_err().to_string();
        assert!(message.contains("stops"), "{message}");
        let recipe = Recipe::parse(TEXT, &[]).unwrap();
        assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), &[]).unwrap(), recipe);
    }
}
