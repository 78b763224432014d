//! Which program is run, and where.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ScorerError;

/// How a program is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The term's id, for messages.
    pub term: String,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its working directory.
    pub directory: PathBuf,
    /// How long it may take until it answers an empty batch.
    pub start: Duration,
}

impl Program {
    /// A program that is refused where its words cannot be one.
    pub(crate) fn new(
        term: &str,
        words: Vec<String>,
        directory: &Path,
        start_seconds: f64,
    ) -> Result<Self, ScorerError> {
        let wrong = |key, what: String| ScorerError::Setting { key, what };
        if words.first().is_none_or(String::is_empty) {
            return Err(wrong("run", "should name a program and its arguments".to_owned()));
        }
        if !(start_seconds > 0.0 && start_seconds <= 86_400.0) {
            let what = format!("{start_seconds} should be above 0 and at most a day, 86400");
            return Err(wrong("start_seconds", what));
        }
        let start = Duration::from_secs_f64(start_seconds);
        if !directory.is_dir() {
            return Err(wrong("directory", format!("{}: no such directory", directory.display())));
        }
        Ok(Self { term: term.to_owned(), words, directory: directory.to_owned(), start })
    }

    /// The command, in a process group of its own: an interrupt is for the run, which ends its step first.
    pub(crate) fn command(&self) -> Command {
        use std::os::unix::process::CommandExt as _;
        let (program, arguments) =
            self.words.split_first().map_or(("", &[][..]), |(p, rest)| (p.as_str(), rest));
        // Where a relative path of a program is looked up differs by system.
        let path = if program.contains('/') { self.directory.join(program) } else { program.into() };
        let mut command = Command::new(path);
        command.args(arguments).current_dir(&self.directory).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
