//! vLLM: completions in OpenAI's form with token ids, adapters and weights by its own paths.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use toolrl_remote::{RemoteError, decimal};

use super::{Ask, GREETING, LogprobMode, Publication, Raw, Wire, unsure};
use crate::{ReplyProblem, ServersError, Sync};

const COMPLETIONS: &str = "v1/completions";

/// What vLLM writes for a log-probability of minus infinity is -9999; no token of a real distribution comes near.
const NEVER: f64 = -1000.0;

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    token_ids: Option<Vec<u32>>,
    prompt_token_ids: Option<Vec<u32>>,
    logprobs: Option<Logprobs>,
    /// For each token of the prompt, the log-probabilities of some ids; none for the first.
    prompt_logprobs: Option<Vec<Option<HashMap<String, Logprob>>>>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    token_logprobs: Option<Vec<Option<f64>>>,
    top_logprobs: Option<Vec<Option<HashMap<String, f64>>>>,
}

#[derive(Deserialize)]
struct Logprob {
    logprob: Option<f64>,
}

/// Under which name weights are asked for.
fn model<'a>(wire: &'a Wire, weights: &'a Publication) -> &'a str {
    match wire.sync {
        Sync::Lora => &weights.name,
        Sync::Disk => &wire.model,
    }
}

pub(super) fn load_adapter(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    let body = json!({"lora_name": weights.name, "lora_path": weights.dir});
    match wire.client.post_text("v1/load_lora_adapter", &body.to_string()) {
        // The name tells its content.
        Err(RemoteError::Status { status: 400, message, .. }) if message.contains("already") => Ok(()),
        answered => Ok(answered.map(drop)?),
    }
}

pub(super) fn unload_adapter(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    let body = json!({"lora_name": weights.name});
    Ok(wire.client.post_text("v1/unload_lora_adapter", &body.to_string()).map(drop)?)
}

/// A server that failed in between would go on in silence with part of the weights: it stays paused then, so that nobody
/// is answered.
pub(super) fn load_model(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    let post = |path: &str, body: &Value| wire.client.post_text(path, &body.to_string());
    post("pause?mode=wait", &json!({}))?;
    let reload = json!({"method": "reload_weights", "kwargs": {"weights_path": weights.dir}});
    post("collective_rpc", &reload)?;
    // What it computed of prompts is of the old weights, and no probe reads it. Older servers answer nothing.
    let answer: Option<Value> = serde_json::from_slice(&post("reset_prefix_cache", &json!({}))?).ok();
    if answer.is_some_and(|answer| answer["success"] == false) {
        return Err(wire.not_taken(weights, "its cache of prompts is not emptied"));
    }
    post("resume", &json!({}))?;
    Ok(())
}

/// When the server's process was started, where its metrics tell.
pub(super) fn started(wire: &Wire) -> Result<Option<String>, ServersError> {
    let metrics = match wire.client.clone().within(GREETING).get("metrics") {
        Err(RemoteError::Status { status: 401..=404, .. }) => return Ok(None),
        metrics => metrics?,
    };
    let text = String::from_utf8_lossy(&metrics);
    let value = text.lines().find_map(|line| line.strip_prefix("process_start_time_seconds "));
    Ok(value.map(str::to_owned))
}

/// One choice, and whether it is of the adapter that was asked for, where the answer says so. The base model may have
/// several names, of which it says the first.
fn complete(wire: &Wire, weights: &Publication, body: &Value) -> Result<Choice, ServersError> {
    let Completion { model: told, choices } = wire.ask(COMPLETIONS, body)?;
    if let Some(told) = told.filter(|told| wire.sync == Sync::Lora && *told != weights.name) {
        return Err(wire.wrong(ReplyProblem::OtherWeights { told, asked: weights.name.clone() }));
    }
    let first = choices.into_iter().next();
    Ok(first.ok_or_else(|| wire.client.form(COMPLETIONS, "it has no choice"))?)
}

