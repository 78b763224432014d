//! The checkpoints of a run.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Manifest;
use super::manifest::files_below;
use crate::TrainError;

/// The checkpoints of a run.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    dir: PathBuf,
    /// That of the last step of a run that is over, which stands apart: none of the others gives way to it.
    last: PathBuf,
}

/// What is written aside has this after its name.
const PARTIAL: &str = "writing";

impl Checkpoints {
    /// Those of a run directory.
    pub(crate) fn of(run_dir: &Path) -> Self {
        Self { dir: run_dir.join("checkpoints"), last: run_dir.join("last") }
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
        let to = self.path(step);
        put(step, &to, fill)?;
        Ok(to)
    }

    /// Writes that of the last step, apart from the others.
    pub(crate) fn save_last(
        &self,
        step: u64,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        put(step, &self.last, fill)
    }

    /// The checkpoint of the last step of a run that is over, verified; none where it kept none.
    pub(crate) fn of_last(&self, step: u64) -> Result<Option<PathBuf>, TrainError> {
        if !self.last.exists() {
            // A run that was about to go on may have been cut off when it had a place among the others.
            let there = self.steps().contains(&step);
            return there.then(|| Ok(self.verified(Some(step))?.1)).transpose();
        }
        match Manifest::verified(&self.last) {
            Ok(manifest) => Ok((manifest.step == step).then(|| self.last.clone())),
            Err(what) => Err(TrainError::Damaged { dir: self.last.clone(), what, previous: None }),
        }
    }

    /// Whether this is the checkpoint of the last step, apart from the others.
    pub(crate) fn is_last(&self, dir: &Path) -> bool {
        dir == self.last
    }

    /// Gives the checkpoint of the last step its place among the others: the run goes on from it.
    pub(crate) fn take_up_last(&self, step: u64) -> Result<PathBuf, TrainError> {
        let to = self.path(step);
        if self.last.exists() {
            let failed = |source| TrainError::Write { path: to.clone(), source };
            remove(&to)?;
            std::fs::create_dir_all(&self.dir).map_err(failed)?;
            std::fs::rename(&self.last, &to).map_err(failed)?;
            sync_dir(&self.dir).map_err(failed)?;
        }
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

    /// Removes those of later steps: they are of a run that went back to an earlier one.
    pub(crate) fn drop_after(&self, step: u64) -> Result<(), TrainError> {
        self.steps().into_iter().filter(|of| *of > step).try_for_each(|of| remove(&self.path(of)))
    }

    /// Removes all but the last `keep`, and `also`.
    pub(crate) fn prune(&self, keep: usize, also: Option<u64>) -> Result<(), TrainError> {
        let steps = self.steps();
        let old = &steps[..steps.len().saturating_sub(keep)];
        old.iter().filter(|step| Some(**step) != also).try_for_each(|&step| remove(&self.path(step)))
    }
}

/// Puts a checkpoint in its place, whole.
fn put(step: u64, to: &Path, fill: impl FnOnce(&Path) -> Result<(), TrainError>) -> Result<(), TrainError> {
    let partial = to.with_extension(PARTIAL);
    remove(&partial)?;
    let written = write(step, (&partial, to), fill);
    if written.is_err() {
        // The disk may be full: what cannot be finished should not take room. The first error is the one to tell.
        let _ = remove(&partial);
    }
    written
}

fn write(
    step: u64,
    (partial, to): (&Path, &Path),
    fill: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
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
    // One of the same step is of a run that went back to an earlier one.
    remove(to)?;
    std::fs::rename(partial, to).map_err(failed(to))?;
    let folder = to.parent().unwrap_or(to);
    sync_dir(folder).map_err(failed(folder))
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
    fn that_of_the_last_step_stands_apart_until_the_run_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(dir.path());
        save(&checkpoints, 4).unwrap();
        assert_eq!(checkpoints.of_last(6).unwrap(), None);
        let fill = |dir: &Path| {
            std::fs::write(dir.join("weights"), "6")
                .map_err(|source| TrainError::Write { path: dir.to_owned(), source })
        };
        checkpoints.save_last(6, fill).unwrap();
        assert_eq!(
            (checkpoints.steps(), checkpoints.of_last(6).unwrap()),
            (vec![4], Some(dir.path().join("last")))
        );
        let place = checkpoints.take_up_last(6).unwrap();
        assert!(place.ends_with("checkpoints/step-00006") && !dir.path().join("last").exists());
        // Cut off here, it is found there.
        assert_eq!(checkpoints.of_last(6).unwrap(), Some(place.clone()));
        assert_eq!(checkpoints.take_up_last(6).unwrap(), place);
        assert_eq!(checkpoints.verified(None).unwrap().0, 6);
        checkpoints.drop_after(4).unwrap();
        assert_eq!(checkpoints.steps(), [4]);
        checkpoints.save_last(6, fill).unwrap();
        std::fs::write(dir.path().join("last/weights"), "7").unwrap();
        assert!(matches!(checkpoints.of_last(6), Err(TrainError::Damaged { .. })));
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
