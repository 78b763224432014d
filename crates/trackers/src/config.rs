//! Where a run is mirrored.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toolrl_remote::{Client, Key, Retries, Settings};

use crate::TrackerError;

/// A tracker, and the run's place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackerConfig {
    /// Which.
    pub kind: TrackerKind,
    /// The address of its server, such as `http://127.0.0.1:5000`: MLflow's, or Trackio's.
    pub url: Option<String>,
    /// A folder: Trackio's own (`TRACKIO_DIR`) where there is no `url`, or the one that gets the runs of Weights & Biases.
    pub dir: Option<PathBuf>,
    /// The project; MLflow's word is experiment.
    #[serde(default = "toolrl")]
    pub project: String,
    /// The run's name there; that of its directory by default.
    pub name: Option<String>,
    /// A file with the server's token. The token itself stands in no recipe.
    pub key_file: Option<PathBuf>,
}

/// A kind of tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackerKind {
    /// MLflow, over its REST interface.
    Mlflow,
    /// Trackio, over HTTP or by files in its folder.
    Trackio,
    /// Weights & Biases, by a folder that `wandb sync` takes.
    Wandb,
}

fn toolrl() -> String {
    "toolrl".to_owned()
}

impl TrackerConfig {
    /// Says what does not fit together.
    ///
    /// # Errors
    /// [`TrackerError::Settings`] with the key.
    pub fn check(&self) -> Result<(), TrackerError> {
        let wrong = |key, problem: &str| Err(TrackerError::Settings { key, problem: problem.to_owned() });
        if self.project.trim().is_empty() || self.project.contains(['"', '/']) {
            return wrong("project", "should be a name without quotes and slashes");
        }
        if self.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return wrong("name", "should not be empty");
        }
        if let Some(url) = &self.url
            && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
        {
            return wrong("url", "should begin with http:// or https://");
        }
        // A query would show in messages, and some servers take their token there.
        if self.url.as_ref().is_some_and(|url| url.contains(['?', '@', '#'])) {
            return wrong(
                "url",
                "should be the server's address alone; a token goes into the file of key_file",
            );
        }
        match (self.kind, &self.url, &self.dir) {
            (TrackerKind::Mlflow, None, _) => wrong("url", "is missing: the address of the MLflow server"),
            (TrackerKind::Mlflow, _, Some(_)) => wrong("dir", "MLflow is written to over its server alone"),
            (TrackerKind::Trackio, Some(_), Some(_)) => wrong("dir", "stands beside url: one of them"),
            (TrackerKind::Trackio, None, None) => wrong("dir", "is missing: Trackio's folder, or its url"),
            (TrackerKind::Wandb, Some(_), _) => wrong("url", "is not used: `wandb sync` sends the folder"),
            (TrackerKind::Wandb, _, None) => wrong("dir", "is missing: the folder that gets the runs"),
            _ if self.url.is_none() && self.key_file.is_some() => wrong("key_file", "is of a url alone"),
            _ => Ok(()),
        }
    }

    /// The paths among the settings.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.dir.iter_mut().chain(&mut self.key_file)
    }

    /// Its name and where it is, for messages.
    pub fn place(&self) -> String {
        let kind = match self.kind {
            TrackerKind::Mlflow => "MLflow",
            TrackerKind::Trackio => "Trackio",
            TrackerKind::Wandb => "Weights & Biases",
        };
        let at = self.url.clone().or_else(|| Some(self.dir.as_ref()?.display().to_string()));
        format!("{kind} at {}", at.unwrap_or_default())
    }

    /// A client of the server. It asks once and not for long: what fails is sent again with what comes next.
    pub(crate) fn client(&self, key_header: Option<&'static str>) -> Result<Client, TrackerError> {
        let key = match &self.key_file {
            Some(path) => Some(Key::new(&std::fs::read_to_string(path).map_err(TrackerError::io(path))?)),
            None => None,
        };
        Ok(Client::new(Settings {
            key,
            key_header,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            retries: Retries { attempts: 1, ..Retries::default() },
            ..Settings::new(self.url.clone().unwrap_or_default())
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<TrackerConfig, String> {
        let config: TrackerConfig = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn the_documented_ones_are_read() {
        #[derive(Deserialize)]
        struct Recipe {
            trackers: Vec<TrackerConfig>,
        }
        let page = include_str!("../../../docs/trackers.md");
        let shown = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let Recipe { trackers } = toml::from_str(shown).unwrap();
        assert_eq!(trackers.len(), 3);
        trackers.iter().for_each(|tracker| tracker.check().unwrap());
    }

    #[test]
    fn a_tracker_has_what_its_kind_needs_and_nothing_else() {
        let good = [
            "kind = 'mlflow'\nurl = 'http://a:5000'",
            "kind = 'trackio'\ndir = 'd'",
            "kind = 'wandb'\ndir = 'd'",
        ];
        for text in good {
            assert_eq!(of(text).unwrap().project, "toolrl", "{text}");
        }
        let bad = [
            ("kind = 'neptune'", "unknown variant `neptune`"),
            ("kind = 'wandb'\ndir = 'd'\nteam = 'x'", "unknown field `team`"),
            ("kind = 'mlflow'", "url: is missing"),
            ("kind = 'mlflow'\nurl = 'a:5000'", "url: should begin"),
            ("kind = 'mlflow'\nurl = 'http://a'\ndir = 'd'", "dir: "),
            ("kind = 'trackio'", "dir: is missing"),
            ("kind = 'trackio'\nurl = 'http://a'\ndir = 'd'", "one of them"),
            ("kind = 'trackio'\nurl = 'http://a/?write_token=s'", "key_file"),
            ("kind = 'trackio'\ndir = 'd'\nkey_file = 'k'", "key_file: is of a url alone"),
            ("kind = 'wandb'", "dir: is missing"),
            ("kind = 'wandb'\ndir = 'd'\nurl = 'http://a'", "url: is not used"),
            ("kind = 'wandb'\ndir = 'd'\nproject = ' '", "project: "),
            ("kind = 'wandb'\ndir = 'd'\nname = ''", "name: "),
        ];
        for (text, part) in bad {
            let message = of(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
