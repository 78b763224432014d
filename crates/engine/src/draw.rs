//! Drawing one token from logits.

use toolrl_kernels::{Categorical, Sampling};
use toolrl_rollout::SamplingParams;

/// A drawn token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Its id.
    pub token: u32,
    /// Its log-probability in nats under `softmax(logits / temperature)` before truncation; at
    /// temperature 0 under `softmax(logits)`.
    pub logprob: f32,
}

/// Draws a token by inverting the cumulative distribution at `uniform` (in [0, 1)), tokens in the order of their ids, and
/// where some are left out the others from the most probable on. Temperature 0 takes the most probable token, the first on
/// ties. `None` when the logits are not finite numbers.
pub fn draw(logits: &[f32], sampling: &Sampling, uniform: f64) -> Option<Draw> {
    let distribution = Categorical::new(logits, sampling.inverse_temperature())?;
    let token = if sampling.is_greedy() {
        distribution.most_probable()
    } else if sampling.truncates() {
        distribution.invert_kept(sampling, uniform)
    } else {
        distribution.invert(uniform)
    };
    Some(Draw { token: token as u32, logprob: distribution.logprob(token) as f32 })
}

/// The part of the settings that a draw follows.
pub(crate) fn of_params(params: &SamplingParams) -> Sampling {
    let SamplingParams { temperature, top_k, top_p, min_p, .. } = *params;
    Sampling { temperature, top_k, top_p, min_p }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(temperature: f32, top_p: f32) -> Sampling {
        Sampling { temperature, top_p, ..Sampling::default() }
    }

    /// Frequencies over an even grid of uniforms are the probabilities.
    fn frequencies(logits: &[f32], params: &Sampling) -> Vec<f64> {
        let n = 20_000;
        let mut counts = vec![0.0; logits.len()];
        for i in 0..n {
            let token = draw(logits, params, (f64::from(i) + 0.5) / f64::from(n)).unwrap().token;
            counts[token as usize] += 1.0 / f64::from(n);
        }
        counts
    }

    #[test]
    fn draws_follow_the_tempered_distribution() {
        let logits = [1.0, -0.5, 2.0, 0.0];
        for temperature in [0.5, 1.0, 2.0] {
            let weights: Vec<f64> =
                logits.iter().map(|z| (f64::from(*z) / f64::from(temperature)).exp()).collect();
            let total: f64 = weights.iter().sum();
            for (i, f) in frequencies(&logits, &params(temperature, 1.0)).into_iter().enumerate() {
                assert!((f - weights[i] / total).abs() < 2e-4);
            }
            let drawn = draw(&logits, &params(temperature, 1.0), 0.3).unwrap();
            let exact = (weights[drawn.token as usize] / total).ln();
            assert!((f64::from(drawn.logprob) - exact).abs() < 1e-6);
        }
    }

    #[test]
    fn the_nucleus_is_the_smallest_set_that_reaches_top_p() {
        // Probabilities 0.4, 0.3, 0.2, 0.1.
        let logits: Vec<f32> = [0.2f32, 0.4, 0.1, 0.3].iter().map(|p| p.ln()).collect();
        let f = frequencies(&logits, &params(1.0, 0.65));
        assert!((f[1] - 4.0 / 7.0).abs() < 2e-4 && (f[3] - 3.0 / 7.0).abs() < 2e-4);
        assert_eq!((f[0], f[2]), (0.0, 0.0));
        assert_eq!(draw(&logits, &params(1.0, 1e-9), 0.99).unwrap().token, 1);
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_nan_is_refused() {
        assert_eq!(draw(&[0.0, 3.0, 3.0], &params(0.0, 1.0), 0.9).unwrap().token, 1);
        assert_eq!(draw(&[0.0, f32::NAN], &params(1.0, 1.0), 0.5), None);
        assert_eq!(draw(&[f32::NEG_INFINITY; 2], &params(1.0, 1.0), 0.5), None);
        assert_eq!(draw(&[0.0, f32::INFINITY], &params(1.0, 1.0), 0.5), None);
    }
}
