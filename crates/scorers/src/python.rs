//! `id = "python"`: a function of a Python file, run by the user's interpreter.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toolrl_grammar::Parsed;
use toolrl_reward::{BatchFuture, BatchTerm, Context, Reference};

use crate::ScorerError;
use crate::command::{CommandSettings, CommandTerm, a_minute, here};

/// What the interpreter runs: it reads the file and calls the function.
const LOADER: &str = include_str!("loader.py");

/// A term whose values a Python function gives: one that scores a reply, or one with the signature of TRL's reward
/// functions, which scores a batch. What it prints goes to the log.
pub struct PythonTerm(CommandTerm);

/// Settings of [`PythonTerm`] in a recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PythonSettings {
    python: String,
    #[serde(default)]
    interpreter: Interpreter,
    name: Option<String>,
    range: Option<[f64; 2]>,
    batch: Option<usize>,
    #[serde(default = "here")]
    directory: PathBuf,
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default = "a_minute")]
    start_seconds: f64,
}

/// A program, or one with its first arguments: `["uv", "run", "python"]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Interpreter {
    Program(String),
    Words(Vec<String>),
}

impl Default for Interpreter {
    fn default() -> Self {
        Self::Program("python3".to_owned())
    }
}

impl PythonTerm {
    /// The term's id in recipes.
    pub const ID: &'static str = "python";

    /// The term of these settings. The file is imported once to see whether it can be.
    pub(crate) fn new(settings: PythonSettings) -> Result<Self, ScorerError> {
        let PythonSettings { python, interpreter, name, range, batch, directory, files, start_seconds } =
            settings;
        let wrong = |what: String| ScorerError::Setting { key: "python", what };
        let (file, function) = python
            .rsplit_once(':')
            .filter(|(file, function)| !file.is_empty() && !function.is_empty())
            .ok_or_else(|| wrong(format!("{python:?} should be FILE.py:FUNCTION")))?;
        let path = std::path::absolute(directory.join(file)).unwrap_or_else(|_| file.into());
        let path = path.to_str().ok_or_else(|| wrong(format!("{path:?} is not Unicode")))?.to_owned();
        let mut run = match interpreter {
            Interpreter::Program(program) => vec![program],
            Interpreter::Words(words) => words,
        };
        // The file is told apart by `files`, so that one which is not there is named.
        run.extend(["-c".to_owned(), LOADER.to_owned(), path.clone(), function.to_owned()]);
        let files = std::iter::once(path.into()).chain(files).collect();
        let name = name.or_else(|| Some(Self::ID.to_owned()));
        CommandTerm::new(CommandSettings { run, name, range, batch, directory, files, start_seconds })
            .map(Self)
    }
}

impl BatchTerm for PythonTerm {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn range(&self, context: &Context) -> (f64, f64) {
        self.0.range(context)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn score<'a>(
        &'a self,
        replies: &[(&Parsed<'_>, &Reference)],
        context: &Context,
        timeout: Duration,
    ) -> BatchFuture<'a> {
        self.0.score(replies, context, timeout)
    }

    fn fingerprint(&self) -> Option<String> {
        self.0.fingerprint()
    }
}
