//! One process a run directory.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::TrainError;

/// Holds a run directory until it is dropped, or the process ends in whatever way: the lock is the system's, and a file
/// that a dead process left does not lock anything.
#[derive(Debug)]
pub(crate) struct RunLock {
    file: File,
    /// Whether the directory was made for it.
    made: bool,
}

impl RunLock {
    pub(crate) fn take(run_dir: &Path) -> Result<Self, TrainError> {
        let path = run_dir.join("lock");
        let failed = |source| TrainError::Write { path: path.clone(), source };
        let made = !run_dir.exists();
        std::fs::create_dir_all(run_dir).map_err(failed)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, made }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Locked { dir: run_dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl RunLock {
    /// Gives up a directory into which nothing was written; one that was made for it goes.
    pub(crate) fn leave_nothing(self, run_dir: &Path) {
        drop(self.file);
        std::fs::remove_file(run_dir.join("lock")).unwrap_or_default();
        if self.made {
            std::fs::remove_dir(run_dir).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_while_the_first_lives() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let first = RunLock::take(&run).unwrap();
        assert!(matches!(RunLock::take(&run), Err(TrainError::Locked { .. })));
        drop(first);
        RunLock::take(&run).unwrap().leave_nothing(&run);
        assert!(run.exists() && !run.join("lock").exists(), "it was there before");
        std::fs::remove_dir(&run).unwrap();
        RunLock::take(&run).unwrap().leave_nothing(&run);
        assert!(!run.exists());
    }
}
