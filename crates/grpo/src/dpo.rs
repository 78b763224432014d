//! Direct preference optimisation: a reply that is better than another of the same prompt is made the likelier one.
//!
//! Rafailov et al., arXiv 2305.18290, equation 7, with log-ratios `r = logp - ref_logp` summed over a reply's tokens:
//! `-log sigmoid(beta (r_chosen - r_rejected))`. The names and the numbers are those of TRL's `DPOTrainer` (1.16).

use crate::GrpoError;

/// Which loss. The default is the paper's, with TRL's `beta`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoLossConfig {
    /// How much a nat of log-ratio counts: the higher, the nearer the policy stays to its reference.
    pub beta: f64,
    /// How probable it is that a pair is the wrong way round, from 0 to below 0.5 (cDPO: E. Mitchell, "A note on DPO with
    /// noisy preferences", 2023): `-(1 - e) log sigmoid(h) - e log sigmoid(-h)`.
    pub label_smoothing: f64,
    /// How a reply's log-ratio is made of its tokens'.
    pub log_ratio: LogRatio,
    /// Weight of the chosen replies' mean negative log-probability a token, which is added to the loss (arXiv 2404.19733;
    /// the loss types `["sigmoid", "sft"]` of TRL). 0 for none.
    pub sft_coef: f64,
}

impl Default for DpoLossConfig {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0, log_ratio: LogRatio::Sum, sft_coef: 0.0 }
    }
}

/// How a reply's log-ratio is made of its tokens'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogRatio {
    /// Their sum.
    #[default]
    Sum,
    /// Their mean, so that long replies count as short ones do (Tülu 3, arXiv 2411.15124; `sigmoid_norm` of TRL). It asks
    /// for a higher `beta`: 5 there.
    Mean,
}

/// A reply of a pair.
///
/// # Shapes
/// `logp` has one value per token of the reply, without the prompt, in nats. `F` is `f32` as tensors hold it, or `f64`.
#[derive(Clone, Copy, Debug)]
pub struct PairReply<'a, F = f32> {
    /// Log-probability of each token under the policy being trained.
    pub logp: &'a [F],
    /// Log-probability of the whole reply under the frozen reference.
    pub reference: f64,
}

/// Two replies to one prompt.
#[derive(Clone, Copy, Debug)]
pub struct Preference<'a, F = f32> {
    /// The better one.
    pub chosen: PairReply<'a, F>,
    /// The worse one.
    pub rejected: PairReply<'a, F>,
}

/// The extent of a whole update batch, which fixes its pairs' weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreferenceExtent {
    /// Its pairs.
    pub pairs: usize,
    /// The tokens of their chosen replies.
    pub chosen_tokens: usize,
}

/// A pair's share of its batch's loss, and what it tells about the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreferenceLoss {
    /// The pair's share of the batch's loss.
    pub loss: f64,
    /// Derivative of the loss by the log-probability of each token of the chosen reply: it is the same for all.
    pub d_chosen: f64,
    /// The same of the rejected reply.
    pub d_rejected: f64,
    /// `beta` times the log-ratio, summed over the chosen reply: the reward that the policy stands for.
    pub chosen_reward: f64,
    /// The same of the rejected reply.
    pub rejected_reward: f64,
    /// Log-probability of the whole chosen reply under the policy being trained.
    pub chosen_logp: f64,
    /// The same of the rejected reply.
    pub rejected_logp: f64,
}

impl DpoLossConfig {
    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`GrpoError::Setting`] with the key and the values it may have.
    pub fn validate(&self) -> Result<(), GrpoError> {
        let Self { beta, label_smoothing, log_ratio: _, sft_coef } = *self;
        let checks = [
            ("beta", beta, beta > 0.0 && beta.is_finite(), "above 0"),
            ("label_smoothing", label_smoothing, (0.0..0.5).contains(&label_smoothing), "0 to below 0.5"),
            ("sft_coef", sft_coef, sft_coef >= 0.0 && sft_coef.is_finite(), "0 or more"),
        ];
        match checks.into_iter().find(|(_, _, fits, _)| !fits) {
            None => Ok(()),
            Some((name, value, _, expected)) => Err(GrpoError::Setting { name, value, expected }),
        }
    }
}

/// A pair's share of the loss of its update batch:
/// `(-(1 - e) log sigmoid(h) - e log sigmoid(-h)) / pairs - sft_coef * chosen_logp / chosen_tokens` with
/// `h = beta (r_chosen - r_rejected)`, `e` the label smoothing and `r` a reply's log-ratio.
///
/// # Errors
/// [`GrpoError`] for settings out of range and for a value that is not finite: sequence 0 is the chosen reply, 1 the
/// rejected one.
pub fn dpo_loss<F: Copy + Into<f64>>(
    pair: &Preference<'_, F>,
    batch: PreferenceExtent,
    config: &DpoLossConfig,
) -> Result<PreferenceLoss, GrpoError> {
    config.validate()?;
    let (chosen_logp, chosen) = pair.chosen.sums(0)?;
    let (rejected_logp, rejected) = pair.rejected.sums(1)?;
    let scale = |reply: &PairReply<'_, F>| match config.log_ratio {
        LogRatio::Sum => config.beta,
        LogRatio::Mean => config.beta / reply.logp.len().max(1) as f64,
    };
    let (of_chosen, of_rejected) = (scale(&pair.chosen), scale(&pair.rejected));
    let h = of_chosen * chosen - of_rejected * rejected;
    let e = config.label_smoothing;
    let share = 1.0 / batch.pairs.max(1) as f64;
    let d_h = share * (e * sigmoid(h) - (1.0 - e) * sigmoid(-h));
    let of_token = config.sft_coef / batch.chosen_tokens.max(1) as f64;
    Ok(PreferenceLoss {
        loss: share * ((1.0 - e) * softplus(-h) + e * softplus(h)) - of_token * chosen_logp,
        d_chosen: of_chosen * d_h - of_token,
        d_rejected: -of_rejected * d_h,
        chosen_reward: config.beta * chosen,
        rejected_reward: config.beta * rejected,
        chosen_logp,
        rejected_logp,
    })
}

impl<F: Copy + Into<f64>> PairReply<'_, F> {
    /// The reply's log-probability and its log-ratio.
    fn sums(&self, sequence: usize) -> Result<(f64, f64), GrpoError> {
        let mut sum = 0.0;
        for (token, &logp) in self.logp.iter().enumerate() {
            let value: f64 = logp.into();
            if !value.is_finite() {
                return Err(GrpoError::NotFinite { what: "logp", value, sequence, token });
            }
            sum += value;
        }
        if !self.reference.is_finite() {
            let value = self.reference;
            return Err(GrpoError::NotFinite { what: "the reference's logp", value, sequence, token: 0 });
        }
        Ok((sum, sum - self.reference))
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `log(1 + exp(x))`, which is `-log sigmoid(-x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
