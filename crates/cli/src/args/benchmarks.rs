//! Arguments of `toolrl eval bfcl`, `api-bank` and `bamboogle`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use toolrl_policy::DeviceChoice;

use super::{SamplingArgs, TemplateArgs};

/// The benchmarks of the paper.
#[derive(Debug, Subcommand)]
pub enum BenchmarkCommand {
    /// BFCL V3: calls of one turn and of several, by the official verdicts
    #[command(after_help = BFCL_HELP)]
    Bfcl(BfclArgs),
    /// API-Bank's three levels, by the released matching and by hard match
    #[command(after_help = API_BANK_HELP)]
    ApiBank(ApiBankArgs),
    /// Bamboogle: questions that take several searches
    #[command(after_help = BAMBOOGLE_HELP)]
    Bamboogle(BamboogleArgs),
}

const BFCL_HELP: &str = "\
Data: the folder bfcl_eval/data of the Python package bfcl-eval 2025.8.6.2
  pip download --no-deps bfcl-eval==2025.8.6.2 && unzip bfcl_eval-*.whl
The category multi_turn_long_context also needs long_context.py of that package. It is found where the package has \
it (bfcl_eval/eval_checker/multi_turn_eval/func_source_code), or in the data folder: copy it there where the folder \
stands alone, or leave the category out by --categories.
fixtures/bfcl_v3 in this repository holds a few cases of our own, for a first look.

Examples:
  toolrl eval bfcl --policy DIR --data bfcl_eval/data --out out
  toolrl eval bfcl --policy DIR --data bfcl_eval/data --out out --per-category 10
  toolrl eval bfcl --endpoint http://localhost:8000/v1 --model NAME --handler native \\
      --data bfcl_eval/data --out out
  toolrl eval bfcl --data DIR --verdicts rows.jsonl.gz     verdicts on outputs that you have
  toolrl eval bfcl --data DIR --prompts --prompt FILE      hashes of the prompts
  toolrl eval bfcl --data DIR --prompts --policy DIR --handler native-hermes

A run that was cut off goes on when it is started again. --out gets outcomes.jsonl (a line a case, with \
every reply), report.json and report.html. Standard output gets the scores. Much of a score comes from the \
handler and its prompt: compare runs under the same one.";

const API_BANK_HELP: &str = "\
Data: the folder of level-1-api_processed.json to level-3-api_processed.json, from the repository of ToolRL \
(github.com/qiancheng0/ToolRL, under benchmarks). fixtures/api_bank holds a few cases of our own.

Examples:
  toolrl eval api-bank --policy DIR --data api_bank --out out
  toolrl eval api-bank --data api_bank --verdicts rows.jsonl    scores of outputs that you have

A run that was cut off goes on when it is started again. --out gets outcomes.jsonl, report.json and \
report.html; standard output gets the scores.";

const BAMBOOGLE_HELP: &str = "\
Data: the file data.json of Bamboogle from the repository of ToolRL (github.com/qiancheng0/ToolRL, under \
benchmarks), or its folder. fixtures/bamboogle and fixtures/documents hold a few of our own.

Documents: .txt and .md files, or .json and .jsonl with `title` and `text`. \
A search service is sent {\"queries\": [...], \"topk\": 5, \"return_scores\": true} and answers \
{\"result\": [[{\"document\": {\"contents\": \"title\\ntext\"}}, ...], ...]}, a list a query.

Examples:
  toolrl eval bamboogle --policy DIR --data data.json --documents FOLDER --out out
  toolrl eval bamboogle --endpoint http://localhost:8000/v1 --model NAME --data data.json \\
      --search http://localhost:9000/retrieve --judge http://localhost:8001/v1 --judge-model NAME --out out

A run that was cut off goes on when it is started again. --out gets outcomes.jsonl, report.json and \
report.html; standard output gets the scores.";

/// Who replies, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who replies")]
pub struct ModelArgs {
    /// A model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    pub policy: Option<PathBuf>,
    /// The address of an OpenAI-compatible server, such as http://localhost:8000/v1
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The model's name on that server
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    pub model: Option<String>,
    /// A file that holds the server's API key
    #[arg(long, value_name = "FILE", conflicts_with = "api_key_env")]
    pub api_key_file: Option<PathBuf>,
    /// The environment variable that holds the server's API key
    #[arg(long, value_name = "NAME")]
    pub api_key_env: Option<String>,
    /// Requests to a server at a time
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub threads: usize,
    /// Seconds after which a request is given up, and tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    /// The address of an HTTP proxy to servers
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// The limit on new tokens of a reply
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_new_tokens: usize,
    /// How replies are drawn
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Replies that a policy computes together, at most
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub slots: usize,
    /// Hold a policy's weights, activations and cache in bf16
    #[arg(long)]
    pub bf16: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
    /// What the chat template reads beside the messages, with --policy
    #[command(flatten)]
    pub template: TemplateArgs,
}

/// What a run is over and where its files go.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The benchmark's data; it is not part of toolrl (see below)
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Write outcomes.jsonl, report.json and report.html there; a run that is there goes on
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Run the first N cases
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The --out of an earlier run, to stand beside this one in the report; may be repeated
    #[arg(long, value_name = "DIR")]
    pub compare: Vec<PathBuf>,
}

