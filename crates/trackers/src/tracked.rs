//! A run as trackers know it.

use std::path::Path;

use serde_json::{Map, Value};
use toolrl_record::write_whole;

use crate::TrackerError;
use crate::point::seconds;

/// A run as trackers know it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedRun {
    /// 32 hexadecimal digits, the same for as long as the run's results are.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it began, in seconds since 1970.
    pub begun: f64,
    /// Its recipe, by the paths of its keys.
    pub params: Map<String, Value>,
    /// What else is told of it.
    pub tags: Vec<(String, String)>,
}

/// The file of a run's ids for trackers.
const FILE: &str = "trackers.json";

/// The ids that a run has had for trackers, the present one last; the first is made where there is none. `anew` makes a
/// further one: of a run that went on otherwise than it had been, the trackers keep what they had, and get it a second time
/// under another name.
///
/// # Errors
/// [`TrackerError::Io`], [`TrackerError::Record`].
pub fn run_ids(run_dir: &Path, anew: bool) -> Result<Vec<String>, TrackerError> {
    let path = run_dir.join(FILE);
    let mut ids: Vec<String> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| TrackerError::Io { path: path.clone(), source: e.into() })?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(TrackerError::io(&path)(e)),
    };
    if ids.is_empty() || anew {
        ids.push(format!("{:032x}", fastrand::u128(..)));
        write_whole(&path, Value::from(ids.clone()).to_string().as_bytes())?;
    }
    Ok(ids)
}

impl TrackedRun {
    /// A run by its directory.
    ///
    /// # Errors
    /// As [`run_ids`].
    pub fn of(
        run_dir: &Path,
        anew: bool,
        params: Map<String, Value>,
        tags: Vec<(String, String)>,
    ) -> Result<Self, TrackerError> {
        let ids = run_ids(run_dir, anew)?;
        let of_dir = std::path::absolute(run_dir).ok();
        let of_dir =
            of_dir.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let name = of_dir.unwrap_or_else(|| "run".to_owned());
        let number = if ids.len() > 1 { format!(" ({})", ids.len()) } else { String::new() };
        // Written once, at the beginning.
        let first = run_dir.join("run.json");
        let begun = first.metadata().and_then(|data| data.modified()).map_err(TrackerError::io(&first))?;
        let id = ids.last().cloned().unwrap_or_default();
        Ok(Self { id, name: name + &number, begun: seconds(begun), params, tags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_keeps_its_id_until_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let first = run_ids(dir.path(), false).unwrap();
        assert_eq!((first.len(), first[0].len()), (1, 32));
        assert_eq!(run_ids(dir.path(), false).unwrap(), first);
        let second = run_ids(dir.path(), true).unwrap();
        assert!(second.len() == 2 && second[0] == first[0] && second[1] != first[0], "{second:?}");
        std::fs::write(dir.path().join("run.json"), "{}").unwrap();
        let run = TrackedRun::of(dir.path(), false, Map::new(), Vec::new()).unwrap();
        assert!(run.id == second[1] && run.name.ends_with(" (2)") && run.begun > 1.7e9, "{run:?}");
        std::fs::write(dir.path().join(FILE), "[\"a").unwrap();
        assert!(run_ids(dir.path(), false).unwrap_err().to_string().contains(FILE));
    }
}
