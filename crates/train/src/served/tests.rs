//! Runs by a server that answers as vLLM does, over a connection: it reads what the trainer writes, and samples by that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pollster::block_on;
use serde_json::{Value, json};
use toolrl_policy::Precision;
use toolrl_record::StepMetrics;
use toolrl_rollout::{FinishReason, Request, SamplingParams, StreamKey};
use toolrl_testing::device;
use toolrl_testing::stub::{Answer, Asked, serve};

use super::*;
use crate::test_fixtures::letters;
use crate::{Job, Registry, Stop, run};

/// What a vLLM of the quickstart's policy holds and is asked.
struct Vllm {
    chat: Chat,
    state: Mutex<Held>,
    /// Whether it loads nothing, and says that it did, from the version of this number on.
    deaf_from: usize,
}

struct Held {
    models: HashMap<String, Policy>,
    /// What it was told to load, in order.
    loaded: Vec<PathBuf>,
    paths: Vec<String>,
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/quickstart")
}

impl Vllm {
    fn new(deaf_from: usize) -> Arc<Self> {
        let base = Policy::load(quickstart().as_path(), Precision::F32, &device()).unwrap();
        let models = HashMap::from([("base".to_owned(), base)]);
        let state = Mutex::new(Held { models, loaded: Vec::new(), paths: Vec::new() });
        Arc::new(Self { chat: Chat::load(&quickstart()).unwrap(), state, deaf_from })
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut held = self.state.lock().unwrap();
        held.paths.push(asked.path.clone());
        match asked.path.as_str() {
            "/v1/models" => Answer::ok(&json!({"data": [{"id": "base", "max_model_len": 2048}]})),
            "/v1/load_lora_adapter" => {
                self.load(&mut held, &asked.body["lora_name"], &asked.body["lora_path"])
            }
            "/v1/unload_lora_adapter" => {
                held.models.remove(asked.body["lora_name"].as_str().unwrap()).unwrap();
                Answer::ok(&Value::Null)
            }
            "/collective_rpc" => self.load(&mut held, &"base".into(), &asked.body["kwargs"]["weights_path"]),
            "/v1/completions" => {
                let model = &held.models[asked.body["model"].as_str().unwrap()];
                let choice = if asked.body["prompt_logprobs"].is_null() {
                    self.turn(model, &asked.body)
                } else {
                    of_prompt(model, &asked.body)
                };
                Answer::ok(&json!({ "model": asked.body["model"], "choices": [choice] }))
            }
            "/metrics" => Answer(404, Vec::new(), String::new()),
            _ => Answer::ok(&json!({})),
        }
    }

    fn load(&self, held: &mut Held, name: &Value, dir: &Value) -> Answer {
        let dir = PathBuf::from(dir.as_str().unwrap());
        let policy = match held.loaded.len() < self.deaf_from {
            true => Policy::load(dir.as_path(), Precision::F32, &device()).unwrap(),
            false => held.models["base"].clone(),
        };
        held.loaded.push(dir);
        held.models.insert(name.as_str().unwrap().to_owned(), policy);
        Answer::ok(&json!({}))
    }

    fn turn(&self, model: &Policy, body: &Value) -> Value {
        let tokens: Vec<u32> = serde_json::from_value(body["prompt"].clone()).unwrap();
        let request = Request { index: 0, tokens: &tokens, members: 0..1, drawn: 0 };
        let max_new_tokens = body["max_tokens"].as_u64().unwrap() as usize;
        let params = SamplingParams { max_new_tokens, ..SamplingParams::default() };
        let stops: Vec<u32> = serde_json::from_value(body["stop_token_ids"].clone()).unwrap();
        let model = model.clone().stopping_at(stops);
        let key = StreamKey { seed: body["seed"].as_u64().unwrap(), step: 0 };
        let mut engine = Engine::new(&model, 1).with_chat(&self.chat);
        let turn = block_on(engine.sample(&[request], &params, key)).unwrap().remove(0).remove(0);
        let finish = if turn.finish == FinishReason::Length { "length" } else { "stop" };
        json!({ "token_ids": turn.tokens, "logprobs": { "token_logprobs": turn.logprobs }, "finish_reason": finish })
    }
}

fn of_prompt(model: &Policy, body: &Value) -> Value {
    let tokens: Vec<u32> = serde_json::from_value(body["prompt"].clone()).unwrap();
    let given = model.sequence_logprobs(&tokens).into_iter().zip(&tokens[1..]);
    let given = given.map(|(logprob, id)| json!({ id.to_string(): { "logprob": logprob } }));
    json!({ "prompt_logprobs": std::iter::once(Value::Null).chain(given).collect::<Vec<_>>() })
}

