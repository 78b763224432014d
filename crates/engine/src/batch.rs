//! Continuous batching: replies in progress, decoded together; a finished one's place is taken at once.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use rayon::prelude::*;
use toolrl_kernels::{CacheSpans, Packing, Sampling, StepNumbers, is_cpu, together};
use toolrl_policy::{JoinedProjections, KvCache, Policy};
use toolrl_rollout::{
    FinishReason, Request, RolloutError, Sampled, SamplingParams, StopStrings, Stream, StreamKey,
};

use crate::draw::{Draw, draw, of_params};
use crate::graphs::Graphs;
use crate::slots::{Layout, Regions, Resident};

/// Prompt tokens computed in one forward pass.
const PREFILL_TOKENS: usize = 2048;

/// A turn in progress.
struct Active {
    slot: usize,
    region: usize,
    request: usize,
    member: usize,
    stream: Stream,
    /// Tokens that the member had drawn before this turn.
    drawn: usize,
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
}

impl Active {
    /// The number that its next token is drawn by.
    fn uniform(&self) -> f64 {
        self.stream.uniform((self.drawn + self.tokens.len()) as u64)
    }
}

/// A finished turn.
pub(crate) struct Finished {
    pub request: usize,
    pub member: usize,
    pub turn: Sampled,
}

