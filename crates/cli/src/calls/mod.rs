//! `toolrl calls`: replies read and written in the dialects of models.

mod detect;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use toolrl_grammar::json::{self, Value};
use toolrl_grammar::{DIALECTS, Dialect, dialect, rows};

use crate::benchmarks::answer_each;
pub use detect::DetectArgs;

/// The commands on calls.
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// Find the dialect that a model directory's chat template writes calls in
    #[command(after_help = DETECT_HELP)]
    Detect(DetectArgs),
    /// Say what replies mean in a dialect: thoughts, calls, response, and what is wrong where
    #[command(after_help = PARSE_HELP)]
    Parse(CallsArgs),
    /// Write assistants' messages in a dialect
    #[command(after_help = WRITE_HELP)]
    Write(CallsArgs),
}

const DETECT_HELP: &str = "\
A call of a weather service is rendered by the directory's own template; the dialect that writes such a text is the one. \
The line of output holds `dialect`, `rendered`, `shows_tools` (whether the template shows the tools that it is given), \
`thoughts` (what opens them) and `turn_ends`. No dialect, or several, is an error that shows what was rendered.

Example:
  toolrl calls detect --policy Qwen/Qwen2.5-0.5B-Instruct";

const PARSE_HELP: &str = "\
A row needs `text`: what a model wrote of its turn, with what the template opened before it. With \
`tools`, OpenAI's list of them, arguments get types in dialects whose texts have none (qwen3_coder, \
glm45).

A line of output holds `outcome` (whole, incomplete, malformed with `at`, or foreign), `thoughts`, \
`calls` (`name`, `arguments`, `id`, `span`), `response` and `faults` (`part`, `what`, `span`). Spans \
are offsets in bytes.

Example:
  toolrl calls parse --dialect hermes --rows replies.jsonl";

const WRITE_HELP: &str = "\
A row is an assistant's message as OpenAI has it: `content`, `reasoning_content`, `tool_calls` with \
`function.name` and `function.arguments` (an object, or its text). A line of output holds `text`, \
without the token that ends a turn. A message that the dialect cannot say is an error at its line.

Example:
  toolrl calls write --dialect qwen3_coder --rows messages.jsonl";

/// Rows and a dialect.
#[derive(Debug, Args)]
pub struct CallsArgs {
    /// The dialect
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(DIALECTS.map(|dialect| dialect.name())))]
    pub dialect: String,
    /// Rows, one JSON object a line, may be gzipped
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
}

/// What a row becomes.
type Answer = fn(&Value<'_>, &'static dyn Dialect) -> Result<Value<'static>, String>;

/// Does one of the commands.
pub(crate) fn run(command: &CallsCommand) -> anyhow::Result<()> {
    let (args, answer): (_, Answer) = match command {
        CallsCommand::Detect(args) => return detect::detect(args),
        CallsCommand::Parse(args) => (args, rows::parsed),
        CallsCommand::Write(args) => (args, rows::written),
    };
    let dialect = dialect::named(&args.dialect)?;
    answer_each(&args.rows, |line| {
        let row = json::parse(line)?;
        answer(&row, dialect).map(|answer| answer.to_string()).map_err(|error| anyhow!(error))
    })
}