pub(super) fn score(wire: &Wire, weights: &Publication) -> Result<Vec<f32>, ServersError> {
    let tokens = &weights.probe.tokens;
    let body = json!({
        "model": model(wire, weights), "prompt": tokens, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0,
    });
    let choice = complete(wire, weights, &body)?;
    let given = choice.prompt_logprobs.ok_or_else(|| {
        let tokens = tokens.len();
        wire.wrong(ReplyProblem::NoLogprobs { tokens })
    })?;
    if given.len() != tokens.len() {
        let (tokens, logprobs) = (tokens.len(), given.len());
        return Err(wire.wrong(ReplyProblem::LogprobCount { tokens, logprobs }));
    }
    let of = |(token, given): (&u32, &Option<HashMap<String, Logprob>>)| {
        given.as_ref().and_then(|given| given.get(&token.to_string())?.logprob)
    };
    wire.numbers(tokens.iter().zip(&given).skip(1).map(of))
}

/// Of the two most probable tokens at top-k 1, the second has a probability only where it is not left out.
pub(super) fn logprob_mode(wire: &Wire, weights: &Publication) -> Result<LogprobMode, ServersError> {
    let body = json!({
        "model": model(wire, weights), "prompt": unsure(&weights.probe), "max_tokens": 1, "temperature": 1.0,
        "top_k": 1, "top_p": 1.0, "min_p": 0.0, "logprobs": 2,
    });
    let choice = complete(wire, weights, &body)?;
    let first = choice.logprobs.and_then(|logprobs| logprobs.top_logprobs?.into_iter().next()?);
    let first = first.ok_or_else(|| wire.wrong(ReplyProblem::NoLogprobs { tokens: 1 }))?;
    let left_out = first.len() < 2 || first.values().any(|&logprob| logprob < NEVER);
    Ok(if left_out { LogprobMode::Truncated } else { LogprobMode::Raw })
}

/// Everything that a model's `generation_config.json` could set is sent, so that it sets nothing.
fn turn_body(wire: &Wire, ask: &Ask<'_>) -> Value {
    let params = ask.params;
    let top_k = if params.top_k == 0 { -1 } else { i64::from(params.top_k) };
    json!({
        "model": model(wire, ask.weights),
        "prompt": ask.tokens,
        "n": 1,
        "max_tokens": ask.limit,
        "min_tokens": 0,
        "temperature": decimal(params.temperature),
        "top_k": top_k,
        "top_p": decimal(params.top_p),
        "min_p": decimal(params.min_p),
        "repetition_penalty": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "seed": ask.seed,
        // What ends a turn is ours to say: the model's own tokens are among `stop_tokens`.
        "ignore_eos": true,
        "stop_token_ids": ask.stop_tokens,
        "stop": params.stop,
        "include_stop_str_in_output": true,
        "skip_special_tokens": false,
        "spaces_between_special_tokens": false,
        "logprobs": 0,
        "return_token_ids": true,
        "stream": false,
    })
}

pub(super) fn turn(wire: &Wire, ask: &Ask<'_>) -> Result<Raw, ServersError> {
    let choice = complete(wire, ask.weights, &turn_body(wire, ask))?;
    if let Some(prompt) = choice.prompt_token_ids.filter(|prompt| prompt != ask.tokens) {
        let (tokens, asked) = (prompt.len(), ask.tokens.len());
        return Err(wire.wrong(ReplyProblem::OtherPrompt { tokens, asked }));
    }
    let tokens = choice.token_ids.ok_or_else(|| wire.wrong(ReplyProblem::NoTokens))?;
    let logprobs = choice.logprobs.and_then(|logprobs| logprobs.token_logprobs);
    let no_logprobs = || wire.wrong(ReplyProblem::NoLogprobs { tokens: tokens.len() });
    let logprobs = wire.numbers(logprobs.ok_or_else(no_logprobs)?)?;
    Ok(Raw { tokens, logprobs, finish: choice.finish_reason })
}
