//! Advantages and losses of the GRPO family, DPO's loss, and the optimiser's arithmetic, as pure functions.
//!
//! Invariant: this crate knows no tensor library. A loss returns its value **and** its derivative by
//! every token's log-probability, so that any framework can go on from there: with `d` the returned
//! derivatives, the gradient of `sum(d * logp)` (with `d` held constant) by the parameters is the
//! gradient of the loss. Arithmetic is in `f64`; what meets tensors is `f32`.
//!
//! ```
//! use toolrl_grpo::{AdvantageKind, BatchExtent, LossConfig, Sequence, policy_loss};
//!
//! let group = vec![4.0.into(), (-3.0).into()];
//! let advantages = AdvantageKind::GroupNormalized.of_batch(&[group], 1e-6).concat();
//! let logp = [-0.5_f32, -1.0, -0.2];
//! let sequences = [
//!     Sequence::new(&logp[..2], &logp[..2], advantages[0].unwrap_or_default().into()),
//!     Sequence::new(&logp[2..], &logp[2..], advantages[1].unwrap_or_default().into()),
//! ];
//! let output = policy_loss(&sequences, BatchExtent::of(&sequences), &LossConfig::default())?;
//! assert!(output.d_logp[0] < 0.0); // a better reply than its group: raise its log-probability
//! assert!(output.d_logp[2] > 0.0);
//! # Ok::<(), toolrl_grpo::GrpoError>(())
//! ```

mod adamw;
mod adaptive_kl;
mod advantage;
mod aggregate;
mod blockwise;
mod diagnostics;
mod difficulty;
mod dpo;
mod error;
mod gae;
mod grad_norm;
mod kl;
mod loss;
mod loss_config;
mod moving_average;
mod sampler_ratio;
mod schedule;
mod shaping;
mod surrogate;
mod value;

pub use adamw::{AdamWConfig, AdamWStep, adamw_step, adamw_step_blockwise};
pub use adaptive_kl::AdaptiveKl;
pub use advantage::{
    AdvantageKind, Reward, TermReward, batch_normalized, batch_scaled, batch_whitened, group_normalized,
    has_no_spread, leave_one_out, max_variance, mean_centered, reward_decoupled,
};
pub use aggregate::{Aggregation, BatchExtent};
pub use blockwise::{BLOCK, BlocksMut, Blockwise, DynamicMap};
pub use diagnostics::Diagnostics;
pub use difficulty::{SuccessRate, draw_probabilities, has_mixed_outcome, learnability, without_replacement};
pub use dpo::{DpoLossConfig, LogRatio, PairReply, Preference, PreferenceExtent, PreferenceLoss, dpo_loss};
pub use error::GrpoError;
pub use gae::{Gae, gae, whiten};
pub use grad_norm::{clip_factor, squared_norm};
pub use kl::{KlConfig, KlEstimator, KlPenalty, KlWeighting};
pub use loss::{Advantage, LossOutput, Sequence, policy_loss};
pub use loss_config::LossConfig;
pub use moving_average::moving_average;
pub use sampler_ratio::SamplerRatioMode;
pub use schedule::{Decay, LrSchedule};
pub use shaping::soft_overlong;
pub use surrogate::Surrogate;
pub use value::{ValueLoss, ValueSequence, value_loss};
