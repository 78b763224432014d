//! Layers computed whole against burn's graph, and prompts that are kept against prompts that are computed again.

use std::convert::Infallible;

use burn::tensor::Device;
use toolrl_kernels::{Heads, Packing};

use super::*;
use crate::{Derivatives, Generation, KvCache, LoraConfig, ModelConfig, PassSettings, Precision};

const VOCABULARY: u32 = 61;

fn policy() -> Policy {
    let config = ModelConfig::tiny(VOCABULARY as usize, 32, 3, Heads { query: 4, kv: 2, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 5, &Device::flex())
}

/// The same with its weights rounded to bf16.
fn narrow_policy() -> Policy {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy");
    policy().save(&path, |_| Ok::<_, std::io::Error>(())).unwrap();
    Policy::load(&path, Precision::Bf16, &Device::flex()).unwrap()
}

fn tokens(n: usize, seed: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 37 + seed * 11 + i * i % 7) % VOCABULARY).collect()
}

/// Groups of a prompt with two replies each, the prompts of these lengths.
fn pass(prompts: &[usize]) -> Pass {
    pass_of(prompts, [7, 0])
}

/// The same with replies of a token each.
fn prompts_alone(prompts: &[usize]) -> Pass {
    pass_of(prompts, [0, 0])
}

fn pass_of(prompts: &[usize], replies: [usize; 2]) -> Pass {
    let (mut packing, mut all, mut rows) = (Packing::new(), Vec::new(), Vec::new());
    for &len in prompts {
        let prompt = packing.push(len, None);
        all.extend(tokens(len, len as u32));
        let last = all.len() as u32 - 1;
        for reply in replies {
            rows.push(last);
            rows.extend(all.len() as u32..(all.len() + reply) as u32);
            all.extend(tokens(reply, 3));
            packing.push(reply, Some(prompt));
        }
    }
    let targets = tokens(rows.len(), 4);
    Pass { tokens: all.into(), packing: packing.into(), rows: rows.into(), targets: targets.into() }
}

fn gradients(policy: &Policy, pass: &Pass) -> (Vec<f32>, Vec<Vec<f32>>) {
    let settings = PassSettings { inverse_temperature: 0.9, activations: Activations::Keep, seed: 0 };
    let mut seen = Vec::new();
    let loss = |logp: &[f32], _: &[f32]| {
        seen = logp.to_vec();
        let by_logp: Vec<f32> = (0..logp.len()).map(|i| (i % 5) as f32 - 1.5).collect();
        Ok::<_, Infallible>(Derivatives { by_entropy: by_logp.clone(), by_logp })
    };
    let Ok(gradients) = policy.gradients(pass, &settings, loss);
    (seen, gradients.into_values())
}

/// What comes forward to the bit; gradients to rounding, which the graph in bf16 does after each of its operations.
#[test]
fn whole_layers_have_the_values_and_gradients_of_the_graph() {
    for (policy, within) in [(policy(), 1e-5), (narrow_policy(), 0.02)] {
        for (prompts, activations) in [&[90, 75][..], &[5]]
            .into_iter()
            .flat_map(|prompts| [(prompts, Activations::Keep), (prompts, Activations::Recompute)])
        {
            let pass = pass(prompts);
            let layers = WholeLayers::of(&policy).unwrap();
            let mut seen = Vec::new();
            let mut loss = |logits: &[f32]| {
                seen.push(logits.to_vec());
                Ok::<_, Infallible>(logits.iter().map(|z| z.sin()).collect())
            };
            let read_out = |decoder: &Decoder, hidden| decoder.logits(hidden);
            let Ok(graph) = Backward::new(&policy, &pass, read_out).compute(activations, &mut loss);
            let mut whole = ParameterGradients::default();
            for _ in 0..2 {
                let backward = Backward::new(&policy, &pass, read_out);
                let Ok(()) = backward.compute_whole(&layers, activations, &mut whole, &mut loss);
            }
            assert!(seen.iter().all(|logits| *logits == seen[0]), "{prompts:?}");
            let both = graph.into_values().into_iter().zip(whole.into_values());
            for (parameter, (graph, twice)) in policy.parameters().iter().zip(both) {
                assert_eq!(graph.len(), twice.len(), "{}", parameter.name);
                let length = |of: Vec<f32>| of.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                let apart =
                    length(graph.iter().zip(&twice).map(|(once, twice)| 2.0 * once - twice).collect());
                let size = 2.0 * length(graph) + 1e-4;
                assert!(apart < within * size, "{}: {apart} apart of {size}", parameter.name);
            }
        }
    }
}

#[test]
fn kept_prompts_change_no_bit_and_are_forgotten_with_the_weights() {
    [policy(), narrow_policy()].into_iter().for_each(kept_prompts);
}

fn kept_prompts(mut policy: Policy) {
    let pass = pass(&[90, 70, 80]);
    let expected = gradients(&policy, &pass);
    let token = policy.kept_of_a_token();
    policy.keep_prompts(171 * token);
    assert!(policy.keeps_prompts([90, 80].into_iter()) && !policy.keeps_prompts([90, 64].into_iter()));
    let prefill = |policy: &Policy, len: usize| {
        let prompt = tokens(len, len as u32);
        let mut cache = KvCache::new(policy, len);
        let packing = Packing::single(len).into();
        floats(policy.prefill(prompt.into(), &packing, &mut cache, (0..len).collect()))
    };
    for len in [90, 80, 70] {
        // A clone keeps nothing.
        assert_eq!(prefill(&policy, len), prefill(&policy.clone(), len), "{len}");
    }
    // There was room for two.
    assert_eq!(gradients(&policy, &pass), expected);
    assert!(policy.kept.take(&pass.tokens, &pass.packing).is_empty(), "they were taken");

    // Replies of one token, which is never an input: no row is left to compute.
    policy.forget_prompts();
    let all_known = prompts_alone(&[90, 80]);
    let expected = gradients(&policy, &all_known);
    policy.keep_prompts(1000 * token);
    for len in [90, 80] {
        prefill(&policy, len);
    }
    assert_eq!(gradients(&policy, &all_known), expected);

    policy.keep_prompts(1000 * token);
    prefill(&policy, 90);
    policy.update(|_, values| values.iter_mut().for_each(|x| *x *= 1.01));
    assert!(policy.kept.take(&pass.tokens, &pass.packing).is_empty(), "the weights are others");
    assert!(!policy.keeps_prompts(std::iter::once(90)));
}

/// Nothing would be kept of their prompts, which are computed together then.
#[test]
fn policies_whose_layers_are_not_computed_whole_keep_nothing() {
    let adapted = policy().with_lora(&LoraConfig::default(), 1).unwrap();
    for (policy, keeps) in [(policy(), true), (narrow_policy(), true), (adapted, false)] {
        policy.keep_prompts(1 << 30);
        assert_eq!(policy.keeps_prompts([90, 80].into_iter()), keeps);
    }
}
