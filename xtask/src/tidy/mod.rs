//! `tidy`: the repository's own rules, which no compiler checks.

mod citations;
mod edges;
mod licences;
pub(crate) mod metadata;
mod sources;
mod table;
mod walk;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use metadata::Workspace;
use walk::Files;

/// A broken rule and where it is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// A path from the root, or a package.
    place: String,
    /// The line, counted from 1; a rule about the whole file has none.
    line: Option<usize>,
    /// What is wrong.
    message: String,
}

impl Violation {
    /// A violation of a whole file or package.
    fn of(place: &str, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: None, message: message.into() }
    }

    /// A violation at a line, counted from 0.
    fn at(place: &str, index: usize, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: Some(index + 1), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

/// Checks every rule and lists what is broken.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::read(root)?;
    let files = Files::read(root)?;
    let page = std::fs::read_to_string(root.join(table::PAGE))
        .with_context(|| format!("cannot read {}", table::PAGE))?;
    let mut violations =
        table::parse(&page).map_or_else(|broken| vec![broken], |rows| edges::check(&workspace, &rows));
    violations.extend(licences::check(&workspace, &files));
    for (path, text) in files.with_extension("rs") {
        violations.extend(sources::check(path, text));
    }
    for (path, text) in files.with_extension("md") {
        violations.extend(citations::check(path, text, &files));
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    eprintln!("tidy: {} files, {} broken rules", files.len(), violations.len());
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
