//! The GRPO loss over the tokens of sampled replies.

use crate::diagnostics::Tally;
use crate::surrogate::Term;
use crate::{BatchExtent, Diagnostics, GrpoError, KlEstimator, LossConfig, Surrogate};

/// One reply: only its own tokens, without the prompt and without padding.
///
/// # Shapes
/// All slices have one value per token. `F` is `f32` as tensors hold it, or `f64`.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a, F = f32> {
    /// Log-probability in nats under the policy being trained.
    pub logp: &'a [F],
    /// The same under the policy before this step's first update.
    pub old_logp: &'a [F],
    /// The same under the frozen reference; needed when the loss has a KL term.
    pub ref_logp: Option<&'a [F]>,
    /// Entropy in nats of the distribution that the token was drawn from; needed when the loss has an
    /// entropy bonus.
    pub entropy: Option<&'a [F]>,
    /// The same under the sampler that drew the tokens, where it is not the policy of `old_logp` to the last bit:
    /// another engine, or other precision; needed when the loss corrects for it.
    pub sampler_logp: Option<&'a [F]>,
    /// How much better the reply, or each of its tokens, did than was to be expected.
    pub advantage: Advantage<'a>,
}

impl<'a, F> Sequence<'a, F> {
    /// A reply without reference, entropy or another sampler's log-probabilities.
    pub fn new(logp: &'a [F], old_logp: &'a [F], advantage: Advantage<'a>) -> Self {
        Self { logp, old_logp, ref_logp: None, entropy: None, sampler_logp: None, advantage }
    }
}

/// The advantage of a reply's tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Advantage<'a> {
    /// All tokens share the reply's.
    Reply(f64),
    /// One per token.
    Tokens(&'a [f64]),
}

impl Advantage<'_> {
    fn of_token(self, token: usize) -> f64 {
        match self {
            Self::Reply(advantage) => advantage,
            Self::Tokens(advantages) => advantages[token],
        }
    }
}

impl From<f64> for Advantage<'_> {
    fn from(of_reply: f64) -> Self {
        Self::Reply(of_reply)
    }
}

/// A loss, its derivatives, and what it tells about the update.
#[derive(Clone, Debug, PartialEq)]
pub struct LossOutput {
    /// This micro-batch's share of the update batch's loss.
    pub loss: f64,
    /// Derivative of the loss by each `logp`: the tokens of the first sequence, then of the second, ….
    pub d_logp: Vec<f32>,
    /// Derivative of the loss by each `entropy`, in the same order; empty without an entropy bonus.
    pub d_entropy: Vec<f32>,
    /// Means over this micro-batch's tokens.
    pub diagnostics: Diagnostics,
}

/// The loss of some replies of an update batch:
/// `sum over tokens of weight * (surrogate + kl.coef * k - entropy_coef * entropy)`.
///
/// # Arguments
/// - `sequences`: a micro-batch, or the whole update batch.
/// - `batch`: the extent of the *whole* update batch, which fixes the weights: losses and derivatives
///   of its micro-batches then add up to those of the whole.
///
/// # Errors
/// [`GrpoError`] for settings out of range, slices of different length, a missing slice, a part larger
/// than the whole, and any value that is not finite (with its sequence and token).
pub fn policy_loss<F: Copy + Into<f64>>(
    sequences: &[Sequence<'_, F>],
    batch: BatchExtent,
    config: &LossConfig,
) -> Result<LossOutput, GrpoError> {
    config.validate()?;
    let part = BatchExtent::of(sequences);
    batch.check_contains(part)?;
    let mut output = LossOutput {
        loss: 0.0,
        d_logp: Vec::with_capacity(part.tokens),
        d_entropy: Vec::new(),
        diagnostics: Diagnostics::default(),
    };
    let mut tally = Tally::new(config.dual_clip);
    for (index, sequence) in sequences.iter().enumerate() {
        let sequence = sequence.checked(index, config)?;
        add_sequence(&sequence, batch, config, &mut output, &mut tally)?;
    }
    output.diagnostics = tally.finish();
    Ok(output)
}

/// A sequence in `f64`, its slices known to fit.
struct Checked<'a> {
    index: usize,
    logp: Vec<f64>,
    old_logp: Vec<f64>,
    ref_logp: Option<Vec<f64>>,
    entropy: Option<Vec<f64>>,
    sampler_logp: Option<Vec<f64>>,
    advantage: Advantage<'a>,
}

