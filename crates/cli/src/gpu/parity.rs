//! A whole policy on the device against the same on the CPU, and against stored values.

use std::convert::Infallible;
use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::{DType, Device};
use safetensors::{Dtype, SafeTensors};
use toolrl_engine::Engine;
use toolrl_policy::{Activations, Derivatives, Ids, Packing, Pass, PassSettings, Policy, Precision};
use toolrl_rollout::{Sampler, SamplingParams, StreamKey};

use super::Context;
use super::kernels::{difference, floats};
use super::report::Row;
use crate::starter;
use crate::train::block_on;

/// Tolerances of a precision: of a log-probability or logit, in nats; of the gradients, in parts of their norm.
struct Tolerance {
    precision: Precision,
    nats: f64,
    gradient: f64,
}

/// f32 products may be made of TF32 numbers, with 11 digits; bf16 has 8, in weights and activations alike.
const TOLERANCES: [Tolerance; 2] = [
    Tolerance { precision: Precision::F32, nats: 1e-2, gradient: 1e-2 },
    Tolerance { precision: Precision::Bf16, nats: 0.25, gradient: 0.1 },
];

/// Compares the policy that lies in this program, then those of the golden directory.
pub(super) fn check(context: &Context) -> anyhow::Result<Vec<Row>> {
    let dir = std::env::temp_dir().join(format!("toolrl-check-{}", std::process::id()));
    starter::unpack(&dir)?;
    let rows = of_policy(&dir, context);
    // What a failure leaves in the folder for temporary files is no reason to fail too.
    let _ = std::fs::remove_dir_all(&dir);
    let mut rows = rows?;
    if let Some(golden) = &context.args.golden {
        let cannot = || format!("cannot read {}", golden.display());
        let mut models: Vec<_> = std::fs::read_dir(golden)
            .with_context(cannot)?
            .map(|entry| Ok(entry.with_context(cannot)?.path()))
            .collect::<anyhow::Result<_>>()?;
        models.sort();
        for model in models.iter().filter(|dir| dir.join("io.safetensors").exists()) {
            rows.extend(stored(model, context)?);
        }
    }
    Ok(rows)
}

fn of_policy(dir: &Path, context: &Context) -> anyhow::Result<Vec<Row>> {
    let reference = Policy::load(dir, Precision::F32, &Device::flex())?;
    let (pass, prompts) = (pass(), prompts(reference.config().vocab_size));
    let (logp, gradients) = (logprobs(&reference, &pass)?, gradients(&reference, &pass));
    let replies = greedy(&reference, &prompts)?;
    let mut rows = Vec::new();
    for of in TOLERANCES {
        if of.precision == Precision::Bf16 && !context.device().supports_dtype(DType::BF16) {
            continue;
        }
        let policy = Policy::load(dir, of.precision, context.device())?;
        let name = |what: &str| format!("quickstart's start, {:?}, {what}", of.precision);
        let found = logprobs(&policy, &pass)?;
        rows.push(Row::difference(name("log-probabilities and entropies"), furthest(&logp, &found), of.nats));
        let apart = relative(&gradients, &self::gradients(&policy, &pass));
        rows.push(Row::difference(name("gradients"), apart, of.gradient));
        rows.push(Row::new(
            name("greedy tokens as the CPU's"),
            agreement(&replies, &greedy(&policy, &prompts)?),
            "",
        ));
    }
    Ok(rows)
}

/// Two prompts of which one is shared by three replies, all of tokens that mean nothing.
fn pass() -> Pass {
    let mut packing = Packing::new();
    let first = packing.push(70, None);
    for len in [40, 1, 33] {
        packing.push(len, Some(first));
    }
    packing.push(130, None);
    let tokens = packing.tokens() as u32;
    let ids = |step: u32| Ids::new((0..tokens).map(|i| i * step % 251).collect());
    Pass { tokens: ids(37), packing: packing.into(), rows: Ids::new((0..tokens).collect()), targets: ids(91) }
}

fn logprobs(policy: &Policy, pass: &Pass) -> anyhow::Result<Vec<f32>> {
    floats(policy.logprobs(pass, 0.8))
}

