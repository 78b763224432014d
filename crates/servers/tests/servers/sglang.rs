//! What SGLang answers.

use serde_json::{Value, json};
use toolrl_testing::stub::Answer;

use crate::model::{Draw, END, VOCABULARY};
use crate::stand_in::{Fault, State, TurnAsk, error, ids};

pub fn answer(state: &mut State, path: &str, body: &Value) -> Option<Answer> {
    Some(match path {
        "/generate" => generate(state, body),
        "/load_lora_adapter" => {
            let name = body["lora_name"].as_str()?;
            if state.adapters.contains_key(name) {
                return Some(refused(&format!("LoRA with name {name} already exists.")));
            }
            let Some(model) = state.take(&body["lora_path"], None) else {
                return Some(refused("No adapter"));
            };
            state.adapters.insert(name.to_owned(), model);
            Answer::ok(&json!({"success": true, "error_message": "", "loaded_adapters": {}}))
        }
        "/unload_lora_adapter" => match state.adapters.remove(body["lora_name"].as_str()?) {
            Some(_) => Answer::ok(&json!({"success": true, "error_message": "", "loaded_adapters": {}})),
            None => refused("LoRA does not exist."),
        },
        "/pause_generation" => {
            state.paused = true;
            Answer::ok(&json!({"message": "Generation paused successfully.", "status": "ok"}))
        }
        "/update_weights_from_disk" => {
            let Some(new) = state.take(&body["model_path"], Some(state.held)) else {
                let failed = json!({"success": false, "message": "Failed to get weights iterator"});
                return Some(Answer(400, vec![], failed.to_string()));
            };
            state.held = new;
            state.cached = (body["flush_cache"] != true).then_some(state.base);
            state.weight_version = body["weight_version"].as_str()?.to_owned();
            let message = "Succeeded to update model weights.";
            Answer::ok(&json!({"success": true, "message": message, "num_paused_requests": 0}))
        }
        "/continue_generation" => {
            state.paused = false;
            Answer::ok(&json!({"message": "Generation continued successfully.", "status": "ok"}))
        }
        _ => return None,
    })
}

fn refused(message: &str) -> Answer {
    Answer(400, vec![], json!({"success": false, "error_message": message}).to_string())
}

fn generate(state: &mut State, body: &Value) -> Answer {
    let name = body["lora_path"].as_str();
    let model = match name.map(|name| state.adapters.get(name)) {
        None => state.held,
        Some(Some(adapter)) => *adapter,
        Some(None) => return error(400, "Got LoRA adapter that has never been loaded"),
    };
    if state.paused {
        return error(503, "paused");
    }
    let (prompt, params) = (ids(&body["input_ids"]), &body["sampling_params"]);
    let top_k = params["top_k"].as_i64().unwrap_or(2);
    let draw = Draw {
        temperature: params["temperature"].as_f64().unwrap_or(0.3),
        top_k: if top_k <= 0 { VOCABULARY } else { top_k as usize },
        seed: params["sampling_seed"].as_i64().unwrap_or(0) as u64,
    };
    // It ignores all of them together.
    let stop_tokens = if params["ignore_eos"] == true {
        vec![]
    } else {
        [ids(&params["stop_token_ids"]), vec![END]].concat()
    };
    let limit = params["max_new_tokens"].as_u64().unwrap_or(128) as usize;
    let limit = limit.min(state.context - prompt.len());
    let ask = TurnAsk { prompt: prompt.clone(), draw, limit, stop_tokens };
    let (tokens, logprobs, finish) = state.turn(model, &ask);
    let is_turn = params["sampling_seed"].is_i64();
    let version = if state.fault == Fault::OtherVersion && is_turn { "other" } else { &state.weight_version };
    let mut meta = json!({
        "id": "1", "finish_reason": {"type": finish}, "prompt_tokens": prompt.len(), "weight_version": version,
        "completion_tokens": tokens.len(),
    });
    if body["return_logprob"] == true && !(state.fault == Fault::NoLogprobs && is_turn) {
        let mut given = logprobs.into_iter();
        let triple = |token: &u32| json!([given.next().unwrap_or_default(), token, null]);
        meta["output_token_logprobs"] = tokens.iter().map(triple).collect();
        if body["logprob_start_len"] == 0 {
            let scored =
                std::iter::once(Value::Null).chain(model.score(&prompt).into_iter().map(Value::from));
            meta["input_token_logprobs"] =
                scored.zip(&prompt).map(|(logprob, token)| json!([logprob, token, null])).collect();
        }
    }
    Answer::ok(&json!({"text": "", "output_ids": tokens, "meta_info": meta}))
}
