//! The sampler whose policy is on servers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use toolrl_chat::{Chat, TurnEnd};
use toolrl_remote::{RemoteError, on_threads};
use toolrl_rollout::{
    Request, RolloutError, Sampled, Sampler, Sampling, SamplingParams, StopStrings, StreamKey,
};

use crate::ServersError;
use crate::pool::{Lease, Places, Pool};
use crate::turn::Ending;
use crate::wire::{Ask, LogprobMode};

/// One version of the policy, as servers hold it.
///
/// A turn is a request of its own, and a group's requests go to one server, which computes the prompt once. A server that
/// fails is left out until it has taken the weights anew, and its turns are asked of others. The seed of a turn follows
/// from the key, the prompt, the member and what the member drew before, so that a server that computes the same for the
/// same batch repeats it; between batches and servers the rounding of sums may differ. (SGLang draws by it only with
/// `--enable-deterministic-inference`.)
#[derive(Debug)]
pub struct ServedSampler<'a> {
    pool: &'a Arc<Pool>,
    chat: &'a Chat,
    version: u64,
    stop_tokens: Option<Vec<u32>>,
    context: usize,
    places: Places,
}

/// Why a turn was not had.
enum Fault {
    /// Another server, or this one later, may give it.
    Server(ServersError),
    /// No server will.
    Ours(RolloutError),
}

/// What is asked, for all members of all requests.
#[derive(Clone, Copy)]
struct Job<'a> {
    params: &'a SamplingParams,
    key: StreamKey,
    stop_tokens: &'a [u32],
    stop_strings: Option<StopStrings<'a>>,
}

impl<'a> ServedSampler<'a> {
    pub(crate) fn new(pool: &'a Arc<Pool>, chat: &'a Chat, version: u64) -> Self {
        let places = Mutex::new(HashMap::new());
        Self { pool, chat, version, stop_tokens: None, context: usize::MAX, places }
    }

    /// Ends turns with these tokens and no others; without a choice, with those of [`TurnEnd`] that the tokenizer tells.
    #[must_use]
    pub fn with_stop_tokens(self, stop_tokens: &[u32]) -> Self {
        Self { stop_tokens: Some(stop_tokens.to_vec()), ..self }
    }

    /// Keeps prompt and turn within so many tokens, where the servers' context holds more.
    #[must_use]
    pub fn with_context(self, tokens: usize) -> Self {
        Self { context: tokens, ..self }
    }

