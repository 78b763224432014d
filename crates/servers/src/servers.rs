//! All servers of a run.

use std::path::Path;

use toolrl_chat::Chat;

use crate::{Counts, Probe, PublishReport, ServedSampler, ServersConfig, ServersError};

/// All servers of a run. They are asked when something is published.
#[derive(Debug)]
pub struct Servers {
    config: ServersConfig,
}

impl Servers {
    /// The servers at these addresses. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ServersError::Setting`].
    pub fn new(config: ServersConfig) -> Result<Self, ServersError> {
        if config.urls.is_empty() {
            return Err(ServersError::Setting { key: "urls", problem: "names no server".to_owned() });
        }
        Ok(Self { config })
    }

    /// Tells every server to take `version` from `dir`, an adapter's folder or a whole model's, and holds the
    /// log-probabilities that it then gives against the trainer's. `dir` has to stay as it is until `version` is kept no
    /// longer ([`ServersConfig::keep`]): a server that comes back takes it again.
    ///
    /// # Errors
    /// [`ServersError`].
    pub fn publish(&self, version: u64, dir: &Path, probe: &Probe) -> Result<PublishReport, ServersError> {
        let _ = (dir, probe);
        Err(ServersError::NotPublished { version })
    }

    /// A sampler of a published version, whose stop strings are found in the text of this tokenizer.
    pub fn sampler<'a>(&'a self, chat: &'a Chat, version: u64) -> ServedSampler<'a> {
        ServedSampler::new(self, chat, version)
    }

    /// What was done since this was last asked.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// The settings.
    pub fn config(&self) -> &ServersConfig {
        &self.config
    }
}
