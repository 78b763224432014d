//! Layers computed whole against burn's graph, and prompts that are kept against prompts that are computed again.

use std::convert::Infallible;

use burn::tensor::Device;
use toolrl_kernels::{Heads, Packing};

use super::*;
use crate::{Derivatives, Generation, KvCache, LoraConfig, ModelConfig, PassSettings};

const VOCABULARY: u32 = 61;

fn policy() -> Policy {
    let config = ModelConfig::tiny(VOCABULARY as usize, 32, 3, Heads { query: 4, kv: 2, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 5, &Device::flex())
}

fn tokens(n: usize, seed: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 37 + seed * 11 + i * i % 7) % VOCABULARY).collect()
}

/// Groups of a prompt with two replies each, the prompts of these lengths.
fn pass(prompts: &[usize]) -> Pass {
    let (mut packing, mut all, mut rows) = (Packing::new(), Vec::new(), Vec::new());
    for &len in prompts {
        let prompt = packing.push(len, None);
        all.extend(tokens(len, len as u32));
        let last = all.len() as u32 - 1;
        for reply in [7, 0] {
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

#[test]
fn whole_layers_have_the_values_and_gradients_of_the_graph() {
    let policy = policy();
    for prompts in [&[90, 75][..], &[5]] {
        let pass = pass(prompts);
        let read_out = |decoder: &Decoder, hidden| decoder.logits(hidden);
        let loss = |logits: &[f32]| Ok::<_, Infallible>(logits.iter().map(|z| z.sin()).collect());
        for activations in [Activations::Keep, Activations::Recompute] {
            let Ok(graph) = Backward::new(&policy, &pass, read_out).compute(activations, loss);
            let (graph, mut whole) = (graph.into_values(), ParameterGradients::default());
            let layers = WholeLayers::of(&policy).unwrap();
            let run = |sum: &mut _| {
                let Ok(()) =
                    Backward::new(&policy, &pass, read_out).compute_whole(&layers, activations, sum, loss);
            };
            run(&mut whole);
            run(&mut whole);
            for ((parameter, graph), twice) in
                policy.parameters().iter().zip(&graph).zip(&whole.into_values())
            {
                let size = graph.iter().fold(1e-3f32, |size, g| size.max(g.abs()));
                assert_eq!(graph.len(), twice.len(), "{}", parameter.name);
                for (graph, twice) in graph.iter().zip(twice) {
                    let gap = (2.0 * graph - twice).abs();
                    assert!(gap < 1e-5 * size, "{}: {twice}, not twice {graph}", parameter.name);
                }
            }
        }
    }
}

#[test]
fn kept_prompts_change_no_bit_and_are_forgotten_with_the_weights() {
    let mut policy = policy();
    let pass = pass(&[90, 70, 80]);
    let expected = gradients(&policy, &pass);
    let token = policy.config().kept_of_a_token();
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
    for (policy, keeps) in [(policy(), true), (adapted, false)] {
        policy.keep_prompts(1 << 30);
        assert_eq!(policy.keeps_prompts([90, 80].into_iter()), keeps);
    }
}