/// All gradients of a loss with another weight for every token, one after the other.
fn gradients(policy: &Policy, pass: &Pass) -> Vec<f32> {
    let settings = PassSettings { inverse_temperature: 0.8, activations: Activations::Keep, seed: 0 };
    let loss = |logp: &[f32], _: &[f32]| {
        let by_logp = (0..logp.len()).map(|i| (i % 11) as f32 / 11.0 - 0.4).collect();
        Ok::<_, Infallible>(Derivatives { by_logp, by_entropy: vec![0.1; logp.len()] })
    };
    let Ok(gradients) = policy.gradients(pass, &settings, loss);
    gradients.into_values().concat()
}

fn prompts(vocabulary: usize) -> Vec<Vec<u32>> {
    (0..4).map(|i| super::decoding::any_tokens(i, 20 + 7 * i, vocabulary)).collect()
}

fn greedy(policy: &Policy, prompts: &[Vec<u32>]) -> anyhow::Result<Vec<Vec<u32>>> {
    let params = SamplingParams::greedy(24);
    let mut engine = Engine::new(policy, 3);
    let requests = super::decoding::alone(prompts);
    let turns = block_on(engine.sample(&requests, &params, StreamKey { seed: 0, step: 0 }))?;
    Ok(turns.into_iter().flatten().map(|turn| turn.tokens).collect())
}

/// The share of tokens before the first that differs.
fn agreement(a: &[Vec<u32>], b: &[Vec<u32>]) -> f64 {
    let same = |(a, b): (&Vec<u32>, &Vec<u32>)| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let all: usize = a.iter().map(Vec::len).sum();
    a.iter().zip(b).map(same).sum::<usize>() as f64 / all.max(1) as f64
}

/// Logits against a model directory's stored ones.
fn stored(dir: &Path, context: &Context) -> anyhow::Result<Vec<Row>> {
    let path = dir.join("io.safetensors");
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (ids, expected) = read(&bytes).with_context(|| path.display().to_string())?;
    let per_row = expected.len() / ids.len().max(1);
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut rows = Vec::new();
    for of in TOLERANCES {
        if of.precision == Precision::Bf16 && !context.device().supports_dtype(DType::BF16) {
            continue;
        }
        let policy = Policy::load(dir, of.precision, context.device())?;
        let mut found = Vec::new();
        for ids in &ids {
            let hidden = policy.decoder().hidden(ids.clone().into(), &Packing::single(ids.len()).into());
            let logits = floats(policy.decoder().logits(hidden))?;
            // The last positions alone are stored of some.
            found.extend_from_slice(logits.get(logits.len().saturating_sub(per_row)..).unwrap_or_default());
        }
        let name = format!("{name}, {:?}, logits against transformers'", of.precision);
        // As nats where logits are small, and by their size where they are not.
        rows.push(Row::difference(name, difference(&expected, &found), of.nats));
    }
    Ok(rows)
}

/// The rows of `input_ids`, and `logits`.
fn read(bytes: &[u8]) -> anyhow::Result<(Vec<Vec<u32>>, Vec<f32>)> {
    let file = SafeTensors::deserialize(bytes)?;
    let (ids, logits) = (file.tensor("input_ids")?, file.tensor("logits")?);
    let (&[_, width], Dtype::I64, Dtype::F32) = (ids.shape(), ids.dtype(), logits.dtype()) else {
        bail!("input_ids should be rows of i64, and logits f32");
    };
    let numbers = ids.data().as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as u32);
    let numbers: Vec<u32> = numbers.collect();
    let logits = logits.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    Ok((numbers.chunks(width.max(1)).map(<[u32]>::to_vec).collect(), logits))
}

/// The largest difference; not a number where one is none.
fn furthest(a: &[f32], b: &[f32]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
    let worst = apart.fold(0.0f64, |m, d| if m.is_nan() || d.is_nan() { f64::NAN } else { m.max(d) });
    if a.len() == b.len() { worst } else { f64::INFINITY }
}

/// The norm of the difference over the norm.
fn relative(a: &[f32], b: &[f32]) -> f64 {
    let squares = |of: &mut dyn Iterator<Item = f32>| of.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let apart = squares(&mut a.iter().zip(b).map(|(a, b)| a - b));
    if a.len() == b.len() { apart / squares(&mut a.iter().copied()) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        assert_eq!(furthest(&[1.0, 2.0], &[1.5, 2.0]), 0.5);
        assert!(furthest(&[1.0, 2.0], &[f32::NAN, 2.0]).is_nan());
        assert_eq!(relative(&[3.0, 4.0], &[3.0, 9.0]), 1.0);
        assert_eq!(agreement(&[vec![1, 2, 3], vec![4]], &[vec![1, 9, 3], vec![4]]), 0.5);
    }
}
