//! One process a run directory.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

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
    /// The name of its file.
    const NAME: &'static str = "lock";

    pub(crate) fn take(run_dir: &Path) -> Result<Self, TrainError> {
        let path = run_dir.join(Self::NAME);
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
        std::fs::remove_file(run_dir.join(Self::NAME)).unwrap_or_default();
        if self.made {
            std::fs::remove_dir(run_dir).unwrap_or_default();
        }
    }
}

/// Removes what is in a run directory in which no process is at work. The lock's file stays, so that a process which takes it
/// in the meantime holds the one that there is.
///
/// # Errors
/// [`TrainError::Locked`] where a process is at work there; [`TrainError::Write`].
pub fn clear_run(run_dir: &Path) -> Result<(), TrainError> {
    let _lock = RunLock::take(run_dir)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: std::io::Error| TrainError::Write { path, source }
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(run_dir).map_err(failed(run_dir))? {
        paths.push(entry.map_err(failed(run_dir))?.path());
    }
    // What says that a run was begun goes last, so that one whose removal was cut off is removed by the next call.
    paths.sort_by_key(|path| path.ends_with("config.toml"));
    for path in paths.iter().filter(|path| !path.ends_with(RunLock::NAME)) {
        let is_dir = path.is_dir() && !path.is_symlink();
        let removed = if is_dir { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map_err(failed(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_is_at_work_in_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let lock = RunLock::take(&run).unwrap();
        std::fs::create_dir(run.join("final")).unwrap();
        for name in ["config.toml", "final/model.safetensors"] {
            std::fs::write(run.join(name), "").unwrap();
        }
        assert!(matches!(clear_run(&run), Err(TrainError::Locked { .. })));
        assert!(run.join("config.toml").exists() && run.join("final/model.safetensors").exists());
        drop(lock);
        clear_run(&run).unwrap();
        let left: Vec<_> = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [RunLock::NAME]);
    }

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