    /// The turns of each request's members.
    fn turns(
        &self,
        requests: &[Request<'_>],
        params: &SamplingParams,
        key: StreamKey,
    ) -> Result<Vec<Vec<Sampled>>, RolloutError> {
        self.check(requests, params)?;
        self.forget_places(requests);
        let own_stops = match &self.stop_tokens {
            Some(_) => None,
            None => Some(TurnEnd::of(self.chat, &[])?.stops),
        };
        let stop_tokens = self.stop_tokens.as_ref().or(own_stops.as_ref()).map_or(&[][..], Vec::as_slice);
        let job = Job { params, key, stop_tokens, stop_strings: StopStrings::new(self.chat, params) };
        let of_request = |request| move |member| (request, member);
        let all: Vec<(&Request<'_>, usize)> =
            requests.iter().flat_map(|request| request.members.clone().map(of_request(request))).collect();
        let threads = self.pool.config.concurrency.saturating_mul(self.pool.wires.len());
        let failed = AtomicBool::new(false);
        let work = |(request, member)| {
            if failed.load(Ordering::Relaxed) {
                return None;
            }
            let turn = self.turn(request, member, job);
            if turn.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            Some(turn)
        };
        let turns = self.pool.tended(|| on_threads(threads, all, work));
        // Where one is lacking, an error stands before or behind it.
        let mut turns = turns.into_iter().flatten().collect::<Result<Vec<_>, _>>()?.into_iter();
        Ok(requests.iter().map(|request| turns.by_ref().take(request.members.len()).collect()).collect())
    }

    fn check(&self, requests: &[Request<'_>], params: &SamplingParams) -> Result<(), RolloutError> {
        params.check()?;
        let vocabulary = self.vocabulary();
        for &Request { index: prompt, tokens, .. } in requests {
            if tokens.is_empty() {
                return Err(RolloutError::EmptyPrompt { prompt });
            }
            if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                let problem = format!("prompt {prompt} has token {id}, the vocabulary {vocabulary} tokens");
                return Err(RolloutError::Params(problem));
            }
        }
        Ok(())
    }

    /// A first turn begins anew, on whichever server has the least to do: not all were there before.
    fn forget_places(&self, requests: &[Request<'_>]) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for request in requests.iter().filter(|request| request.drawn == 0) {
            places.remove(&request.index);
        }
    }

    /// Ids that the model has.
    fn vocabulary(&self) -> usize {
        self.chat.embeddings().unwrap_or_else(|| self.chat.vocab_size())
    }

    /// One turn, of whichever server gives it.
    fn turn(&self, request: &Request<'_>, member: usize, job: Job<'_>) -> Result<Sampled, RolloutError> {
        let (mut made, mut failed) = (0, Vec::new());
        loop {
            let lease = self.pool.lease(self.version, (request.index, &self.places), &failed);
            let lease = lease.map_err(in_rollout)?;
            if made > 0 {
                self.pool.count_retry();
            }
            made += 1;
            let error = match self.ask(&lease, request, member, job) {
                Ok(turn) => {
                    if self.pool.settle(&lease, None) {
                        return Ok(turn);
                    }
                    continue;
                }
                Err(Fault::Ours(error)) => {
                    self.pool.settle(&lease, None);
                    return Err(error);
                }
                Err(Fault::Server(error)) => error,
            };
            self.pool.settle(&lease, Some(&error));
            failed.push(lease.server);
            if made >= self.pool.config.attempts {
                return Err(in_rollout(error));
            }
        }
    }

    /// Asks one server once.
    fn ask(
        &self,
        lease: &Lease,
        request: &Request<'_>,
        member: usize,
        job: Job<'_>,
    ) -> Result<Sampled, Fault> {
        let Job { params, key, stop_tokens, stop_strings } = job;
        let &Request { index: prompt, tokens, drawn, .. } = request;
        let context = lease.context.unwrap_or(usize::MAX).min(self.context);
        if tokens.len() >= context {
            let (tokens, limit) = (tokens.len(), context.saturating_sub(1));
            return Err(Fault::Ours(RolloutError::PromptTooLong { prompt, tokens, limit }));
        }
        self.check_mode(lease, params)?;
        let limit = params.max_new_tokens.min(context - tokens.len());
        let seed = seed(key, prompt, member, drawn);
        let wire = &self.pool.wires[lease.server];
        let raw = wire.turn(&Ask { weights: &lease.weights, tokens, params, limit, stop_tokens, seed });
        let ending = Ending { stop_tokens, stop_strings, limit, vocabulary: self.vocabulary() };
        let turn = ending.turn(raw.map_err(fault)?, self.version);
        let wrong = |problem| ServersError::Reply { url: wire.url().to_owned(), problem };
        turn.map_err(|error| Fault::Ours(error.into()))?.map_err(|problem| Fault::Server(wrong(problem)))
    }

    /// Whether the server's log-probabilities are those that training needs of these settings; found out where not all are.
    fn check_mode(&self, lease: &Lease, params: &SamplingParams) -> Result<(), Fault> {
        let all = [LogprobMode::Raw, LogprobMode::Tempered, LogprobMode::Truncated];
        if all.iter().all(|mode| mode.serves(params)) {
            return Ok(());
        }
        let wire = &self.pool.wires[lease.server];
        let mode = match lease.mode {
            Some(mode) => mode,
            None => {
                let mode = wire.logprob_mode(&lease.weights).map_err(fault)?;
                self.pool.learn(lease, mode);
                mode
            }
        };
        if mode.serves(params) {
            return Ok(());
        }
        let error = wire.mode_error(mode, params);
        Err(Fault::Ours(in_rollout(error)))
    }
}

/// The seed of a turn: 53 bits, which every server and every reader of JSON takes.
fn seed(key: StreamKey, prompt: u64, member: usize, drawn: usize) -> i64 {
    let uniform = key.stream(prompt, member as u64).uniform(drawn as u64);
    (uniform * (1_u64 << 53) as f64) as i64
}

fn in_rollout(error: ServersError) -> RolloutError {
    RolloutError::Sampler(Box::new(error))
}

/// Whether another server may do better.
fn fault(error: ServersError) -> Fault {
    // Servers that do not know an adapter any more, since they were started anew, say so by 404 or by 400.
    let is_of_server = |message: &str| {
        let message = message.to_lowercase();
        message.contains("lora") || message.contains("adapter")
    };
    let is_ours = match &error {
        ServersError::Remote(RemoteError::TooLong { .. }) => true,
        ServersError::Remote(RemoteError::Status { status, message, .. }) => {
            matches!(status, 400..=403 | 405..=407 | 409..=424) && !is_of_server(message)
        }
        _ => false,
    };
    if is_ours { Fault::Ours(in_rollout(error)) } else { Fault::Server(error) }
}

impl Sampler for ServedSampler<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        Box::pin(async move { self.turns(requests, params, key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_depends_on_every_counter_and_fits_every_server() {
        let key = StreamKey { seed: u64::MAX, step: 2 };
        let here = seed(key, 3, 4, 5);
        let others = [
            seed(StreamKey { seed: 0, ..key }, 3, 4, 5),
            seed(StreamKey { step: 3, ..key }, 3, 4, 5),
            seed(key, 4, 4, 5),
            seed(key, 3, 5, 5),
            seed(key, 3, 4, 6),
        ];
        assert!(others.iter().all(|&other| other != here));
        assert!(others.iter().chain([&here]).all(|seed| (0..1 << 53).contains(seed)));
        assert_eq!(here, seed(key, 3, 4, 5));
    }
}