impl<'a, F: Copy + Into<f64>> Sequence<'a, F> {
    fn checked(&self, index: usize, config: &LossConfig) -> Result<Checked<'a>, GrpoError> {
        let expected = self.logp.len();
        let slice = |what: &'static str, values: &[F]| {
            if values.len() != expected {
                let found = values.len();
                return Err(GrpoError::LengthMismatch { what, sequence: index, expected, found });
            }
            let values: Vec<f64> = values.iter().map(|&v| v.into()).collect();
            match values.iter().position(|v| !v.is_finite()) {
                Some(token) => {
                    let value = values[token];
                    Err(GrpoError::NotFinite { what, value, sequence: index, token })
                }
                None => Ok(values),
            }
        };
        if config.kl.is_some() && self.ref_logp.is_none() {
            return Err(GrpoError::Missing { what: "ref_logp", sequence: index });
        }
        if config.entropy_coef != 0.0 && self.entropy.is_none() {
            return Err(GrpoError::Missing { what: "entropy", sequence: index });
        }
        if config.sampler_ratio_cap.is_some() && self.sampler_logp.is_none() {
            return Err(GrpoError::Missing { what: "sampler_logp", sequence: index });
        }
        if let Advantage::Tokens(advantages) = self.advantage
            && advantages.len() != expected
        {
            let found = advantages.len();
            return Err(GrpoError::LengthMismatch { what: "advantage", sequence: index, expected, found });
        }
        Ok(Checked {
            index,
            logp: slice("logp", self.logp)?,
            old_logp: slice("old_logp", self.old_logp)?,
            ref_logp: self.ref_logp.map(|v| slice("ref_logp", v)).transpose()?,
            entropy: self.entropy.map(|v| slice("entropy", v)).transpose()?,
            sampler_logp: self.sampler_logp.map(|v| slice("sampler_logp", v)).transpose()?,
            advantage: self.advantage,
        })
    }
}

/// Adds one reply's tokens to the loss, the derivatives and the diagnostics.
fn add_sequence(
    sequence: &Checked<'_>,
    batch: BatchExtent,
    config: &LossConfig,
    output: &mut LossOutput,
    tally: &mut Tally,
) -> Result<(), GrpoError> {
    let length = sequence.logp.len();
    let weight = config.aggregation.weight(length, batch);
    let bounds = config.bounds();
    let log_ratios: Vec<f64> =
        sequence.logp.iter().zip(&sequence.old_logp).map(|(new, old)| new - old).collect();
    let correction = config.sampler_correction().zip(sequence.sampler_logp.as_ref());
    let sampler_weights = correction.map(|(of, sampler)| of.weights(&sequence.old_logp, sampler));
    let sequence_ratio = (log_ratios.iter().sum::<f64>() / length as f64).exp();
    for (token, &log_ratio) in log_ratios.iter().enumerate() {
        let logp = sequence.logp[token];
        let token_ratio = log_ratio.exp();
        let ratio = match config.surrogate {
            Surrogate::SequenceRatio => sequence_ratio,
            Surrogate::TokenRatio | Surrogate::Cispo => token_ratio,
        };
        let advantage = sequence.advantage.of_token(token);
        let (mut term, bound) = config.surrogate.term(logp, ratio, advantage, bounds);
        tally.token(log_ratio, bound);
        if let Some(sampler_weights) = &sampler_weights {
            let of_sampler = sampler_weights[token];
            tally.sampler(of_sampler);
            let weight = of_sampler.weight;
            term = Term { value: weight * term.value, d_logp: weight * term.d_logp };
        }
        if let Some(ref_logp) = &sequence.ref_logp {
            tally.reference(KlEstimator::K3.term(logp, ref_logp[token]).value);
            if let Some(kl) = config.kl {
                let kl = kl.term(logp, ref_logp[token], token_ratio);
                term = Term { value: term.value + kl.value, d_logp: term.d_logp + kl.d_logp };
            }
        }
        if config.entropy_coef != 0.0
            && let Some(entropy) = &sequence.entropy
        {
            term.value -= config.entropy_coef * entropy[token];
            output.d_entropy.push((-weight * config.entropy_coef) as f32);
        }
        for (what, value) in [("the loss", term.value), ("the loss's derivative", term.d_logp)] {
            if !value.is_finite() {
                let sequence = sequence.index;
                return Err(GrpoError::NotFinite { what, value, sequence, token });
            }
        }
        output.loss += weight * term.value;
        output.d_logp.push((weight * term.d_logp) as f32);
    }
    Ok(())
}
