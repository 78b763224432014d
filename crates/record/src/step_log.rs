//! Files of JSON lines that grow with a run, each row of a step: `metrics.jsonl`, `evaluations.jsonl`.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RecordError;

/// A row of such a file.
pub trait StepRow: Serialize + DeserializeOwned {
    /// The step that it is of.
    fn step(&self) -> u64;
}

/// Appends rows; a row is on its way to the disk when [`StepLog::append`] returns.
#[derive(Debug)]
pub struct StepLog<R> {
    path: PathBuf,
    file: File,
    rows: PhantomData<R>,
}

impl<R: StepRow> StepLog<R> {
    /// Begins a log; an older one in its place is emptied.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(RecordError::io(path))?;
        Ok(Self { path: path.to_owned(), file, rows: PhantomData })
    }

    /// Goes on with the log of a run that was cut off: rows after `last_step`, which the run will
    /// write again, and a torn last line are taken off. A missing file is begun.
    ///
    /// # Errors
    /// [`RecordError::Io`]; [`RecordError::Json`] for a broken line before the last.
    pub fn resume(path: &Path, last_step: u64) -> Result<Self, RecordError> {
        if !path.exists() {
            return Self::create(path);
        }
        let rows = rows_with_ends::<R>(path)?;
        let kept = rows.iter().take_while(|(row, _)| row.step() <= last_step).last();
        let end = kept.map_or(0, |(_, end)| *end);
        let mut file = OpenOptions::new().write(true).open(path).map_err(RecordError::io(path))?;
        file.set_len(end).map_err(RecordError::io(path))?;
        file.seek(SeekFrom::End(0)).map_err(RecordError::io(path))?;
        Ok(Self { path: path.to_owned(), file, rows: PhantomData })
    }

    /// Appends one row as one line.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn append(&mut self, row: &R) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(row).map_err(|source| RecordError::Json {
            path: self.path.clone(),
            line: 0,
            source,
        })?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(RecordError::io(&self.path))?;
        self.file.flush().map_err(RecordError::io(&self.path))
    }
}

/// Reads such a file. A last line without its end, which a run that was cut off leaves, is no row.
///
/// # Errors
/// [`RecordError::Io`]; [`RecordError::Json`] with the line for a broken one before that.
pub fn read_rows<R: StepRow>(path: &Path) -> Result<Vec<R>, RecordError> {
    Ok(rows_with_ends(path)?.into_iter().map(|(row, _)| row).collect())
}

/// The rows, each with the offset of the byte after it.
fn rows_with_ends<R: StepRow>(path: &Path) -> Result<Vec<(R, u64)>, RecordError> {
    let bytes = fs::read(path).map_err(RecordError::io(path))?;
    let mut rows = Vec::new();
    let mut end = 0;
    for (index, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
        end += line.len() as u64;
        if !line.ends_with(b"\n") {
            break;
        }
        let row = serde_json::from_slice(line).map_err(|source| RecordError::Json {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        rows.push((row, end));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SftMetrics, StepDetail, StepMetrics};

    fn row(step: u64) -> StepMetrics {
        StepMetrics {
            step,
            detail: StepDetail::Sft(SftMetrics {
                epoch: step as f64 / 4.0,
                replies: 2,
                ..SftMetrics::default()
            }),
            loss: 1.0 / step as f64,
            grad_norm: 0.5,
            lr: 1e-5,
            tokens_trained: 100,
            skipped_updates: 0,
            weights: None,
            seconds: [("update".to_owned(), 0.1)].into(),
        }
    }

    fn steps(path: &Path) -> Vec<u64> {
        read_rows::<StepMetrics>(path).unwrap().iter().map(|r| r.step).collect()
    }

    #[test]
    fn rows_come_back_up_to_the_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut log = StepLog::<StepMetrics>::create(&path).unwrap();
        for step in 1..=3 {
            log.append(&row(step)).unwrap();
            assert_eq!(steps(&path).len() as u64, step, "on the disk at once");
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            let rows: Vec<_> = (1..=lines as u64).map(row).collect();
            assert_eq!(read_rows::<StepMetrics>(&path).unwrap(), rows, "cut off after {cut} bytes");
        }
    }

    #[test]
    fn resume_takes_off_what_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut log = StepLog::<StepMetrics>::create(&path).unwrap();
        (1..=4).for_each(|step| log.append(&row(step)).unwrap());
        let mut torn = fs::read(&path).unwrap();
        torn.extend(b"{\"step\": 5, \"lo");
        fs::write(&path, torn).unwrap();
        let mut log = StepLog::<StepMetrics>::resume(&path, 2).unwrap();
        log.append(&row(3)).unwrap();
        assert_eq!(steps(&path), [1, 2, 3]);
        StepLog::<StepMetrics>::resume(&path, 0).unwrap();
        assert_eq!(steps(&path), [0_u64; 0]);
        StepLog::<StepMetrics>::resume(&dir.path().join("new.jsonl"), 7).unwrap();
    }

    #[test]
    fn a_broken_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut log = StepLog::<StepMetrics>::create(&path).unwrap();
        log.append(&row(1)).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"{}\n");
        fs::write(&path, bytes).unwrap();
        let error = read_rows::<StepMetrics>(&path).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl:2: missing field"), "{error}");
        assert!(read_rows::<StepMetrics>(&dir.path().join("none")).is_err());
    }
}
