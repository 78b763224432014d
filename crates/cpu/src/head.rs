//! The language-model head fused with log-probability and entropy: logits exist for one chunk of
//! rows at a time, in the forward pass and again in the backward pass. Where all rows are one chunk, the
//! probabilities stay for the backward pass.

use rayon::prelude::*;

use super::element::narrow;
use super::gemm::{Mat, Threads, Write, gemm, multiplies_pairs};
use super::math::{dot, exp_sum, max, vectorized};
use super::numbers::Floats;

/// Logits that exist at a time, unless there are more for 64 rows: 128 MiB. With fewer rows at a time the weight is
/// read from memory more often than a product's arithmetic hides.
const LOGITS: usize = 1 << 25;

/// The head's fixed inputs.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// Hidden states, `[rows, width]`.
    pub x: Floats<'a>,
    /// The head's weight, `[vocabulary, width]`.
    pub weight: Floats<'a>,
    /// One token id a row.
    pub targets: &'a [u32],
    /// Width of a hidden state.
    pub width: usize,
    /// One over the temperature: multiplies every logit.
    pub inverse_temperature: f32,
}

impl Head<'_> {
    fn vocabulary(&self) -> usize {
        self.weight.len() / self.width
    }

    /// Rows whose logits exist at a time.
    fn chunk(&self) -> usize {
        (LOGITS / self.vocabulary()).max(64).min(self.targets.len()).max(1)
    }

    /// Some hidden states.
    fn rows(&self, start: usize, rows: usize) -> Mat<'_> {
        Mat::stored(self.x.from(start * self.width), rows, self.width, self.width)
    }

    fn weights(&self) -> Mat<'_> {
        Mat::stored(self.weight, self.vocabulary(), self.width, self.width)
    }

    /// Scaled logits of the rows from `start` on, as many as `logits` holds.
    fn logits(&self, start: usize, rows: usize, logits: &mut [f32]) {
        let vocabulary = self.vocabulary();
        gemm(logits, vocabulary, Write::Set, self.rows(start, rows), self.weights().t(), Threads::All);
        if self.inverse_temperature != 1.0 {
            logits.par_iter_mut().with_min_len(1 << 14).for_each(|z| *z *= self.inverse_temperature);
        }
    }
}

/// What the forward pass knows of every row.
pub struct Rows {
    /// Log-probability of each target, in nats.
    pub logp: Vec<f32>,
    /// Entropy of each distribution, in nats.
    pub entropy: Vec<f32>,
    /// Probabilities, `[rows, vocabulary]`, where all rows fit one chunk; else empty.
    pub probabilities: Vec<f32>,
}

/// Log-probability of each target and entropy of each row's distribution.
pub fn logprob_entropy(head: Head) -> Rows {
    let (rows, vocabulary) = (head.targets.len(), head.vocabulary());
    let (mut logp, mut entropy) = (vec![0.0; rows], vec![0.0; rows]);
    let mut logits = vec![0.0; head.chunk().min(rows) * vocabulary];
    for start in (0..rows).step_by(head.chunk()) {
        let n = head.chunk().min(rows - start);
        let logits = &mut logits[..n * vocabulary];
        head.logits(start, n, logits);
        let outs = logp[start..start + n].par_iter_mut().zip(&mut entropy[start..start + n]);
        outs.zip(logits.par_chunks_exact_mut(vocabulary)).zip(&head.targets[start..start + n]).for_each(
            |(((logp, entropy), z), &target)| {
                let target_logit = z[target as usize];
                let row = softmax_row(z);
                *logp = target_logit - row.log_sum;
                *entropy = row.entropy;
            },
        );
    }
    let probabilities = if rows <= head.chunk() { logits } else { Vec::new() };
    Rows { logp, entropy, probabilities }
}

/// What [`softmax_row`] knows of a row.
struct Row {
    /// Logarithm of the sum of e^logit.
    log_sum: f32,
    /// Entropy in nats.
    entropy: f32,
}

/// Turns a row of logits into probabilities in place.
fn softmax_row(z: &mut [f32]) -> Row {
    vectorized(
        #[inline(always)]
        || {
            let top = max(z);
            let (sum, weighted) = exp_sum_with_mean(z, top);
            let inverse = 1.0 / sum;
            for v in z.iter_mut() {
                *v *= inverse;
            }
            // H = log(sum) - sum(p (z - top)).
            Row { log_sum: top + sum.ln(), entropy: sum.ln() - weighted * inverse }
        },
    )
}

/// Replaces every z by e = e^(z - top); returns sum(e) and sum(e (z - top)).
#[inline(always)]
fn exp_sum_with_mean(z: &mut [f32], top: f32) -> (f32, f32) {
    let mut shifted = [0.0f32; 256];
    let (mut sum, mut weighted) = (0.0, 0.0);
    for block in z.chunks_mut(256) {
        let shifted = &mut shifted[..block.len()];
        for (s, &v) in shifted.iter_mut().zip(block.iter()) {
            // A logit of minus infinity has probability 0 and adds nothing to the entropy.
            *s = (v - top).max(-1e30);
        }
        sum += exp_sum(block, top);
        weighted += dot(block, shifted);
    }
    (sum, weighted)
}

