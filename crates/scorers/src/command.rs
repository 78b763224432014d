//! `id = "command"`: a program of any language, kept open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toolrl_grammar::Parsed;
use toolrl_reward::{BatchFuture, BatchTerm, Context, Reference};

use crate::pool::Pool;
use crate::program::Program;
use crate::shown::Shown;
use crate::{ScorerError, files, request};

/// A term whose values a program gives: a line of JSON a batch on its standard input, a list of JSON on its standard
/// output. It is started once, again when it has ended, and its input is closed at the end.
pub struct CommandTerm {
    shown: Shown,
    pool: Arc<Pool>,
    checksum: Option<String>,
}

/// Settings of [`CommandTerm`] in a recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandSettings {
    pub run: Vec<String>,
    pub name: Option<String>,
    pub range: Option<[f64; 2]>,
    pub batch: Option<usize>,
    #[serde(default = "here")]
    pub directory: PathBuf,
    #[serde(default)]
    pub files: Vec<PathBuf>,
    #[serde(default = "a_minute")]
    pub start_seconds: f64,
}

pub(crate) fn here() -> PathBuf {
    ".".into()
}

pub(crate) fn a_minute() -> f64 {
    60.0
}

impl CommandTerm {
    /// The term's id in recipes.
    pub const ID: &'static str = "command";

    /// The term of these settings. The program is started once to see whether it answers.
    pub(crate) fn new(settings: CommandSettings) -> Result<Self, ScorerError> {
        let CommandSettings { run, name, range, batch, directory, files, start_seconds } = settings;
        let shown = Shown::new(Self::ID, name, range, batch)?;
        let mut decisive: Vec<_> = files::named(&run, &directory).collect();
        decisive.extend(files.iter().map(|file| directory.join(file)));
        let checksum = (!decisive.is_empty()).then(|| files::checksum(&decisive)).transpose()?;
        let program = Program::new(&shown.id, run, &directory, start_seconds)?;
        Ok(Self { shown, pool: Pool::checked(program)?, checksum })
    }
}

impl BatchTerm for CommandTerm {
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
        let count = replies.len();
        let asked = self.pool.ask(request::line(replies, context), count, timeout);
        Box::pin(async move { self.shown.outcomes(asked.await, count, timeout) })
    }

    fn fingerprint(&self) -> Option<String> {
        self.checksum.clone()
    }
}
