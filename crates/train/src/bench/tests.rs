//! The shared layout against the plain one: the same loss, and the same gradient of every parameter.

use std::convert::Infallible;

use burn::tensor::Device;
use toolrl_policy::{Derivatives, Generation, Heads, ModelConfig, ParameterGradients, PassSettings};

use super::*;

const VOCABULARY: u32 = 61;

fn policy() -> Policy {
    let config = ModelConfig::tiny(VOCABULARY as usize, 32, 3, Heads { query: 4, kv: 2, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 5, &Device::flex())
}

fn tokens(n: usize, seed: u32) -> Vec<u32> {
    (0..n as u32).map(|i| (i * 37 + seed * 11 + i * i % 7) % VOCABULARY).collect()
}

/// Prompts with the lengths of their replies: ragged groups, replies of one token, a group of one, a prompt of one
/// token, a prompt alone.
const GROUPS: [(usize, &[usize]); 5] =
    [(90, &[7, 1, 70]), (5, &[1]), (1, &[3, 9]), (12, &[]), (40, &[2, 2, 2, 5])];

/// Loss and gradients of packs; the loss has another weight for every token.
fn run(policy: &Policy, packs: &[Pack]) -> (f64, Vec<Vec<f32>>) {
    let (mut loss, mut gradients) = (0.0, ParameterGradients::default());
    for pack in packs {
        let of_loss = |logp: &[f32], entropy: &[f32]| {
            let weight = |(place, i): (Place, usize)| {
                ((place.group * 20 + place.member * 5 + i * 3) % 11) as f32 - 4.0
            };
            let places = pack.members.iter().flat_map(|&(place, len)| (0..len).map(move |i| (place, i)));
            let by_logp: Vec<f32> = places.map(weight).collect();
            let pairs = || by_logp.iter().zip(logp).chain(by_logp.iter().zip(entropy));
            loss += pairs().map(|(w, x)| f64::from(w * x)).sum::<f64>();
            Ok::<_, Infallible>(Derivatives { by_entropy: by_logp.clone(), by_logp })
        };
        let settings = PassSettings { inverse_temperature: 0.9, activations: Activations::Keep, seed: 0 };
        let Ok(of_pack) = policy.gradients(&pack.pass, &settings, of_loss);
        gradients.add(of_pack);
    }
    (loss, gradients.into_values())
}

/// A prompt and its replies as they are packed.
fn group<'a>((group, (prompt, turns)): (usize, (&'a Vec<u32>, &'a Vec<Vec<u32>>))) -> PackGroup<'a> {
    let places = (0..).map(|member| Place { group, member });
    let members = places.zip(turns).map(|(place, turn)| Member::whole(place, turn));
    PackGroup { prompt, members: members.collect() }
}

#[test]
fn a_shared_prompt_gives_the_loss_and_gradients_of_its_padded_copies() {
    let policy = policy();
    let prompts: Vec<_> = GROUPS.iter().enumerate().map(|(i, (n, _))| tokens(*n, i as u32)).collect();
    let mut seeds = 20..;
    let mut of_len = |&len: &usize| tokens(len, seeds.next().unwrap_or_default());
    let turns: Vec<Vec<Vec<u32>>> =
        GROUPS.iter().map(|(_, lens)| lens.iter().map(&mut of_len).collect()).collect();
    let groups: Vec<_> = (0..).zip(prompts.iter().zip(&turns)).map(group).collect();
    // Three sequences a batch.
    let plain = run(&policy, &plain(&groups, 3 * 170));

    for max_tokens in [60, 200, usize::MAX] {
        let shared = run(&policy, &pack(&groups, max_tokens));
        assert!((shared.0 - plain.0).abs() < 1e-5 * plain.0.abs(), "loss {} against {}", shared.0, plain.0);
        for ((parameter, a), b) in policy.parameters().iter().zip(&shared.1).zip(&plain.1) {
            let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let gap = norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied());
            assert!(gap < 1e-5, "{}: gradients differ by {gap:e} of their norm", parameter.name);
        }
    }
}
