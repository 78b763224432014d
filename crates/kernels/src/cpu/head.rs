//! The language-model head fused with log-probability and entropy: logits exist for one chunk of
//! rows at a time, in the forward pass and again in the backward pass.

use rayon::prelude::*;

use super::element::Floats;
use super::gemm::{Mat, Threads, gemm};
use super::math::{dot, exp_sum, max, vectorized};

/// Logits that exist at a time, unless there are more for 64 rows: 128 MiB. With fewer rows at a time the weight is
/// read from memory more often than a product's arithmetic hides.
const LOGITS: usize = 1 << 25;

/// The head's fixed inputs.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// Hidden states, `[rows, width]`.
    pub x: &'a [f32],
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

    /// Scaled logits of the rows from `start` on, as many as `logits` holds.
    fn logits(&self, start: usize, rows: usize, logits: &mut [f32]) {
        let vocabulary = self.vocabulary();
        let x = Mat::new(&self.x[start * self.width..], rows, self.width, self.width);
        let w = Mat::stored(self.weight, vocabulary, self.width, self.width);
        gemm(logits, vocabulary, false, x, w.t(), Threads::All);
        if self.inverse_temperature != 1.0 {
            logits.par_iter_mut().with_min_len(1 << 14).for_each(|z| *z *= self.inverse_temperature);
        }
    }
}

/// Log-probability of each target and entropy of each row's distribution, in nats:
/// `(logp, entropy)`, one each a row.
pub(crate) fn logprob_entropy(head: Head) -> (Vec<f32>, Vec<f32>) {
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
    (logp, entropy)
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

/// Gradients by the hidden states and the weight, given those by log-probability and entropy:
/// with p the probabilities and H the entropy of a row,
/// dlogit_j = g_logp (1[j = target] - p_j) - g_entropy p_j (log p_j + H).
pub(crate) fn logprob_entropy_grad(
    head: Head,
    grad_logp: &[f32],
    grad_entropy: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let (rows, vocabulary, width) = (head.targets.len(), head.vocabulary(), head.width);
    let (mut dx, mut dw) = (vec![0.0; rows * width], vec![0.0; vocabulary * width]);
    let mut logits = vec![0.0; head.chunk().min(rows) * vocabulary];
    for start in (0..rows).step_by(head.chunk()) {
        let n = head.chunk().min(rows - start);
        let logits = &mut logits[..n * vocabulary];
        head.logits(start, n, logits);
        logits.par_chunks_exact_mut(vocabulary).enumerate().for_each(|(i, z)| {
            let i = start + i;
            let target = head.targets[i] as usize;
            row_grad(z, target, grad_logp[i], grad_entropy[i], head.inverse_temperature);
        });
        let dz = Mat::new(logits, n, vocabulary, vocabulary);
        let w = Mat::stored(head.weight, vocabulary, width, width);
        gemm(&mut dx[start * width..], width, false, dz, w, Threads::All);
        let x = Mat::new(&head.x[start * width..], n, width, width);
        gemm(&mut dw, width, start > 0, dz.t(), x, Threads::All);
    }
    (dx, dw)
}

/// Turns a row of scaled logits into their gradient, in place.
fn row_grad(z: &mut [f32], target: usize, grad_logp: f32, grad_entropy: f32, factor: f32) {
    let row = softmax_row(z);
    vectorized(
        #[inline(always)]
        || {
            if grad_entropy == 0.0 {
                for p in z.iter_mut() {
                    *p *= -grad_logp * factor;
                }
            } else {
                for p in z.iter_mut() {
                    let log_p = p.max(f32::MIN_POSITIVE).ln();
                    *p *= (-grad_logp - grad_entropy * (log_p + row.entropy)) * factor;
                }
            }
        },
    );
    z[target] += grad_logp * factor;
}
