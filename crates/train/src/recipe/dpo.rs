//! Settings of direct preference optimisation.

use serde::{Deserialize, Serialize};
use toolrl_grpo::DpoLossConfig;

use crate::{OfflineConfig, OptimizerConfig, TrainError};

/// Settings of DPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoConfig {
    /// What it shares with SFT.
    #[serde(flatten)]
    pub offline: OfflineConfig,
    /// The loss.
    pub loss: DpoLossConfig,
}

impl Default for DpoConfig {
    fn default() -> Self {
        let optimizer = OptimizerConfig { lr: 1e-6, ..OptimizerConfig::default() };
        Self {
            offline: OfflineConfig { optimizer, ..OfflineConfig::default() },
            loss: DpoLossConfig::default(),
        }
    }
}

impl DpoConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        self.loss.validate().map_err(|e| TrainError::Recipe(format!("train.loss.{e}")))?;
        self.offline.check()
    }
}
