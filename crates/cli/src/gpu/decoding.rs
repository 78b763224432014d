//! Replies of decoders with weights that mean nothing, many at a time.

use toolrl_engine::Engine;
use toolrl_policy::Policy;
use toolrl_rollout::{Request, Sampler, SamplingParams, StreamKey};

use super::Context;
use super::report::Row;
use super::shapes::Shape;
use super::training::precision;
use crate::train::block_on;

/// Tokens a second of decoding at several batches, and the share of the bandwidth that they need at least.
pub(super) fn measure(context: &Context) -> anyhow::Result<Vec<Row>> {
    let (prompt, batches): (usize, &[usize]) =
        if context.tiny() { (12, &[1, 4]) } else { (512, &[1, 16, 64, 256]) };
    let tokens = if context.tiny() { 8 } else { 128 };
    let mut rows = Vec::new();
    for shape in Shape::all(context.tiny())? {
        let policy = Policy::untrained(shape.config.clone(), precision(context), context.device());
        for &batch in batches {
            let seconds = |tokens| seconds(context, &policy, prompt, batch, tokens);
            // The prompt's own time falls out of the difference, and that of the first steps, which are recorded. Kernels
            // are compiled before: a cache of another length may have another.
            seconds(tokens + 2)?;
            seconds(2)?;
            let step = (seconds(tokens + 2)? - seconds(2)?) / tokens as f64;
            let name = format!("{} decoding, batch {batch}", shape.name);
            rows.push(Row::new(&name, batch as f64 / step, "tokens/s"));
            let bytes = shape.decoding_bytes(batch, prompt + tokens / 2) / step / 1e12;
            let peak = context.peak.map(|peak| peak.bytes / 1e12);
            rows.push(Row::new(format!("{name}, bytes"), bytes, "TB/s").beside("peak", peak));
        }
    }
    Ok(rows)
}

/// Seconds of a call that samples `batch` replies to as many prompts.
fn seconds(
    context: &Context,
    policy: &Policy,
    prompt: usize,
    batch: usize,
    tokens: usize,
) -> anyhow::Result<f64> {
    let prompts: Vec<_> = (0..batch).map(|i| any_tokens(i, prompt, policy.config().vocab_size)).collect();
    let requests = alone(&prompts);
    let params = SamplingParams { max_new_tokens: tokens, ..SamplingParams::default() };
    let mut engine = Engine::new(policy, batch);
    context.seconds(0, 1, || {
        block_on(engine.sample(&requests, &params, StreamKey { seed: 0, step: 0 }))?;
        Ok(())
    })
}

/// A prompt of tokens that mean nothing.
pub(super) fn any_tokens(index: usize, length: usize, vocabulary: usize) -> Vec<u32> {
    (0..length).map(|i| ((i * 7919 + index * 31) % vocabulary) as u32).collect()
}

/// Requests of one turn for each prompt.
pub(super) fn alone(prompts: &[Vec<u32>]) -> Vec<Request<'_>> {
    (0..).zip(prompts).map(|(index, tokens)| Request { index, tokens, members: 0..1, drawn: 0 }).collect()
}
