//! `id = "http"`: a server that is posted batches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toolrl_grammar::Parsed;
use toolrl_remote::{Client, Key, Retries, Settings};
use toolrl_reward::{BatchFuture, BatchTerm, Context, Reference};

use crate::answer::{self, Answered, Broken};
use crate::command::here;
use crate::shown::Shown;
use crate::thread::on_its_own;
use crate::{ScorerError, request};

/// A term whose values a server gives: what a [`crate::CommandTerm`] is told is posted to an address, and the same list is
/// the answer.
pub struct HttpTerm {
    shown: Shown,
    client: Client,
}

/// Settings of [`HttpTerm`] in a recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSettings {
    url: String,
    name: Option<String>,
    range: Option<[f64; 2]>,
    batch: Option<usize>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    headers: BTreeMap<String, Header>,
    attempts: Option<u32>,
    proxy: Option<String>,
    #[serde(default = "here")]
    directory: PathBuf,
}

/// A header's value, or the file that holds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Header {
    Value(String),
    File { file: PathBuf },
}

impl HttpTerm {
    /// The term's id in recipes.
    pub const ID: &'static str = "http";

    /// The term of these settings. Nothing is sent yet.
    pub(crate) fn new(settings: HttpSettings) -> Result<Self, ScorerError> {
        let HttpSettings { url, name, range, batch, key_file, headers, attempts, proxy, directory } =
            settings;
        let shown = Shown::new(Self::ID, name, range, batch)?;
        let key = key_file.map(|file| secret(&directory, &file)).transpose()?;
        let header = |(name, value): (String, Header)| match value {
            Header::Value(value) => Ok((name, Key::new(&value))),
            Header::File { file } => Ok((name, secret(&directory, &file)?)),
        };
        let headers = headers.into_iter().map(header).collect::<Result<_, ScorerError>>()?;
        let mut retries = Retries::default();
        match attempts {
            Some(0) => {
                return Err(ScorerError::Setting {
                    key: "attempts",
                    what: "should be at least 1".to_owned(),
                });
            }
            Some(attempts) => retries.attempts = attempts,
            None => {}
        }
        let settings = Settings { key, headers, retries, proxy, ..Settings::new(url) };
        Ok(Self { shown, client: Client::new(settings)? })
    }
}

fn secret(directory: &Path, file: &Path) -> Result<Key, ScorerError> {
    let path = directory.join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Key::new(&text)),
        Err(source) => Err(ScorerError::File { path, source }),
    }
}

/// Posts a batch. `timeout` is of each attempt.
fn post(client: &Client, line: &str, replies: usize) -> Answered {
    let mut entries = Vec::new();
    let read = client.post_text("", line).map_err(ScorerError::from).and_then(|answer| {
        answer::read(&answer, replies, &mut entries)?;
        if entries.len() < replies {
            return Err(ScorerError::Answer {
                what: format!("{} entries for {replies} replies", entries.len()),
            });
        }
        Ok(())
    });
    let rest = read.map_err(|error| {
        entries.clear();
        match error {
            ScorerError::Remote(error) if error.is_timeout() => Broken::TimedOut,
            error => Broken::Failed(error),
        }
    });
    Answered { entries, rest }
}

impl BatchTerm for HttpTerm {
    fn id(&self) -> &str {
        &self.shown.id
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        self.shown.range
    }

    fn size(&self) -> usize {
        self.shown.batch
    }

    fn score<'a>(
        &'a self,
        replies: &[(&Parsed<'_>, &Reference)],
        context: &Context,
        timeout: Duration,
    ) -> BatchFuture<'a> {
        let (count, line) = (replies.len(), request::line(replies, context));
        let client = self.client.clone().within(timeout);
        let asked = on_its_own(move || post(&client, &line, count));
        Box::pin(async move {
            let failed = |error| Answered { entries: Vec::new(), rest: Err(Broken::Failed(error)) };
            let answered = match asked {
                Ok(asked) => asked.await.unwrap_or_else(|| failed(ScorerError::Panicked)),
                Err(error) => failed(ScorerError::Thread(error)),
            };
            self.shown.outcomes(answered, count, timeout)
        })
    }
}
