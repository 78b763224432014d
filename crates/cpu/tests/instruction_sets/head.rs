//! The output head and draws from its logits.

use toolrl_cpu::categorical::Categorical;
use toolrl_cpu::head::{Head, RowGrads, logprob_entropy, logprob_entropy_grad};
use toolrl_cpu::numbers::Floats;

use super::{check, narrow_numbers, numbers, sum, times};

/// With p the probabilities and H the entropy of a row:
/// dlogit_j = g_logp (1[j = target] - p_j) - g_entropy p_j (log p_j + H).
#[test]
fn log_probabilities_and_entropies() {
    for (rows, width, vocabulary, scale) in [(1, 4, 7, 1.0), (33, 16, 300, 1.0), (70, 8, 513, 0.7)] {
        let (stored, weight) = narrow_numbers(vocabulary * width, 2);
        let x: Vec<f32> = numbers(rows * width, 1).iter().map(|x| x * 2.0).collect();
        let targets: Vec<u32> = (0..rows).map(|row| (row * 31 % vocabulary) as u32).collect();
        let [by_logp, by_entropy] = [3, 4].map(|seed| numbers(rows, seed));
        let (mut logps, mut entropies) = (Vec::new(), Vec::new());
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        for row in 0..rows {
            let logit = |j: usize| {
                sum(width, |k| times(x[row * width + k], weight[j * width + k])) * f64::from(scale)
            };
            let logits: Vec<f64> = (0..vocabulary).map(logit).collect();
            let log_sum = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
            let logps_of_row: Vec<f64> = logits.iter().map(|z| z - log_sum).collect();
            let entropy = -logps_of_row.iter().map(|l| l.exp() * l).sum::<f64>();
            logps.push(logps_of_row[targets[row] as usize]);
            entropies.push(entropy);
            for (j, logp) in logps_of_row.iter().enumerate() {
                let hit = f64::from(u8::from(targets[row] as usize == j));
                let by_logit = f64::from(by_logp[row]) * (hit - logp.exp())
                    - f64::from(by_entropy[row]) * logp.exp() * (logp + entropy);
                for k in 0..width {
                    dx[row * width + k] += by_logit * f64::from(scale * weight[j * width + k]);
                    dw[j * width + k] += by_logit * f64::from(scale * x[row * width + k]);
                }
            }
        }
        let (values, grads) = ([logps, entropies].concat(), [dx, dw].concat());
        for (name, weight) in [("f32", Floats::F32(&weight)), ("bf16", Floats::Bf16(&stored))] {
            let head =
                Head { x: Floats::F32(&x), weight, targets: &targets, width, inverse_temperature: scale };
            check(&format!("head, {name}"), &values, 1e-5, || {
                let rows = logprob_entropy(head);
                [rows.logp, rows.entropy].concat()
            });
            check(&format!("head's gradients, {name}"), &grads, 2e-5, || {
                let mut rows = logprob_entropy(head);
                let given = RowGrads { by_logp: &by_logp, by_entropy: &by_entropy, entropy: &rows.entropy };
                let (dx, dw) = logprob_entropy_grad(head, given, Some(&mut rows.probabilities));
                [dx, dw].concat()
            });
        }
    }
}

/// As many uniform numbers as tokens: each in the middle of its token's share of the running sum.
#[test]
fn draws() {
    let logits: Vec<f32> = numbers(1000, 5).iter().map(|z| z * 4.0).collect();
    let weights: Vec<f64> = logits.iter().map(|z| (f64::from(*z) / 0.8).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    let middle = |weight: &f64| {
        before += weight;
        (before - weight / 2.0) / total
    };
    let uniforms: Vec<f64> = weights.iter().map(middle).collect();
    let logps = weights.iter().map(|weight| (weight / total).ln());
    let expected: Vec<f64> = (0..1000).map(f64::from).chain(logps).collect();
    check("draws", &expected, 2e-6, || {
        let drawn = Categorical::new(&logits, 1.0 / 0.8).unwrap();
        let tokens = uniforms.iter().map(|uniform| drawn.invert(*uniform) as f32);
        tokens.chain((0..1000).map(|token| drawn.logprob(token) as f32)).collect()
    });
}
