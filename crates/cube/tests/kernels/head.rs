//! Log-probability and entropy of rows of logits, and the gradient by the logits.

use toolrl_cube::{Dtype, Indices, logprob_entropy, logprob_entropy_grad};

use crate::device::{assert_close, everywhere, numbers, put, wide};

/// Log-probability of the target and entropy of a row, in nats, and the logarithm of the sum.
fn row(logits: &[f64], target: usize, inverse_temperature: f64) -> (f64, f64, f64) {
    let z: Vec<f64> = logits.iter().map(|z| z * inverse_temperature).collect();
    let top = z.iter().fold(f64::MIN, |a, &b| a.max(b));
    let log_sum = top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
    let terms = z.iter().filter(|z| z.is_finite()).map(|z| -(z - log_sum).exp() * (z - log_sum));
    (z[target] - log_sum, terms.sum(), log_sum)
}

/// The gradient of `g0 * log-probability + g1 * entropy` by each logit.
fn grad(logits: &[f64], target: usize, inverse_temperature: f64, [g0, g1]: [f64; 2]) -> Vec<f64> {
    let (_, entropy, log_sum) = row(logits, target, inverse_temperature);
    let by = |(j, z): (usize, &f64)| {
        let log_p = z * inverse_temperature - log_sum;
        let p = log_p.exp();
        let of_entropy = if p > 0.0 { p * (log_p + entropy) } else { 0.0 };
        inverse_temperature * (g0 * (f64::from(u8::from(j == target)) - p) - g1 * of_entropy)
    };
    logits.iter().enumerate().map(by).collect()
}

#[test]
fn follows_the_formula() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(8);
        for (rows, vocabulary, inverse) in
            [(1, 1, 1.0), (1, 2, 0.7), (3, 33, 1.0), (5, 4096, 1.4), (2, 40_003, 1.0)]
        {
            let mut logits: Vec<f32> =
                numbers(&mut rng, rows * vocabulary, dtype).iter().map(|z| z * 8.0).collect();
            if vocabulary > 30 {
                logits[5] = f32::NEG_INFINITY;
            }
            let targets: Vec<u32> = (0..rows as u32).map(|i| (i * 7 + 1) % vocabulary as u32).collect();
            let grads = [numbers(&mut rng, rows, Dtype::F32), numbers(&mut rng, rows, Dtype::F32)];
            let [mut logprob, mut entropy, mut by_logit] = [const { Vec::new() }; 3];
            for (i, z) in wide(&logits).chunks_exact(vocabulary).enumerate() {
                let (target, inverse) = (targets[i] as usize, f64::from(inverse));
                let (l, h, _) = row(z, target, inverse);
                logprob.push(l);
                entropy.push(h);
                by_logit.extend(grad(z, target, inverse, [f64::from(grads[0][i]), f64::from(grads[1][i])]));
            }
            let what = format!("{rows} x {vocabulary}");
            let logits_nv = put(client, &logits, dtype);
            let targets = Indices::from_slice(client, &targets);
            let stats = logprob_entropy(client, &logits_nv, &targets, inverse).unwrap();
            // Differences of numbers up to 16 and sums of a thousand terms a unit.
            assert_close(&what, client, &stats.logprob_n, &logprob, 64);
            assert_close(&what, client, &stats.entropy_n, &entropy, 64);
            let grads = grads.map(|g| put(client, &g, Dtype::F32));
            logprob_entropy_grad(client, &logits_nv, &targets, &stats, [&grads[0], &grads[1]], inverse)
                .unwrap();
            assert_close(&what, client, &logits_nv, &by_logit, 128);
        }
    });
}

#[test]
fn the_reference_is_the_gradient_by_differences() {
    let logits = [0.3, -1.2, 2.0, 0.9];
    let (target, inverse, g) = (1, 0.8, [0.7, -1.3]);
    let loss = |z: &[f64]| {
        let (logprob, entropy, _) = row(z, target, inverse);
        g[0] * logprob + g[1] * entropy
    };
    for (j, by) in grad(&logits, target, inverse, g).into_iter().enumerate() {
        let [mut up, mut down] = [logits; 2];
        up[j] += 1e-6;
        down[j] -= 1e-6;
        let slope = (loss(&up) - loss(&down)) / 2e-6;
        assert!((slope - by).abs() < 1e-8, "{slope} {by}");
    }
}
