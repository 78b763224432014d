//! Settings of supervised fine-tuning.

use serde::{Deserialize, Serialize};

use crate::{OfflineConfig, TrainError};

/// Settings of SFT.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftConfig {
    /// What it shares with DPO.
    #[serde(flatten)]
    pub offline: OfflineConfig,
    /// Weight of a prompt's token against a reply's, 0 to 1; 0 trains on replies alone.
    pub prompt_loss: f64,
}

impl SftConfig {
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if !(0.0..=1.0).contains(&self.prompt_loss) {
            return Err(TrainError::Recipe(format!(
                "train.prompt_loss = {} should be 0 to 1",
                self.prompt_loss
            )));
        }
        self.offline.check()
    }
}