/// Arguments of `toolrl eval bfcl`.
#[derive(Debug, Args)]
pub struct BfclArgs {
    /// What is run
    #[command(flatten)]
    pub run: RunArgs,
    /// These categories or groups alone (non_live, live, single_turn, multi_turn, exec), with commas between
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub categories: Vec<String>,
    /// Run the first N cases of each category
    #[arg(long, value_name = "N")]
    pub per_category: Option<usize>,
    /// Draw these N by this seed, where neighbours in a category's file are often of one kind
    #[arg(long, value_name = "SEED", requires = "per_category")]
    pub drawn: Option<u64>,
    /// Who words prompts and reads calls: toolrl; or the model's own template, its calls read in the dialect that it
    /// writes (native) or in one by name (hermes, llama3_json, ...), or as bfcl-eval's handlers read them (native-hermes,
    /// native-json)
    #[arg(long, value_name = "NAME", default_value = "toolrl")]
    pub handler: String,
    /// The texts of the toolrl handler's prompts, as JSON (docs/benchmarks.md) [default: our own]
    #[arg(long, value_name = "FILE")]
    pub prompt: Option<PathBuf>,
    /// The folder of the retired execution categories [default: unused_datasets in --data]
    #[arg(long, value_name = "DIR")]
    pub retired: Option<PathBuf>,
    /// Also write the replies as the result files that `bfcl evaluate` reads
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Run nothing: answer each of these rows with its verdict, a JSON line each; may be gzipped
    #[arg(long, value_name = "ROWS", conflicts_with_all = ["policy", "endpoint", "prompts"])]
    pub verdicts: Option<PathBuf>,
    /// Run nothing: print category, id and SHA-256 of each prompt, a JSON line each; with another handler than toolrl as the
    /// template of --policy renders it
    #[arg(long, conflicts_with = "endpoint")]
    pub prompts: bool,
    /// Who replies
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Arguments of `toolrl eval api-bank`.
#[derive(Debug, Args)]
pub struct ApiBankArgs {
    /// What is run
    #[command(flatten)]
    pub run: RunArgs,
    /// Run nothing: answer each of these rows with its score, a JSON line each; may be gzipped
    #[arg(long, value_name = "ROWS", conflicts_with_all = ["policy", "endpoint"])]
    pub verdicts: Option<PathBuf>,
    /// Who replies
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Arguments of `toolrl eval bamboogle`.
#[derive(Debug, Args)]
pub struct BamboogleArgs {
    /// What is run
    #[command(flatten)]
    pub run: RunArgs,
    /// Search this folder of documents
    #[arg(long, value_name = "DIR", conflicts_with = "search")]
    pub documents: Option<PathBuf>,
    /// Search by the service at this address
    #[arg(long, value_name = "URL")]
    pub search: Option<String>,
    /// Have a model judge the answers, at this address of an OpenAI-compatible server [default: normalised
    /// exact match]
    #[arg(long, value_name = "URL", requires = "judge_model")]
    pub judge: Option<String>,
    /// The judge's name on that server
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub judge_model: Option<String>,
    /// The environment variable that holds the judge's API key
    #[arg(long, value_name = "NAME", requires = "judge")]
    pub judge_key_env: Option<String>,
    /// The most replies to a question
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub rounds: usize,
    /// Who replies
    #[command(flatten)]
    pub model: ModelArgs,
}
