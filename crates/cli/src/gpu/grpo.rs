//! One whole GRPO step: sampling, scores, forward and backward, update.

use std::sync::Arc;

use toolrl_policy::{Activations, Policy};
use toolrl_rollout::{Prompt, SamplingParams};
use toolrl_train::{Bench, BenchSettings, Layout, OptimizerConfig};

use super::Context;
use super::decoding::any_tokens;
use super::report::Row;
use super::shapes::Shape;
use super::training::precision;
use crate::train::block_on;

/// Seconds of a step of the largest shape: the paper's 4 replies a prompt, of which 32 prompts instead of 512; the
/// whole is 16 times as much work but for the update.
pub(super) fn measure(context: &Context) -> anyhow::Result<Vec<Row>> {
    let (groups, prompt, reply) = if context.tiny() { (2, 12, 6) } else { (32, 512, 256) };
    let Some(shape) = Shape::all(context.tiny())?.pop() else { return Ok(Vec::new()) };
    let policy = Policy::untrained(shape.config.clone(), precision(context), context.device());
    let settings = BenchSettings {
        group_size: 4,
        sampling: SamplingParams { max_new_tokens: reply, ..SamplingParams::default() },
        micro_tokens: 8192,
        activations: Activations::Keep,
        kept_prompts_mib: 0,
        layout: Layout::Shared,
        optimizer: OptimizerConfig::default(),
        seed: 0,
    };
    let mut bench = Bench::new(policy, settings);
    let vocabulary = shape.config.vocab_size;
    let any = |i| Prompt { index: i as u64, tokens: any_tokens(i, prompt, vocabulary), ..Prompt::default() };
    let prompts: Vec<_> = (0..groups).map(|i| Arc::new(any(i))).collect();
    let mut rows = Vec::new();
    for step in 1..=2 {
        // The tokens' sum: replies differ in it, which is all that a step's time depends on.
        let timed = block_on(bench.step(&prompts, |reply| {
            f64::from(reply.tokens.iter().fold(0u32, |sum, &token| sum.wrapping_add(token)) % 97) / 97.0
        }))?;
        let parts = [
            ("", timed.wall_s),
            (", sampling", timed.sampling_s),
            (", forward and backward", timed.training_s),
            (", update", timed.optimizer_s),
        ];
        let name = format!("{} GRPO step {step} of {groups} x 4", shape.name);
        rows.extend(parts.map(|(part, seconds)| Row::new(format!("{name}{part}"), seconds, "s")));
        let whole = 512.0 / groups as f64 * (timed.wall_s - timed.optimizer_s) + timed.optimizer_s;
        rows.push(Row::new(format!("{name}, scaled to 512 x 4"), whole, "s").beside("goal", Some(40.0)));
        rows.push(Row::new(format!("{name}, sampler and trainer apart"), timed.logprob_gap_max, "nats"));
    }
    Ok(rows)
}
