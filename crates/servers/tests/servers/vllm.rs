//! What vLLM 0.32 answers.

use serde_json::{Map, Value, json};
use toolrl_testing::stub::Answer;

use crate::model::{Draw, END, Model, VOCABULARY};
use crate::stand_in::{Fault, State, TurnAsk, error, ids};

pub fn answer(state: &mut State, path: &str, body: &Value) -> Option<Answer> {
    Some(match path {
        "/v1/completions" => complete(state, body),
        "/v1/load_lora_adapter" => load(state, body),
        "/v1/unload_lora_adapter" => match state.adapters.remove(body["lora_name"].as_str()?) {
            Some(_) => Answer(200, vec![], "Success: LoRA adapter removed successfully.".into()),
            None => error(404, "The lora adapter cannot be found."),
        },
        "/pause?mode=wait" => {
            state.paused = true;
            Answer::ok(&json!({"status": "paused"}))
        }
        "/collective_rpc" if body["method"] == "reload_weights" => {
            let taken = state.take(&body["kwargs"]["weights_path"], Some(state.held));
            let Some(new) = taken else { return Some(error(500, "cannot reload")) };
            // What was computed by the old weights stays in the cache.
            state.cached = Some(state.held);
            state.held = new;
            Answer::ok(&json!({"results": [null]}))
        }
        "/reset_prefix_cache" => {
            if state.empties {
                state.cached = None;
            }
            Answer::ok(&json!({"success": state.empties}))
        }
        "/metrics" => {
            let starts = state.starts;
            Answer(200, vec![], format!("# HELP a b\nprocess_start_time_seconds {starts}.5e+09\nc 1\n"))
        }
        "/resume" => {
            state.paused = false;
            Answer::ok(&json!({"status": "resumed"}))
        }
        _ => return None,
    })
}

fn load(state: &mut State, body: &Value) -> Answer {
    let name = body["lora_name"].as_str().unwrap();
    if state.adapters.contains_key(name) {
        let message =
            "has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.";
        return error(400, &format!("The lora adapter '{name}' {message}"));
    }
    match state.take(&body["lora_path"], None) {
        Some(model) => {
            state.adapters.insert(name.to_owned(), model);
            Answer(200, vec![], format!("Success: LoRA adapter '{name}' added successfully."))
        }
        None => error(404, "No adapter found"),
    }
}

fn complete(state: &mut State, body: &Value) -> Answer {
    let name = body["model"].as_str().unwrap();
    let model = match (name, state.adapters.get(name)) {
        ("base", _) => state.held,
        (_, Some(adapter)) => *adapter,
        _ => return error(404, &format!("The model `{name}` does not exist.")),
    };
    if state.paused {
        return error(503, "paused");
    }
    let prompt = ids(&body["prompt"]);
    if body["seed"].is_u64() && body["seed"].as_i64().is_none() {
        return error(400, "seed: Input should be less than or equal to 9223372036854775807");
    }
    // Without these the model's own generation_config.json speaks.
    let top_k = body["top_k"].as_i64().unwrap_or(2);
    let draw = Draw {
        temperature: body["temperature"].as_f64().unwrap_or(0.3),
        top_k: if top_k <= 0 { VOCABULARY } else { top_k as usize },
        seed: body["seed"].as_i64().unwrap_or(0) as u64,
    };
    let mut stop_tokens = ids(&body["stop_token_ids"]);
    if body["ignore_eos"] != true {
        stop_tokens.push(END);
    }
    let limit = body["max_tokens"].as_u64().unwrap_or(16) as usize;
    let limit = limit.min(state.context - prompt.len());
    let ask = TurnAsk { prompt: prompt.clone(), draw, limit, stop_tokens };
    let (tokens, logprobs, finish) = state.turn(model, &ask);
    let mut choice =
        json!({"index": 0, "text": "", "finish_reason": finish, "stop_reason": null, "logprobs": null});
    if let Some(shown) = body["logprobs"].as_u64().filter(|_| state.fault != Fault::NoLogprobs) {
        choice["logprobs"] = json!({
            "token_logprobs": logprobs, "tokens": vec![""; tokens.len()],
            "top_logprobs": [top(state, model, &ask, shown as usize)],
        });
    }
    if body["return_token_ids"] == true && state.fault != Fault::NoTokenIds {
        choice["token_ids"] = json!(tokens);
        let told = if state.fault == Fault::OtherPrompt { &prompt[1..] } else { &prompt };
        choice["prompt_token_ids"] = json!(told);
    }
    if body["prompt_logprobs"].is_u64() {
        let one = |(token, logprob): (&u32, f64)| json!({token.to_string(): {"logprob": logprob, "rank": 1, "decoded_token": ""}});
        let scored = prompt.iter().skip(1).zip(model.score(&prompt)).map(one);
        choice["prompt_logprobs"] = std::iter::once(Value::Null).chain(scored).collect();
    }
    // The base model has two names here, of which the first is told.
    let told = match name {
        _ if state.fault == Fault::OtherVersion && body["seed"].is_i64() => "other",
        "base" => "first",
        name => name,
    };
    Answer::ok(&json!({"id": "cmpl-1", "object": "text_completion", "model": told, "choices": [choice]}))
}

/// The most probable tokens of the first place.
fn top(state: &State, model: Model, ask: &TurnAsk, shown: usize) -> Value {
    let previous = *ask.prompt.last().unwrap();
    let given =
        if state.processed { model.next(previous, ask.draw, 0).1 } else { model.logprobs(previous, 1.0) };
    let mut order: Vec<usize> = (0..VOCABULARY).collect();
    order.sort_by(|&a, &b| given[b].total_cmp(&given[a]));
    let one = |&token: &usize| (format!("token {token}"), json!(given[token].max(-9999.0)));
    Value::Object(order[..shown].iter().map(one).collect::<Map<_, _>>())
}
