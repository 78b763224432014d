//! The checkpoints of a run.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Manifest;
use super::manifest::files_below;
use crate::TrainError;

/// The folder of a run's checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    dir: PathBuf,
}

/// What is written aside has this after its name.
const PARTIAL: &str = "writing";

impl Checkpoints {
    /// Those of a run directory.
    pub(crate) fn of(run_dir: &Path) -> Self {
        Self { dir: run_dir.join("checkpoints") }
    }

    fn path(&self, step: u64) -> PathBuf {
        self.dir.join(format!("step-{step:05}"))
    }

    /// Writes a checkpoint: `fill` writes its files into a directory aside, which gets its name when all of it, and the
    /// manifest last, is on the disk. A save that fails or is cut off leaves those that were there.
    pub(crate) fn save(
        &self,
        step: u64,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<PathBuf, TrainError> {
        let partial = self.dir.join(format!("step-{step:05}.{PARTIAL}"));
        remove(&partial)?;
        let written = self.write(step, &partial, fill);
        if written.is_err() {
            // The disk may be full: what cannot be finished should not take room. The first error is the one to tell.
            let _ = remove(&partial);
        }
        written
    }

    fn write(
        &self,
        step: u64,
        partial: &Path,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<PathBuf, TrainError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TrainError::Write { path, source }
        };
        std::fs::create_dir_all(partial).map_err(failed(partial))?;
        fill(partial)?;
        let manifest = Manifest::of(partial, step)?;
        let json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        let path = partial.join(Manifest::NAME);
        std::fs::write(&path, json).map_err(failed(&path))?;
        sync(partial).map_err(failed(partial))?;
        let to = self.path(step);
        // One of the same step is of a run that went back to an earlier one.
        remove(&to)?;
        std::fs::rename(partial, &to).map_err(failed(&to))?;
        sync_dir(&self.dir).map_err(failed(&self.dir))?;
        Ok(to)
    }

    /// Steps with a checkpoint, in order.
    pub(crate) fn steps(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let step = |name: &str| name.strip_prefix("step-")?.parse().ok();
        let mut steps: Vec<u64> = entries.filter_map(|e| step(e.file_name().to_str()?)).collect();
        steps.sort_unstable();
        steps
    }

    /// The checkpoint of a step, or the last, with every file compared with the manifest.
    pub(crate) fn verified(&self, step: Option<u64>) -> Result<(u64, PathBuf), TrainError> {
        let steps = self.steps();
        let Some(step) = step.or(steps.last().copied()).filter(|step| steps.contains(step)) else {
            return Err(TrainError::NoCheckpoint { dir: self.dir.clone(), step, steps });
        };
        let dir = self.path(step);
        match Manifest::verified(&dir) {
            Ok(_) => Ok((step, dir)),
            Err(what) => {
                let whole = |step: &&u64| Manifest::verified(&self.path(**step)).is_ok();
                let previous = steps.iter().rev().filter(|&&s| s < step).find(whole).copied();
                Err(TrainError::Damaged { dir, what, previous })
            }
        }
    }

    /// Removes all but the last `keep`, and `also`.
    pub(crate) fn prune(&self, keep: usize, also: Option<u64>) -> Result<(), TrainError> {
        let steps = self.steps();
        let old = &steps[..steps.len().saturating_sub(keep)];
        old.iter().filter(|step| Some(**step) != also).try_for_each(|&step| remove(&self.path(step)))
    }
}

fn remove(dir: &Path) -> Result<(), TrainError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::Write { path: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Waits until every file below a directory, and the directories, are on the disk.
pub(crate) fn sync(dir: &Path) -> std::io::Result<()> {
    let mut folders = std::collections::BTreeSet::from([dir.to_owned()]);
    let manifest = Some(Manifest::NAME.to_owned()).filter(|name| dir.join(name).exists());
    for name in files_below(dir)?.into_iter().chain(manifest) {
        let path = dir.join(name);
        File::open(&path)?.sync_all()?;
        folders.extend(path.parent().map(Path::to_owned));
    }
    folders.iter().try_for_each(|folder| sync_dir(folder))
}

/// A directory's entries; other systems than Unix have no such call.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(checkpoints: &Checkpoints, step: u64) -> Result<PathBuf, TrainError> {
        checkpoints.save(step, |dir| {
            std::fs::write(dir.join("weights"), step.to_le_bytes())
                .map_err(|source| TrainError::Write { path: dir.to_owned(), source })
        })
    }

    #[test]
    fn a_save_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(dir.path());
        assert!(matches!(checkpoints.verified(None), Err(TrainError::NoCheckpoint { .. })));
        save(&checkpoints, 5).unwrap();
        let full = |_: &Path| {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            Err(TrainError::Write { path: "model".into(), source })
        };
        assert!(checkpoints.save(10, full).unwrap_err().to_string().contains("model"));
        assert_eq!(checkpoints.steps(), [5]);
        assert_eq!(checkpoints.verified(None).unwrap().0, 5);
        assert_eq!(
            dir.path().join("checkpoints").read_dir().unwrap().count(),
            1,
            "nothing half-written is left"
        );
        // What a process that was killed left is written over.
        std::fs::create_dir(dir.path().join("checkpoints/step-00010.writing")).unwrap();
        assert_eq!(checkpoints.steps(), [5]);
        save(&checkpoints, 10).unwrap();
        assert_eq!(checkpoints.steps(), [5, 10]);
    }

    #[test]
    fn of_a_damaged_one_the_last_whole_one_before_it_is_offered() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(dir.path());
        for step in [1, 2, 3] {
            save(&checkpoints, step).unwrap();
        }
        for step in [3, 2] {
            std::fs::write(dir.path().join(format!("checkpoints/step-0000{step}/weights")), b"x").unwrap();
        }
        match checkpoints.verified(None) {
            Err(TrainError::Damaged { previous, what, .. }) => {
                assert_eq!(previous, Some(1));
                assert!(what.contains("weights"), "{what}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(checkpoints.verified(Some(1)).unwrap().0, 1);
        assert!(matches!(checkpoints.verified(Some(7)), Err(TrainError::NoCheckpoint { .. })));
    }

    #[test]
    fn the_last_ones_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(dir.path());
        (1..=6).for_each(|step| drop(save(&checkpoints, step).unwrap()));
        checkpoints.prune(2, Some(3)).unwrap();
        assert_eq!(checkpoints.steps(), [3, 5, 6]);
        checkpoints.prune(9, None).unwrap();
        assert_eq!(checkpoints.steps(), [3, 5, 6]);
    }
}
