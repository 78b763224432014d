//! The arguments of `toolrl data`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use toolrl_data::Turns;
use toolrl_data::build::Take;

use super::TemplateArgs;

/// The commands on datasets.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Make training data from downloaded datasets: ToolACE, xLAM, and Hammer's masking
    #[command(after_help = BUILD_HELP)]
    Build(DataBuildArgs),
    /// Say what a dataset holds: kinds, lengths, tools, duplicates, gold replies that cannot be scored
    #[command(after_help = INSPECT_HELP)]
    Inspect(DataInspectArgs),
    /// Write a dataset in another form: OpenAI's chat, ToolRL's text or verl's columns
    #[command(after_help = CONVERT_HELP)]
    Convert(DataConvertArgs),
    /// Make tasks of the wide world: tools by the thousand, a part of which training never shows
    #[command(after_help = WORLD_HELP)]
    World(DataWorldArgs),
}

const BUILD_HELP: &str = "\
Sources, as their authors publish them (JSON, JSON lines or Parquet; may be gzipped):
  --toolace  Team-ACE/ToolACE, data.json: {system, conversations} with pythonic calls,
             [Get Weather(city=\"Rome\")]
  --xlam     Salesforce/xlam-function-calling-60k: {query, tools, answers}; in a row without
             answers no tool fits
  --hammer   rows as of --xlam: functions and parameters get random names, and some prompts lose
             the tools that they need (--irrelevance), after Hammer (arXiv 2410.04587)
Each takes FILE, or FILE:N for N samples, or FILE:all. Without N it is the paper's count: 2000 of \
ToolACE, 1000 of each other. --seed alone decides which; a row that --xlam took is not masked again.

A dialogue becomes one sample for each reply, with the turns before it in the prompt. The datasets \
hold no thoughts: gold replies get a fixed one, which RL does not compare. SFT would learn it.

The directory gets train.parquet and train.jsonl (the same samples; either is a --data FILE of \
train), with --hold-out eval.parquet and eval.jsonl, report.json (what became of every row) and \
recipe.toml (these settings, to be given back as RECIPE).

Examples:
  toolrl data build --toolace data.json --xlam xlam.json --hammer xlam.json --out data/mix
  toolrl data build --xlam xlam.json:all --prompt my_prompt.jinja --out data/xlam
  toolrl data build data/mix/recipe.toml --seed 2 --out data/mix-2
  toolrl train grpo --policy DIR --data data/mix/train.parquet";

/// Arguments of `toolrl data build`.
#[derive(Debug, Args)]
pub struct DataBuildArgs {
    /// A TOML file of settings instead of the options for sources (docs/data.md); unknown keys are refused
    #[arg(value_name = "RECIPE", required_unless_present_any = ["toolace", "xlam", "hammer"])]
    pub recipe: Option<PathBuf>,
    /// ToolACE; may be repeated
    #[arg(long, value_name = "FILE[:N]", conflicts_with = "recipe")]
    pub toolace: Vec<FileAndCount>,
    /// xLAM-function-calling-60k, or rows of its form; may be repeated
    #[arg(long, value_name = "FILE[:N]", conflicts_with = "recipe")]
    pub xlam: Vec<FileAndCount>,
    /// Rows of xLAM's form, to be masked; may be repeated
    #[arg(long, value_name = "FILE[:N]", conflicts_with = "recipe")]
    pub hammer: Vec<FileAndCount>,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Decides which samples are taken, their order and the masks [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The share of the Hammer samples that lose the tools they need [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    pub irrelevance: Option<f64>,
    /// Keep at least N samples apart to evaluate on, whole dialogues together [default: 0]
    #[arg(long, value_name = "N")]
    pub hold_out: Option<usize>,
    /// A prompt template of your own (docs/data.md)
    #[arg(long, value_name = "FILE")]
    pub prompt: Option<PathBuf>,
    /// Write over the files of an earlier build
    #[arg(long)]
    pub force: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

const INSPECT_HELP: &str = "\
PATH is whatever train --data reads (docs/data.md): JSON, JSON lines, Parquet, packed by gzip or zstd, \
or a pipe such as /dev/stdin. It tells the form of the rows and which fields are read and which are \
not. With --policy, lengths are counted in that policy's tokens too, prompts as its chat template writes them: compare them with \
train.max_prompt_tokens and sampling.max_new_tokens.";

/// Arguments of `toolrl data inspect`.
#[derive(Debug, Args)]
pub struct DataInspectArgs {
    /// The dataset
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Count tokens too: a model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Which replies of a dialogue are samples
    #[arg(long, value_enum, default_value_t = TurnsArg::Each)]
    pub turns: TurnsArg,
    /// Print one JSON object, with the place of every duplicate and every unscorable reply
    #[arg(long)]
    pub json: bool,
    /// What the chat template reads beside the messages, with --policy
    #[command(flatten)]
    pub template: TemplateArgs,
}

/// Which replies of a dialogue are samples.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TurnsArg {
    /// Each of the assistant's, with the turns before it
    Each,
    /// The last message alone
    Last,
}

impl From<TurnsArg> for Turns {
    fn from(turns: TurnsArg) -> Self {
        match turns {
            TurnsArg::Each => Self::Each,
            TurnsArg::Last => Self::Last,
        }
    }
}

const CONVERT_HELP: &str = "\
PATH is whatever train --data reads (docs/data.md). Each sample is a row of the file that is written:
  openai  {id, messages, tools, metadata}; earlier replies weigh 0, so that each row is one sample
  toolrl  ToolRL's prompt, the tools in the system message and the dialogue in the user message,
          and ToolRL's gold reply; in verl's columns
  verl    {prompt, tools, reward_model, extra_info}: messages and tools as they were read
Samples that the form cannot say are left out, counted and named. OUT is JSON lines, or Parquet where \
its name ends in .parquet (toolrl, verl).

Examples:
  toolrl data convert chats.jsonl --to verl --out chats.parquet
  toolrl data convert train.parquet --to openai --out train.jsonl";

/// Arguments of `toolrl data convert`.
#[derive(Debug, Args)]
pub struct DataConvertArgs {
    /// The dataset
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The form to write
    #[arg(long, value_enum)]
    pub to: Target,
    /// The file to write
    #[arg(long, value_name = "OUT")]
    pub out: PathBuf,
    /// Which replies of a dialogue are samples
    #[arg(long, value_enum, default_value_t = TurnsArg::Each)]
    pub turns: TurnsArg,
    /// Leave out rows that cannot be read
    #[arg(long)]
    pub leave_out: bool,
    /// A prompt template of your own for toolrl (docs/data.md)
    #[arg(long, value_name = "FILE")]
    pub prompt: Option<PathBuf>,
    /// Write over OUT
    #[arg(long)]
    pub force: bool,
}

/// A form to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// OpenAI's chat
    Openai,
    /// ToolRL's text
    Toolrl,
    /// Messages and tools in verl's columns
    Verl,
}

const WORLD_HELP: &str = "\
Writes rows of OpenAI's chat form, which `train --data` and other trainers read: messages, tools as JSON \
Schema, the right calls as the last message. With a name in .parquet it writes verl's columns.

--part train has tools of the training domains, --part held-out other tasks of theirs and, by \
--unseen-share, tools of domains whose names, verbs, parameters and wordings training never shows. \
The same settings give the same tasks on every machine. A recipe has the same as `data.wide` \
(docs/data.md).

Examples:
  toolrl data world --out train.jsonl
  toolrl data world --part held-out --tasks 200 --unseen-share 1 --out unseen.jsonl
  toolrl data inspect train.jsonl";

/// Arguments of `toolrl data world`.
#[derive(Debug, Args)]
pub struct DataWorldArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Which part of the world
    #[arg(long, value_enum, default_value_t = PartArg::Train)]
    pub part: PartArg,
    /// How many tasks [default: 4000, or 500 held out]
    #[arg(long, value_name = "N")]
    pub tasks: Option<usize>,
    /// Everything random follows from it [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Tasks of the first N of training's domains alone [default: all]
    #[arg(long, value_name = "N")]
    pub domains: Option<usize>,
    /// The share of held-out tasks whose tools training never shows [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub unseen_share: Option<f64>,
    /// The share of values that a request says otherwise than the call has them [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub hard_values: Option<f64>,
    /// The share of training tasks whose tools and parameters have made-up names [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub made_up: Option<f64>,
    /// The least number of tools in a prompt [default: 2]
    #[arg(long, value_name = "N")]
    pub min_tools: Option<usize>,
    /// The greatest number of tools in a prompt [default: 4]
    #[arg(long, value_name = "N")]
    pub max_tools: Option<usize>,
    /// Begin the gold replies with a sentence of thought
    #[arg(long)]
    pub thoughts: bool,
    /// Write over FILE
    #[arg(long)]
    pub force: bool,
}

/// A part of the wide world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// To train on
    Train,
    /// To evaluate on
    HeldOut,
}

/// A file, and how many samples are taken of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAndCount {
    /// The file.
    pub file: PathBuf,
    /// How many.
    pub take: Take,
}

impl FromStr for FileAndCount {
    type Err = String;

    /// `FILE` or `FILE:N`. What stands behind the last colon belongs to the name unless it is a count.
    fn from_str(text: &str) -> Result<Self, String> {
        let counted = text.rsplit_once(':').and_then(|(file, count)| Some((file, count.parse().ok()?)));
        let (file, take) = counted.unwrap_or((text, Take::default()));
        if file.is_empty() { Err("no file".to_owned()) } else { Ok(Self { file: file.into(), take }) }
    }
}

#[cfg(test)]
mod tests {
    use toolrl_data::build::NamedTake;

    use super::*;

    #[test]
    fn a_count_stands_behind_the_last_colon() {
        let cases = [
            ("a.json", Some(("a.json", Take::Named(NamedTake::Paper)))),
            ("a.json:20", Some(("a.json", Take::Count(20)))),
            ("a.json:all", Some(("a.json", Take::Named(NamedTake::All)))),
            ("C:/a.json", Some(("C:/a.json", Take::Named(NamedTake::Paper)))),
            ("C:/a.json:0", Some(("C:/a.json", Take::Count(0)))),
            (":3", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(file, take)| FileAndCount { file: file.into(), take });
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
