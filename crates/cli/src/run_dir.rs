//! The folder of a run that was given none: `runs/NAME-NUMBER`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

fn numbered(name: &str) -> impl Iterator<Item = PathBuf> {
    (1..).map(move |n| Path::new("runs").join(format!("{name}-{n}")))
}

/// The first that is not there.
pub(crate) fn free(name: &str) -> PathBuf {
    numbered(name).find(|dir| !dir.exists()).unwrap_or_default()
}

/// Makes the first that is not there: of runs that begin at once, each gets one of its own.
fn claim(name: &str) -> anyhow::Result<PathBuf> {
    let failed = |dir: &Path| format!("cannot make the run directory {}", dir.display());
    std::fs::create_dir_all("runs").with_context(|| failed(Path::new("runs")))?;
    for dir in numbered(name) {
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| failed(&dir)),
        }
    }
    anyhow::bail!("no number is left for runs/{name}")
}

/// Does work in a directory of its own, which goes where the work fails before it has put anything there.
pub(crate) fn in_a_new_one(
    name: &str,
    work: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let dir = claim(name)?;
    let done = work(&dir);
    if done.is_err() {
        // One that holds anything is not removed by this.
        [&*dir, Path::new("runs")].into_iter().for_each(|dir| std::fs::remove_dir(dir).unwrap_or_default());
    }
    done.map(|()| dir)
}
