//! SGLang: its native `/generate`, adapters and weights by its own paths.

use serde::Deserialize;
use serde_json::{Value, json};
use toolrl_remote::{RemoteError, decimal};

use super::{Ask, LogprobMode, Publication, Raw, Wire, unsure};
use crate::{ReplyProblem, ServersError, Sync};

const GENERATE: &str = "generate";

#[derive(Deserialize)]
struct Generated {
    meta_info: Meta,
}

#[derive(Deserialize)]
struct Meta {
    finish_reason: Option<Finish>,
    weight_version: Option<String>,
    input_token_logprobs: Option<Vec<Scored>>,
    output_token_logprobs: Option<Vec<Scored>>,
}

#[derive(Deserialize)]
struct Finish {
    r#type: String,
}

/// A log-probability, its token, and the token's text where that is asked for.
#[derive(Deserialize)]
struct Scored(Option<f64>, u32, #[expect(dead_code, reason = "its place is there")] Value);

/// What it says of an update.
#[derive(Deserialize)]
struct Updated {
    success: bool,
    #[serde(default, alias = "error_message")]
    message: Option<String>,
}

pub(super) fn load_adapter(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    let body = json!({"lora_name": weights.name, "lora_path": weights.dir});
    let updated = match wire.ask::<Updated>("load_lora_adapter", &body) {
        // The name tells its content.
        Err(RemoteError::Status { status: 400, message, .. }) if message.contains("already") => return Ok(()),
        updated => updated?,
    };
    taken(wire, weights, updated)
}

pub(super) fn unload_adapter(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    let body = json!({"lora_name": weights.name});
    taken(wire, weights, wire.ask("unload_lora_adapter", &body)?)
}

/// What was in progress for others is computed anew. Where it fails it goes back to the weights that it had, and on with its
/// work.
pub(super) fn load_model(wire: &Wire, weights: &Publication) -> Result<(), ServersError> {
    wire.client.post_text("pause_generation", &json!({"mode": "retract"}).to_string())?;
    let body = json!({"model_path": weights.dir, "flush_cache": true, "weight_version": weights.name});
    let updated = wire.ask("update_weights_from_disk", &body);
    let resumed = wire.client.post_text("continue_generation", "{}");
    taken(wire, weights, updated?)?;
    Ok(resumed.map(drop)?)
}

fn taken(wire: &Wire, weights: &Publication, updated: Updated) -> Result<(), ServersError> {
    match updated {
        Updated { success: true, .. } => Ok(()),
        Updated { message, .. } => Err(wire.not_taken(weights, message.unwrap_or_default())),
    }
}

/// Asks for a continuation of these tokens, and whether it is of the weights that were asked for, where the answer says so.
fn generate(wire: &Wire, weights: &Publication, mut body: Value) -> Result<Meta, ServersError> {
    body["return_logprob"] = true.into();
    body["stream"] = false.into();
    if wire.sync == Sync::Lora {
        body["lora_path"] = weights.name.as_str().into();
    }
    let Generated { meta_info } = wire.ask(GENERATE, &body)?;
    if let (Sync::Disk, Some(told)) = (wire.sync, &meta_info.weight_version)
        && *told != weights.name
    {
        let (told, asked) = (told.clone(), weights.name.clone());
        return Err(wire.wrong(ReplyProblem::OtherWeights { told, asked }));
    }
    Ok(meta_info)
}

pub(super) fn score(wire: &Wire, weights: &Publication) -> Result<Vec<f32>, ServersError> {
    let tokens = &weights.probe.tokens;
    let body = json!({
        "input_ids": tokens, "sampling_params": {"max_new_tokens": 1, "temperature": 0.0}, "logprob_start_len": 0,
    });
    let given = generate(wire, weights, body)?.input_token_logprobs;
    let given = given.ok_or_else(|| wire.wrong(ReplyProblem::NoLogprobs { tokens: tokens.len() }))?;
    if given.len() != tokens.len() {
        let (tokens, logprobs) = (tokens.len(), given.len());
        return Err(wire.wrong(ReplyProblem::LogprobCount { tokens, logprobs }));
    }
    if given.iter().zip(tokens).any(|(given, token)| given.1 != *token) {
        let (tokens, asked) = (given.len(), tokens.len());
        return Err(wire.wrong(ReplyProblem::OtherPrompt { tokens, asked }));
    }
    wire.numbers(given.into_iter().skip(1).map(|given| given.0))
}

/// The most probable token has another log-probability at another temperature, unless the temperature is left out of it.
pub(super) fn logprob_mode(wire: &Wire, weights: &Publication) -> Result<LogprobMode, ServersError> {
    let at = |temperature: f64| {
        let params = json!({"max_new_tokens": 1, "temperature": temperature, "top_k": 1, "ignore_eos": true});
        let body = json!({"input_ids": unsure(&weights.probe), "sampling_params": params});
        let given = generate(wire, weights, body)?.output_token_logprobs;
        let first = given.and_then(|given| given.into_iter().next()?.0);
        first.ok_or_else(|| wire.wrong(ReplyProblem::NoLogprobs { tokens: 1 }))
    };
    let (plain, tempered) = (at(1.0)?, at(2.0)?);
    Ok(if (plain - tempered).abs() < 1e-4 { LogprobMode::Raw } else { LogprobMode::Tempered })
}

/// Everything that a model's `generation_config.json` could set is sent, so that it sets nothing.
fn turn_body(ask: &Ask<'_>) -> Value {
    let params = ask.params;
    let top_k = if params.top_k == 0 { -1 } else { i64::from(params.top_k) };
    let sampling = json!({
        "n": 1,
        "max_new_tokens": ask.limit,
        "min_new_tokens": 0,
        "temperature": decimal(params.temperature),
        "top_k": top_k,
        "top_p": decimal(params.top_p),
        "min_p": decimal(params.min_p),
        "repetition_penalty": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "sampling_seed": ask.seed,
        // Otherwise it would ignore `stop_token_ids` too.
        "ignore_eos": false,
        "stop_token_ids": ask.stop_tokens,
        "stop": params.stop,
        "no_stop_trim": true,
        "skip_special_tokens": false,
        "spaces_between_special_tokens": false,
    });
    json!({"input_ids": ask.tokens, "sampling_params": sampling})
}

pub(super) fn turn(wire: &Wire, ask: &Ask<'_>) -> Result<Raw, ServersError> {
    let meta = generate(wire, ask.weights, turn_body(ask))?;
    let given =
        meta.output_token_logprobs.ok_or_else(|| wire.wrong(ReplyProblem::NoLogprobs { tokens: 0 }))?;
    let tokens = given.iter().map(|given| given.1).collect();
    let logprobs = wire.numbers(given.into_iter().map(|given| given.0))?;
    Ok(Raw { tokens, logprobs, finish: meta.finish_reason.map(|finish| finish.r#type) })
}