/// One call of the sampler.
pub(crate) struct Batch<'a> {
    policy: &'a Policy,
    version: u64,
    requests: &'a [Request<'a>],
    params: &'a SamplingParams,
    sampling: Sampling,
    stop: Option<StopStrings<'a>>,
    key: StreamKey,
    /// Steps on a GPU; none where this process's threads compute them.
    graphs: Option<Graphs<'a>>,
    layout: Layout,
    cache: KvCache,
    regions: Regions,
    free_slots: Vec<usize>,
    waiting: VecDeque<(usize, usize)>,
    active: Vec<Active>,
    finished: Vec<Finished>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        (policy, version): (&'a Policy, u64),
        requests: &'a [Request<'a>],
        (params, stop): (&'a SamplingParams, Option<StopStrings<'a>>),
        key: StreamKey,
        slots: usize,
    ) -> Self {
        let of_request = |(r, request): (usize, &Request<'_>)| request.members.clone().map(move |m| (r, m));
        let waiting: VecDeque<_> = requests.iter().enumerate().flat_map(of_request).collect();
        let slots = slots.min(waiting.len()).max(1);
        let longest = requests.iter().map(|r| r.tokens.len()).max().unwrap_or(0);
        let room = requests.iter().map(|r| turn_limit(policy, r, params)).max().unwrap_or(0);
        let members = requests.iter().map(|r| r.members.len()).max().unwrap_or(0);
        let layout = Layout { slots, prompt: longest, reply: room };
        let on_cpu = is_cpu(&policy.decoder().head().device());
        let sampling = of_params(params);
        Self {
            policy,
            version,
            requests,
            params,
            sampling,
            stop,
            key,
            graphs: (!on_cpu).then(|| Graphs::new(policy, layout, members, sampling)),
            layout,
            cache: KvCache::new(policy, layout.rows()),
            regions: Regions::new(slots),
            free_slots: (0..slots).rev().collect(),
            waiting,
            active: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(mut self) -> Result<Vec<Finished>, RolloutError> {
        loop {
            self.admit()?;
            match (self.active.is_empty(), &self.graphs) {
                (true, _) => {}
                // On a worker: its operations then begin without waking another thread and waiting for it.
                (false, None) => rayon::scope(|_| self.step())?,
                // A GPU has a queue for each thread.
                (false, Some(_)) => self.step()?,
            }
            if self.active.is_empty() && self.waiting.is_empty() {
                return Ok(self.finished);
            }
        }
    }

    /// Fills free places from the queue, computing new prompts, and draws the first tokens.
    fn admit(&mut self) -> Result<(), RolloutError> {
        let n = self.free_slots.len().min(self.waiting.len());
        let next: Vec<_> = self.waiting.drain(..n).collect();
        let mut new: Vec<usize> =
            next.iter().map(|w| w.0).filter(|&p| self.regions.of_prompt(p).is_none()).collect();
        new.dedup();
        let mut rest = new.as_slice();
        while !rest.is_empty() {
            let pass;
            (pass, rest) = rest.split_at(self.fits_one_pass(rest));
            let lengths = pass.iter().map(|&p| self.requests[p].tokens.len());
            // A prompt that is kept for training is computed by itself, with the same results. What follows an earlier
            // turn is no prompt of training.
            let kept =
                self.policy.keeps_prompts(lengths) && pass.iter().all(|&p| self.requests[p].drawn == 0);
            pass.chunks(if kept { 1 } else { pass.len() }).for_each(|prompts| self.prefill(prompts));
        }
        let mut joined = Vec::with_capacity(next.len());
        for (request, member) in next {
            let (Some(slot), Some(region)) = (self.free_slots.pop(), self.regions.of_prompt(request)) else {
                continue;
            };
            let Request { index, drawn, .. } = self.requests[request];
            let stream = self.key.stream(index, member as u64);
            let (tokens, logprobs) = (Vec::new(), Vec::new());
            joined.push(Active { slot, region, request, member, stream, drawn, tokens, logprobs });
        }
        let draws: Vec<_> =
            joined.par_iter().map(|a| self.draw(a, self.regions.first_logits(a.region))).collect();
        self.take(joined, draws)
    }

    /// How many of the prompts one forward pass takes: at least one.
    fn fits_one_pass(&self, prompts: &[usize]) -> usize {
        let mut total = 0;
        let within = prompts.iter().take_while(|&&p| {
            total += self.requests[p].tokens.len();
            total <= PREFILL_TOKENS
        });
        within.count().max(1)
    }

    /// Computes prompts that are not cached yet, each once.
    fn prefill(&mut self, prompts: &[usize]) {
        let (mut packing, mut tokens, mut rows) = (Packing::new(), Vec::new(), Vec::new());
        let mut placed = Vec::new();
        for &p in prompts {
            let Some(region) = self.regions.free() else { continue };
            let Request { tokens: own, members, .. } = &self.requests[p];
            packing.push(own.len(), None);
            tokens.extend_from_slice(own);
            let first = self.layout.region(region);
            rows.extend(first..first + own.len());
            let left = members.len();
            self.regions.put(region, Resident { prompt: p, first_logits: Vec::new(), left });
            placed.push((p, region));
        }
        let hidden = self.policy.prefill(tokens.into(), &packing.into(), &mut self.cache, rows);
        let logits = floats(self.policy.decoder().logits(hidden));
        let by_prompt = logits.chunks_exact(self.policy.config().vocab_size);
        for ((prompt, region), first_logits) in placed.into_iter().zip(by_prompt) {
            let first_logits = first_logits.to_vec();
            let left = self.requests[prompt].members.len();
            self.regions.put(region, Resident { prompt, first_logits, left });
        }
    }

    /// One token for every reply in progress.
    fn step(&mut self) -> Result<(), RolloutError> {
        let active = std::mem::take(&mut self.active);
        let spans = active.iter().map(|a| {
            self.layout.spans(a.slot, a.region, self.requests[a.request].tokens.len(), a.tokens.len())
        });
        let spans: Vec<_> = spans.collect();
        let tokens: Vec<u32> = active.iter().filter_map(|a| a.tokens.last().copied()).collect();
        let uniforms: Vec<f64> = active.iter().map(Active::uniform).collect();
        let numbers = StepNumbers { tokens: &tokens, spans: &spans, uniforms: &uniforms };
        let there = self.graphs.as_mut().and_then(|graphs| graphs.step(&numbers, &mut self.cache));
        let draws = there.unwrap_or_else(|| self.step_here(tokens, spans, &uniforms));
        self.take(active, draws)
    }

    /// The draws of a step whose logits come to the host.
    fn step_here(&mut self, tokens: Vec<u32>, spans: Vec<CacheSpans>, uniforms: &[f64]) -> Vec<Option<Draw>> {
        let decoder = self.policy.decoder();
        let step = decoder.decode_step(tokens, spans);
        let joined = JoinedProjections::default();
        let logits = together(|| decoder.logits(decoder.decode(&step, &joined, &mut self.cache)));
        let logits = floats(logits);
        let rows = logits.par_chunks_exact(logits.len() / uniforms.len());
        uniforms
            .par_iter()
            .zip(rows)
            .map(|(&uniform, logits)| draw(logits, &self.sampling, uniform))
            .collect()
    }

    fn draw(&self, a: &Active, logits: &[f32]) -> Option<Draw> {
        draw(logits, &self.sampling, a.uniform())
    }

    /// Appends the drawn tokens; replies that end leave, the others go on.
    fn take(&mut self, mut replies: Vec<Active>, draws: Vec<Option<Draw>>) -> Result<(), RolloutError> {
        for (reply, drawn) in replies.iter_mut().zip(draws) {
            let Some(Draw { token, logprob }) = drawn else {
                let prompt = self.requests[reply.request].index;
                return Err(RolloutError::NotFinite { prompt, position: reply.tokens.len() });
            };
            reply.tokens.push(token);
            reply.logprobs.push(logprob);
        }
        let ends = match self.stop {
            Some(_) => replies.par_iter().map(|reply| self.end_of(reply)).collect::<Result<Vec<_>, _>>()?,
            None => replies.iter().map(|reply| self.end_of(reply)).collect::<Result<_, _>>()?,
        };
        for (reply, end) in replies.into_iter().zip(ends) {
            let Some(finish) = end else {
                self.active.push(reply);
                continue;
            };
            self.free_slots.push(reply.slot);
            self.regions.finish_member(reply.region);
            let Active { request, member, tokens, logprobs, .. } = reply;
            let turn = Sampled { tokens, logprobs, finish, version: self.version };
            self.finished.push(Finished { request, member, turn });
        }
        Ok(())
    }

    /// Why a reply ends with its last token, where it does.
    fn end_of(&self, reply: &Active) -> Result<Option<FinishReason>, RolloutError> {
        let stops_at = |token| self.policy.generation().stop_tokens.contains(token);
        if reply.tokens.last().is_some_and(stops_at) {
            return Ok(Some(FinishReason::Stop));
        }
        if let Some(stop) = &self.stop
            && stop.end_at(&reply.tokens)?
        {
            return Ok(Some(FinishReason::StopString));
        }
        let limit = turn_limit(self.policy, &self.requests[reply.request], self.params);
        Ok((reply.tokens.len() >= limit).then_some(FinishReason::Length))
    }
}

/// New tokens that a turn may have: as asked for, and not past the policy's positions.
fn turn_limit(policy: &Policy, request: &Request<'_>, params: &SamplingParams) -> usize {
    params.max_new_tokens.min(policy.config().max_positions - request.tokens.len())
}

fn floats(t: Tensor<2>) -> Vec<f32> {
    // The decoder computes in f32, so the conversion moves and cannot fail.
    t.into_data().try_into_vec_as().unwrap_or_default()
}
