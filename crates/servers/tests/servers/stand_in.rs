//! Servers that answer as vLLM and SGLang do, well or with a fault.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use toolrl_servers::Kind;
use toolrl_testing::stub::{Answer, Asked, serve};

use crate::model::{Draw, Model};
use crate::{sglang, vllm};

/// What a slow server takes for a turn.
pub const SLOW: Duration = Duration::from_secs(20);

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// It is not there at all.
    Gone,
    /// It hangs up where a turn is asked for.
    HangUp,
    /// It answers so where a turn is asked for.
    Status(u16),
    Slow,
    /// It says that it took weights, and goes on with those that it had.
    OtherWeights,
    OtherTokens,
    NoTokenIds,
    NoLogprobs,
    OneLogprobTooFew,
    NullLogprob,
    InfiniteLogprob,
    /// A turn ends early without anything that ends it.
    CutShort,
    Empty,
    TooLong,
    OtherPrompt,
    /// A turn is said to be of another version.
    OtherVersion,
    HalfAnswer,
    NoJson,
}

/// What a server is and does.
pub struct State {
    pub kind: Kind,
    pub fault: Fault,
    /// The model that it was started with, and holds again after a restart.
    pub base: Model,
    pub held: Model,
    pub adapters: HashMap<String, Model>,
    pub weight_version: String,
    pub paused: bool,
    /// How often it was started.
    pub starts: u32,
    /// What its cache of prompts says when it should be emptied.
    pub empties: bool,
    /// What prompts were computed with, where the cache was not emptied since the weights changed.
    pub cached: Option<Model>,
    /// vLLM: whether log-probabilities are of what is left of a distribution.
    pub processed: bool,
    /// SGLang: whether log-probabilities leave the temperature out.
    pub original: bool,
    pub context: usize,
    /// Tokens that it draws behind the end of a turn.
    pub behind: usize,
    pub asked: Vec<Asked>,
}

/// A server on this machine.
#[derive(Clone)]
pub struct StandIn {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    pub fn new(kind: Kind) -> Self {
        let base = Model(0.3);
        let state = Arc::new(Mutex::new(State {
            kind,
            fault: Fault::None,
            base,
            held: base,
            adapters: HashMap::new(),
            weight_version: "default".into(),
            paused: false,
            starts: 1,
            empties: true,
            cached: None,
            processed: false,
            original: false,
            context: 4096,
            behind: 0,
            asked: Vec::new(),
        }));
        let shared = state.clone();
        let url = serve(move |asked| answer(&shared, asked));
        Self { url, state }
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub fn set(&self, fault: Fault) {
        self.with(|state| state.fault = fault);
    }

    /// It is another process, with the weights of the beginning.
    pub fn restart(&self, fault: Fault) {
        self.with(|state| {
            (state.held, state.paused, state.fault) = (state.base, false, fault);
            (state.weight_version, state.cached) = ("default".into(), None);
            state.adapters.clear();
            state.starts += 1;
        });
    }

    /// What was asked of a path.
    pub fn asked(&self, path: &str) -> Vec<Value> {
        let of = |asked: &Asked| (asked.path == path).then(|| asked.body.clone());
        self.with(|state| state.asked.iter().filter_map(of).collect())
    }

