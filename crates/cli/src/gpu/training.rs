//! Forward and backward passes of whole decoders with weights that mean nothing.

use std::convert::Infallible;

use toolrl_policy::{Activations, Derivatives, Ids, Packing, Pass, PassSettings, Policy, Precision};

use super::Context;
use super::report::Row;
use super::shapes::Shape;

/// Sequences and their length of one pass.
fn batch(tiny: bool) -> (usize, usize) {
    if tiny { (2, 16) } else { (8, 1024) }
}

/// Tokens a second, and the share of the peak, of a forward and backward pass of every shape.
pub(super) fn measure(context: &Context) -> anyhow::Result<Vec<Row>> {
    let (sequences, length) = batch(context.tiny());
    let mut rows = Vec::new();
    for shape in Shape::all(context.tiny())? {
        let policy = Policy::untrained(shape.config.clone(), precision(context), context.device());
        let pass = pass(sequences, length, shape.config.vocab_size);
        for activations in [Activations::Keep, Activations::Recompute] {
            let settings = PassSettings { inverse_temperature: 1.0, activations, seed: 0 };
            let seconds = context.seconds(1, if context.tiny() { 1 } else { 3 }, || {
                let derivatives = |logp: &[f32], _: &[f32]| {
                    let by_logp = vec![-1.0 / logp.len() as f32; logp.len()];
                    Ok::<_, Infallible>(Derivatives { by_logp, by_entropy: Vec::new() })
                };
                policy.gradients(&pass, &settings, derivatives)?;
                Ok(())
            })?;
            let name = format!("{} forward and backward, {activations:?}", shape.name);
            let tokens = (sequences * length) as f64;
            rows.push(Row::new(&name, tokens / seconds, "tokens/s"));
            let flops = shape.training_flops(sequences, length) / seconds / 1e12;
            let peak = context.peak.map(|peak| peak.flops / 1e12);
            rows.push(Row::new(format!("{name}, operations"), flops, "TFLOP/s").beside("peak (MFU)", peak));
        }
        let seconds = context.seconds(1, if context.tiny() { 1 } else { 3 }, || {
            let _logprobs = policy.logprobs(&pass, 1.0);
            Ok(())
        })?;
        let name = format!("{} log-probabilities", shape.name);
        rows.push(Row::new(name, (sequences * length) as f64 / seconds, "tokens/s"));
    }
    Ok(rows)
}

/// bf16 where the device computes in it.
pub(super) fn precision(context: &Context) -> Precision {
    let bf16 = context.device().supports_dtype(burn::tensor::DType::BF16);
    if bf16 { Precision::Bf16 } else { Precision::F32 }
}

/// A pass over `sequences` sequences of any tokens, the loss on all.
fn pass(sequences: usize, length: usize, vocabulary: usize) -> Pass {
    let mut packing = Packing::new();
    for _ in 0..sequences {
        packing.push(length, None);
    }
    let tokens = sequences * length;
    let ids = |step: usize| Ids::new((0..tokens).map(|i| (i * step % vocabulary) as u32).collect());
    Pass {
        tokens: ids(7919),
        packing: packing.into(),
        rows: Ids::new((0..tokens as u32).collect()),
        targets: ids(104_729),
    }
}
