//! PPO's critic in verl's words.

use toolrl_policy::Precision;
use toolrl_train::{PpoAdvantage, PpoConfig};

use crate::settings::Mapping;

use super::optimizer;

pub(super) fn map(map: &mut Mapping, ppo: &PpoConfig, precision: Precision) {
    map.there("train.gae.gamma", "algorithm.gamma", ppo.gae.gamma);
    map.there("train.gae.lambda", "algorithm.lam", ppo.gae.lambda);
    let same = ppo.advantage == PpoAdvantage::Whitened;
    map.lost_unless(same, "train.advantage", "advantages are whitened over the step's tokens");
    let critic = &ppo.critic;
    optimizer(map, "train.critic.optimizer", "critic", &critic.optimizer);
    map.there("train.critic.optimizer.max_grad_norm", "critic.grad_clip", critic.optimizer.max_grad_norm);
    map.there("train.critic.value_clip", "critic.cliprange_value", critic.value_clip);
    map.there("train.critic.warmup_steps", "trainer.critic_warmup", critic.warmup_steps);
    let dtype = if precision == Precision::Bf16 { "bfloat16" } else { "float32" };
    map.given("critic.fsdp.dtype", dtype);
}