/// A run of four steps by this server.
fn train(dir: &Path, vllm: &Arc<Vllm>, set: &[&str]) -> Result<Vec<StepMetrics>, TrainError> {
    let of_server = vllm.clone();
    let url = serve(move |asked| of_server.answer(asked));
    let text = format!(
        "name = \"served\"\npolicy.dir = {:?}\nreward = [{{ id = \"letters\" }}]\n[sampler]\nkind = \"vllm\"\nurls = [{url:?}]\nmodel = \"base\"\n\
         sync = \"lora\"\n[data.world]\ntrain = 24\nheld_out = 4\n[sampling]\nmax_new_tokens = 12\n[train]\n\
         method = \"grpo\"\nsteps = 4\nprompts = 2\nmax_prompt_tokens = 512\noptimizer = {{ lr = 1e-2 }}\n\
         loss = {{ sampler_ratio_cap = 2.0 }}\nguards = {{ max_logprob_gap = 9.0 }}\nlora = {{ rank = 4, alpha = 8 }}\n\
         [eval]\nlimit = 2\nevery = 2\nmax_new_tokens = 8\n",
        quickstart().display().to_string()
    );
    let set: Vec<String> = set.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::parse(&text, &set).unwrap();
    let parts = recipe.parts(&Registry::from(letters())).unwrap();
    let (recipe, stop) = (&recipe, Stop::default());
    let job = Job { recipe, parts: &parts, run_dir: dir, before: None, resume: None, stop, last_step: None };
    block_on(run(job, &mut ()))?;
    Ok(toolrl_record::read_rows(&dir.join("metrics.jsonl")).unwrap())
}

/// Every version is published once, evaluations included; what a server samples is of the trainer's weights, and nothing
/// is left of them on the disk.
#[test]
fn servers_follow_the_trainer() {
    let dir = tempfile::tempdir().unwrap();
    let ways: [(&str, &[&str], f64); 4] = [
        ("lora", &[], 0.0),
        ("stale", &["sampler.stale=1"], 1.0),
        ("disk", &["sampler.sync=disk", "sampler.untie_head=true"], 0.0),
        ("ppo", &["train.method=ppo", "sampler.sync=disk", "sampler.stale=1"], 1.0),
    ];
    for (name, set, lag) in ways {
        let (run, vllm) = (dir.path().join(name), Vllm::new(usize::MAX));
        let rows = train(&run, &vllm, set).unwrap();
        let held = vllm.state.lock().unwrap();
        // By the third version nothing is sampled where each step is sampled ahead.
        let versions = (0..=4).filter(|&v| lag == 0.0 || v != 3);
        let versions: Vec<PathBuf> = versions.map(|v| run.join(format!("weights/v{v}"))).collect();
        assert_eq!(held.loaded, versions, "{name}");
        assert!(!run.join("weights").exists(), "{name}");
        // A step whose rewards are all equal trains no token, so that the weights stay what they were.
        let trained = |row: &StepMetrics| row.detail.sampled().unwrap().update.tokens > 0;
        let mut moved = 0;
        for (row, before) in rows.iter().zip(std::iter::once(None).chain(rows.iter().map(Some))) {
            let measured = row.detail.sampled().unwrap();
            assert_eq!(measured.sampler["lag"], before.map_or(0.0, |_| lag), "{name}");
            if trained(row) {
                let is_behind = lag > 0.0 && before.is_some_and(trained);
                let gap = &measured.logprob_gap;
                assert_eq!(gap.max >= 1e-4, is_behind, "{name} {}: {gap:?}", row.step);
                moved += usize::from(is_behind);
            }
        }
        assert!(moved > 0 || lag == 0.0, "{name}: no step was sampled by weights that moved meanwhile");
        let sync_is_lora = held.paths.iter().any(|path| path == "/v1/load_lora_adapter");
        assert_eq!(sync_is_lora, !set.contains(&"sampler.sync=disk"));
    }
}

/// A server that says that it took weights, and did not, is not sampled from.
#[test]
fn a_server_with_other_weights_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    for (name, set) in [("lora", &[][..]), ("disk", &["sampler.sync=disk"])] {
        let vllm = Vllm::new(2);
        let failed = train(&dir.path().join(name), &vllm, set).unwrap_err().to_string();
        assert!(failed.contains("version 2"), "{name}: {failed}");
        let loaded = vllm.state.lock().unwrap().loaded.len();
        assert_eq!(loaded, 3, "{name}");
    }
}

#[test]
fn adapters_are_sent_of_a_policy_that_has_some() {
    let dir = tempfile::tempdir().unwrap();
    let text = "name = \"a\"\n[sampler]\nkind = \"vllm\"\nurls = [\"http://127.0.0.1:1\"]\nmodel = \"m\"\n\
                sync = \"lora\"\n[train]\nmethod = \"grpo\"\n[data.world]\ntrain = 4\nheld_out = 2\n";
    let recipe = Recipe::parse(text, &[format!("policy.dir={}", quickstart().display())]).unwrap();
    let parts = recipe.parts(&Registry::default()).unwrap();
    let (recipe, run_dir, stop) = (&recipe, dir.path(), Stop::default());
    let job = Job { recipe, parts: &parts, run_dir, before: None, resume: None, stop, last_step: None };
    let failed = block_on(run(job, &mut ())).unwrap_err().to_string();
    assert!(failed.contains("the policy has none: set train.lora, or sync = \"disk\""), "{failed}");
}
