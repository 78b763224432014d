//! `toolrl track`.

use toolrl_train::{TrackerConfig, TrackerKind};

use crate::args::{TrackArgs, TrackerName};

/// Sends what trackers lack of a run; a line a tracker goes to standard output.
pub(crate) fn track(args: &TrackArgs) -> anyhow::Result<()> {
    let TrackArgs { run, to, url, dir, project, name, key_file } = args.clone();
    let other = to.map(|to| TrackerConfig {
        kind: match to {
            TrackerName::Mlflow => TrackerKind::Mlflow,
            TrackerName::Trackio => TrackerKind::Trackio,
            TrackerName::Wandb => TrackerKind::Wandb,
        },
        url,
        dir,
        project,
        name,
        key_file,
    });
    for tracked in toolrl_train::track(&run, other.as_ref())? {
        println!("{}: run {}, {} points", tracked.place, tracked.name, tracked.points);
    }
    Ok(())
}
