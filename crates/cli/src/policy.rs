//! `toolrl policy`: replies and log-probabilities of a model directory.

use std::collections::BTreeMap;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use toolrl_chat::{Chat, Message, TemplateVariables};
use toolrl_engine::Engine;
use toolrl_grammar::json::{self, Value as Row};
use toolrl_policy::{Policy, Precision};
use toolrl_rollout::{Opening, Prompt, Request, Sampled, Sampler, StreamKey};

use crate::args::{GenerateArgs, LogprobsArgs, MergeArgs};
use crate::lines::Lines;
use crate::loaded::Loaded;
use crate::train::block_on;
use crate::{device, hub};

/// Rows whose replies are computed before any is written.
const ROWS: usize = 256;

/// One JSON line a row: `output_ids`, `text` and `finish`.
pub(crate) fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    let device = device::open(args.device)?;
    let loaded = Loaded::of(&args.policy, precision(args.bf16), &device, args.template.variables())?;
    let Loaded { policy, chat, .. } = &loaded;
    let params = args.sampling.params(args.max_new_tokens)?;
    let key = StreamKey { seed: args.sampling.seed, step: 0 };
    let prompts = prompts(&args.rows, chat.as_ref())?;
    let mut engine = Engine::new(policy, args.slots.max(1));
    if let Some(chat) = chat {
        engine = engine.with_chat(chat);
    }
    for prompts in prompts.chunks(ROWS) {
        let requests: Vec<_> = prompts.iter().map(|prompt| Request::first(prompt, 1)).collect();
        let turns = block_on(engine.sample(&requests, &params, key))?;
        let row = |turn: &Sampled| {
            let text = chat.as_ref().map_or(Ok(String::new()), |chat| chat.decode(&turn.tokens, true))?;
            let text = params.cut(text, turn.finish);
            anyhow::Ok(json!({ "output_ids": turn.tokens, "text": text, "finish": turn.finish }))
        };
        let rows: Vec<Value> = turns.iter().flatten().map(row).collect::<Result<_, _>>()?;
        write(rows.into_iter())?;
    }
    Ok(())
}

/// One JSON line a row: `logprobs`, null first.
pub(crate) fn logprobs(args: &LogprobsArgs) -> anyhow::Result<()> {
    let place = hub::find(&args.policy)?;
    let policy = Policy::load(&place, precision(args.bf16), &device::open(args.device)?)?;
    let vocabulary = policy.config().vocab_size;
    let rows = read(&args.rows, |row, _| {
        let ids = input_ids(row.get("input_ids").context("input_ids is missing")?)?;
        match ids.iter().find(|&&id| id as usize >= vocabulary) {
            Some(id) => bail!("token {id} is outside the vocabulary of {vocabulary}"),
            None => Ok(ids),
        }
    })?;
    for ids in rows {
        let mut logprobs = vec![Value::Null; ids.len().min(1)];
        logprobs.extend(policy.sequence_logprobs(&ids).into_iter().map(number));
        write(std::iter::once(json!({ "logprobs": logprobs })))?;
    }
    Ok(())
}

/// Writes a policy with its adapters added to its weights, in the type of the base's; prints the directory.
pub(crate) fn merge(args: &MergeArgs) -> anyhow::Result<()> {
    let loaded = Loaded::of(&args.policy, Precision::F32, &Device::flex(), TemplateVariables::default())?;
    let Loaded { policy, chat, .. } = &loaded;
    if !policy.has_adapters() && !args.untie {
        bail!("{} has no adapters", args.policy.display());
    }
    if args.out.exists() {
        bail!("{} is there already", args.out.display());
    }
    let merged = if args.untie { policy.merged().untied() } else { policy.merged() };
    merged.save_as_read(&args.out, |dir| chat.as_ref().map_or(Ok(()), |chat| chat.save_files(dir)))?;
    println!("{}", args.out.display());
    Ok(())
}

/// The precision that `--bf16` asks for.
pub(crate) fn precision(bf16: bool) -> Precision {
    if bf16 { Precision::Bf16 } else { Precision::F32 }
}

/// An f32 with the digits that tell it from its neighbours.
fn number(x: f32) -> Value {
    x.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// The prompts of a file's rows.
pub(crate) fn prompts(path: &Path, chat: Option<&Chat>) -> anyhow::Result<Vec<Prompt>> {
    let mut passed_over = BTreeMap::new();
    let prompts = read(path, |row, index| {
        check_fields(row, &mut passed_over)?;
        prompt(row, index, chat)
    })?;
    if !passed_over.is_empty() {
        let fields: Vec<_> =
            passed_over.iter().map(|(field, rows)| format!("{field} ({rows} rows)")).collect();
        tracing::warn!(path = %path.display(), "fields that are not read: {}", fields.join(", "));
    }
    Ok(prompts)
}

/// Reads every row of a file.
fn read<T>(path: &Path, mut of: impl FnMut(&Row<'_>, u64) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let mut lines = Lines::open(path)?;
    let mut rows = Vec::new();
    while let Some(line) = lines.next_line()? {
        let row = json::parse(line).map_err(anyhow::Error::from);
        let item = row.and_then(|row| of(&row, rows.len() as u64));
        rows.push(item.with_context(|| lines.place())?);
    }
    Ok(rows)
}

/// Counts the fields that are not read; one that would change the prompt is an error.
fn check_fields(row: &Row<'_>, passed_over: &mut BTreeMap<String, usize>) -> anyhow::Result<()> {
    let fields = row.as_object().into_iter().flatten();
    for (name, _) in fields.filter(|(_, value)| !matches!(value, Row::Null) && !value.is_empty()) {
        let name = name.lossy();
        match name.as_ref() {
            "messages" | "tools" | "input_ids" | "id" => {}
            name if toolrl_data::changes_prompt(name) => {
                bail!("{name} would change the prompt, and is not read")
            }
            _ => *passed_over.entry(name.into_owned()).or_insert(0) += 1,
        }
    }
    Ok(())
}

fn prompt(row: &Row<'_>, index: u64, chat: Option<&Chat>) -> anyhow::Result<Prompt> {
    if let Some(ids) = row.get("input_ids") {
        return Ok(Prompt { index, tokens: input_ids(ids)?, ..Prompt::default() });
    }
    let messages: Option<Vec<Message>> = field(row, "messages")?;
    let messages = messages.context("neither input_ids nor messages is there")?;
    let chat = chat.context("messages need a tokenizer.json in the model directory")?;
    let tools = match field(row, "tools")?.unwrap_or_default() {
        Value::Null => Vec::new(),
        Value::String(text) => serde_json::from_str(&text).context("tools should be a list, or its JSON")?,
        Value::Array(tools) => tools,
        _ => bail!("tools should be a list, or its JSON"),
    };
    let prompt = Prompt::new(chat, Opening { messages, tools }, 0)?;
    Ok(Prompt { index, ..prompt })
}

/// A field of a row as its type is read; `None` where nothing stands.
fn field<T: DeserializeOwned>(row: &Row<'_>, name: &str) -> anyhow::Result<Option<T>> {
    match row.get(name) {
        None | Some(Row::Null) => Ok(None),
        Some(value) => serde_json::from_str(&value.to_string()).map(Some).context(name.to_owned()),
    }
}

fn input_ids(value: &Row<'_>) -> anyhow::Result<Vec<u32>> {
    serde_json::from_str(&value.to_string()).context("input_ids should be a list of token ids")
}

/// Writes rows to standard output. A reader that has gone away is no error.
fn write(rows: impl Iterator<Item = Value>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = rows.into_iter().try_for_each(|row| writeln!(out, "{row}")).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the results"),
    }
}
