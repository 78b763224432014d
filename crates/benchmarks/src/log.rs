//! The log of a run: a first line that says what it is a run of, then a line of JSON for each outcome.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Benchmark, BenchmarkError, Outcome, RunSettings};

/// The form of the file; another form is refused.
const FORM: &str = "toolrl-benchmark-1";

/// What a run is a run of. All of it decides outcomes, so a log goes on only under the same.
///
/// Which cases are run is not part of it: a run over more cases takes over those that stand there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The form of the file.
    pub form: String,
    /// The benchmark.
    pub benchmark: String,
    /// Who replies: a policy with its fingerprint, or an endpoint with its model.
    pub model: String,
    /// How prompts are worded and replies are read.
    pub handler: String,
    /// The hash of the benchmark's data.
    pub data: String,
    /// How tokens are drawn.
    pub sampling: String,
}

impl Header {
    /// What a run with these settings is a run of.
    pub fn new(
        benchmark: &(impl Benchmark + ?Sized),
        model: impl Into<String>,
        settings: &RunSettings,
    ) -> Self {
        Self {
            form: FORM.into(),
            benchmark: benchmark.name().into(),
            model: model.into(),
            handler: benchmark.handler(),
            data: benchmark.data(),
            sampling: settings.sampling(),
        }
    }

    /// The first field by which two runs differ: its name and both values.
    fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, &'a str, &'a str)> {
        let fields = [
            ("form", &self.form, &other.form),
            ("benchmark", &self.benchmark, &other.benchmark),
            ("model", &self.model, &other.model),
            ("handler", &self.handler, &other.handler),
            ("data", &self.data, &other.data),
            ("sampling", &self.sampling, &other.sampling),
        ];
        let fields = fields.into_iter().map(|(name, own, other)| (name, own.as_str(), other.as_str()));
        fields.into_iter().find(|(_, own, other)| own != other)
    }
}

/// The outcomes of a run, in memory and in a file.
///
/// An outcome is one write of a whole line. A process that is killed leaves at most one torn line, which the
/// next one cuts off.
#[derive(Debug)]
pub struct OutcomeLog {
    path: PathBuf,
    file: File,
    outcomes: Vec<Outcome>,
}

impl OutcomeLog {
    /// Opens the log of a run, or begins it where there is none.
    ///
    /// # Errors
    /// [`BenchmarkError::AnotherRun`] where it belongs to a run of something else, [`BenchmarkError::Busy`]
    /// while another process writes it, [`BenchmarkError::Log`] for a line that is no outcome.
    pub fn open(path: &Path, header: &Header) -> Result<Self, BenchmarkError> {
        let cannot = || BenchmarkError::io(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(cannot())?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path).map_err(cannot())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BenchmarkError::Busy { path: path.into() }),
            Err(TryLockError::Error(source)) => return Err(cannot()(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(cannot())?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            tracing::warn!("{}: a torn last line is cut off", path.display());
            file.set_len(whole as u64).map_err(cannot())?;
            file.seek(SeekFrom::End(0)).map_err(cannot())?;
        }
        let mut log = Self { path: path.into(), file, outcomes: Vec::new() };
        if whole == 0 {
            log.write(header)?;
        } else {
            log.outcomes = read(path, &bytes[..whole], Some(header))?;
        }
        Ok(log)
    }

    /// The outcomes of a log, whatever it is of, up to its last whole line.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`]; [`BenchmarkError::Log`] for a line that is no outcome.
    pub fn read(path: &Path) -> Result<Vec<Outcome>, BenchmarkError> {
        let bytes = std::fs::read(path).map_err(BenchmarkError::io(path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole == 0 { Ok(Vec::new()) } else { read(path, &bytes[..whole], None) }
    }

    /// Every outcome so far, in the order in which they came.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Adds an outcome.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`] when it cannot be written.
    pub fn push(&mut self, outcome: Outcome) -> Result<(), BenchmarkError> {
        self.write(&outcome)?;
        self.outcomes.push(outcome);
        Ok(())
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`].
    pub fn sync(&self) -> Result<(), BenchmarkError> {
        self.file.sync_data().map_err(BenchmarkError::io(&self.path))
    }

    fn write(&mut self, row: &impl Serialize) -> Result<(), BenchmarkError> {
        let line = serde_json::to_vec(row).map_err(std::io::Error::from);
        let mut line = line.map_err(BenchmarkError::io(&self.path))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(BenchmarkError::io(&self.path))
    }
}

/// The outcomes of a log's whole lines; with a header, of a run of what that says alone.
fn read(path: &Path, bytes: &[u8], header: Option<&Header>) -> Result<Vec<Outcome>, BenchmarkError> {
    let fail = |line: usize, problem: String| BenchmarkError::Log { path: path.into(), line, problem };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut lines_of = HashMap::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if number == 1 {
            let found: Header = serde_json::from_slice(line)
                .map_err(|error| fail(1, format!("not the first line of a benchmark's log: {error}")))?;
            if let Some((field, found, expected)) = header.and_then(|header| found.difference(header)) {
                let [field, found, expected] = [field, found, expected].map(str::to_owned);
                return Err(BenchmarkError::AnotherRun { path: path.into(), field, found, expected });
            }
        } else if !line.is_empty() {
            let outcome: Outcome =
                serde_json::from_slice(line).map_err(|error| fail(number, format!("no outcome: {error}")))?;
            if let Some(before) = lines_of.insert(outcome.id.clone(), number) {
                return Err(fail(number, format!("case {} stands in line {before} already", outcome.id)));
            }
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}