    /// The turns that it was asked for.
    pub fn turns(&self) -> Vec<Value> {
        let bodies = [self.asked("/v1/completions"), self.asked("/generate")].concat();
        bodies.into_iter().filter(|body| seed_of(body).is_some()).collect()
    }
}

/// The seed of a turn, which what is asked about a probe has not.
pub fn seed_of(body: &Value) -> Option<i64> {
    body["seed"].as_i64().or_else(|| body["sampling_params"]["sampling_seed"].as_i64())
}

pub fn error(status: u16, message: &str) -> Answer {
    Answer(status, vec![], json!({"error": {"message": message, "code": status}}).to_string())
}

fn answer(state: &Mutex<State>, asked: &Asked) -> Answer {
    let fault = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        state.fault
    };
    let is_turn = seed_of(&asked.body).is_some();
    match fault {
        Fault::Gone => return Answer(0, vec![], String::new()),
        Fault::HangUp if is_turn => return Answer(0, vec![], String::new()),
        Fault::Status(status) if is_turn => return error(status, "something is wrong here"),
        Fault::Slow if is_turn => std::thread::sleep(SLOW),
        _ => {}
    }
    let state = &mut *state.lock().unwrap();
    let own = match state.kind {
        Kind::Vllm => vllm::answer(state, &asked.path, &asked.body),
        Kind::Sglang => sglang::answer(state, &asked.path, &asked.body),
    };
    let answer = own.unwrap_or_else(|| match asked.path.as_str() {
        "/health" => Answer(200, vec![], String::new()),
        "/v1/models" => {
            Answer::ok(&json!({"object": "list", "data": [{"id": "base", "max_model_len": state.context}]}))
        }
        path => error(404, &format!("no path {path}")),
    });
    match fault {
        Fault::HalfAnswer if is_turn => Answer(200, vec!["content-length: 9999".into()], answer.2),
        Fault::NoJson if is_turn => Answer(200, vec![], "<html>".into()),
        _ => answer,
    }
}

impl State {
    /// Takes weights from a folder.
    pub fn take(&self, dir: &Value, before: Option<Model>) -> Option<Model> {
        let new = Model::load(Path::new(dir.as_str()?))?;
        Some(if self.fault == Fault::OtherWeights { before.unwrap_or(self.base) } else { new })
    }

    /// The log-probabilities that it tells of a place.
    fn told(&self, model: Model, previous: u32, draw: Draw, left: &[f64]) -> Vec<f64> {
        match self.kind {
            Kind::Vllm if self.processed => left.to_vec(),
            Kind::Vllm => model.logprobs(previous, 1.0),
            Kind::Sglang if self.original => model.logprobs(previous, 1.0),
            Kind::Sglang => model.logprobs(previous, draw.temperature),
        }
    }

    /// A turn by this model: its ids, its log-probabilities and how it ended. The first token is drawn from what is in the
    /// cache of the prompt.
    pub fn turn(&mut self, model: Model, ask: &TurnAsk) -> (Vec<u32>, Vec<Value>, String) {
        let (mut tokens, mut logprobs, mut behind) = (Vec::new(), Vec::new(), None);
        let limit = if self.fault == Fault::CutShort { 1 } else { ask.limit };
        let mut previous = *ask.prompt.last().unwrap();
        let mut computed = self.cached.unwrap_or(model);
        while tokens.len() < limit && behind != Some(self.behind) {
            let (token, left) = computed.next(previous, ask.draw, tokens.len());
            tokens.push(token);
            logprobs.push(json!(self.told(computed, previous, ask.draw, &left)[token as usize]));
            behind = behind.map(|drawn| drawn + 1).or(ask.stop_tokens.contains(&token).then_some(0));
            (previous, computed) = (token, model);
        }
        let mut finish = if behind.is_some() { "stop" } else { "length" };
        match self.fault {
            Fault::OtherTokens => tokens[0] = 70_000,
            Fault::OneLogprobTooFew => drop(logprobs.pop()),
            Fault::NullLogprob => logprobs[0] = Value::Null,
            Fault::InfiniteLogprob => logprobs[0] = json!(-9999.0),
            Fault::Empty => (tokens, logprobs) = (vec![], vec![]),
            Fault::TooLong => {
                tokens = vec![5; ask.limit + 1];
                logprobs = vec![json!(-1.0); ask.limit + 1];
            }
            Fault::CutShort => {
                (tokens[0], finish) = (5, "abort");
            }
            _ => {}
        }
        (tokens, logprobs, finish.into())
    }
}

/// What is asked of a turn.
pub struct TurnAsk {
    pub prompt: Vec<u32>,
    pub draw: Draw,
    pub limit: usize,
    pub stop_tokens: Vec<u32>,
}

pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().into_iter().flatten().map(|id| id.as_u64().unwrap() as u32).collect()
}