/// Gradients by a row's log-probability and entropy, and the entropy that the forward pass gave.
#[derive(Clone, Copy)]
pub struct RowGrads<'a> {
    /// By each log-probability.
    pub by_logp: &'a [f32],
    /// By each entropy.
    pub by_entropy: &'a [f32],
    /// What the forward pass gave.
    pub entropy: &'a [f32],
}

/// Gradients by the hidden states and the weight, given those by log-probability and entropy:
/// with p the probabilities and H the entropy of a row,
/// dlogit_j = g_logp (1[j = target] - p_j) - g_entropy p_j (log p_j + H).
///
/// `kept` are the probabilities of [`Rows`], which are overwritten; where there are none they are computed again.
pub fn logprob_entropy_grad(head: Head, grads: RowGrads, kept: Option<&mut [f32]>) -> (Vec<f32>, Vec<f32>) {
    let (rows, vocabulary, width) = (head.targets.len(), head.vocabulary(), head.width);
    let (mut dx, mut dw) = (vec![0.0; rows * width], vec![0.0; vocabulary * width]);
    let again = kept.is_none();
    let mut fresh = Vec::new();
    let probabilities = kept.unwrap_or_else(|| {
        fresh.resize(head.chunk().min(rows) * vocabulary, 0.0);
        &mut fresh
    });
    for start in (0..rows).step_by(head.chunk()) {
        let n = head.chunk().min(rows - start);
        let rows = &mut probabilities[..n * vocabulary];
        if again {
            head.logits(start, n, rows);
            rows.par_chunks_exact_mut(vocabulary).for_each(|z| {
                softmax_row(z);
            });
        }
        rows.par_chunks_exact_mut(vocabulary).enumerate().for_each(|(i, p)| {
            let (target, i) = (head.targets[start + i] as usize, start + i);
            row_grad(
                p,
                target,
                grads.by_logp[i],
                (grads.by_entropy[i], grads.entropy[i]),
                head.inverse_temperature,
            );
        });
        // Rounded as what they are multiplied with, where that is to be multiplied so.
        let narrow = multiplies_pairs(head.x, head.weight).then(|| narrow(rows));
        let dz = narrow.as_deref().map_or(Floats::F32(rows), Floats::Bf16);
        let dz = Mat::stored(dz, n, vocabulary, vocabulary);
        gemm(&mut dx[start * width..], width, Write::Set, dz, head.weights(), Threads::All);
        let write = if start > 0 { Write::Add } else { Write::Set };
        gemm(&mut dw, width, write, dz.t(), head.rows(start, n), Threads::All);
    }
    (dx, dw)
}

/// Turns a row of probabilities into the gradient by its logits before they were scaled, in place; `entropy` is the
/// gradient by the row's entropy, and the entropy.
fn row_grad(p: &mut [f32], target: usize, grad_logp: f32, entropy: (f32, f32), factor: f32) {
    let (grad_entropy, entropy) = entropy;
    vectorized(
        #[inline(always)]
        || {
            if grad_entropy == 0.0 {
                for p in p.iter_mut() {
                    *p *= -grad_logp * factor;
                }
            } else {
                for p in p.iter_mut() {
                    let log_p = p.max(f32::MIN_POSITIVE).ln();
                    *p *= (-grad_logp - grad_entropy * (log_p + entropy)) * factor;
                }
            }
        },
    );
    p[target] += grad_logp * factor;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| (i * step % 1009) as f32 / 1009.0 - 0.5).collect()
    }

    /// More rows than a chunk has, whose probabilities are computed again, against the same rows in two batches
    /// that keep theirs.
    #[test]
    fn probabilities_computed_again_give_the_gradients_of_kept_ones() {
        let (rows, vocabulary, width) = (90, 400_000, 2);
        let (x, weight) = (numbers(rows * width, 37), numbers(vocabulary * width, 53));
        let (by_logp, by_entropy) = (numbers(rows, 11), numbers(rows, 17));
        let targets: Vec<u32> = (0..rows).map(|i| (i * 4001) as u32).collect();
        let part = |from: usize, to: usize| {
            let head = Head {
                x: Floats::F32(&x[from * width..to * width]),
                weight: Floats::F32(&weight),
                targets: &targets[from..to],
                width,
                inverse_temperature: 0.7,
            };
            let mut out = logprob_entropy(head);
            let kept = (!out.probabilities.is_empty()).then_some(&mut out.probabilities[..]);
            assert_eq!(kept.is_some(), to - from < rows);
            let (by_logp, by_entropy) = (&by_logp[from..to], &by_entropy[from..to]);
            let grads = RowGrads { by_logp, by_entropy, entropy: &out.entropy };
            let (dx, dw) = logprob_entropy_grad(head, grads, kept);
            (out.logp, dx, dw)
        };
        let whole = part(0, rows);
        let (first, second) = (part(0, 50), part(50, rows));
        assert_eq!(whole.0, [first.0, second.0].concat());
        let close = |a: f32, b: f32| assert!((a - b).abs() <= 1e-6 + 1e-4 * a.abs(), "{a} and {b}");
        whole.1.iter().zip(first.1.iter().chain(&second.1)).for_each(|(&a, &b)| close(a, b));
        let sums = first.2.iter().zip(&second.2).map(|(a, b)| a + b);
        whole.2.iter().zip(sums).for_each(|(&a, b)| close(a, b));
    }
}
