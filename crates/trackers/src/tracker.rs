//! What every tracker does.

use crate::mlflow::Mlflow;
use crate::trackio::Trackio;
use crate::wandb::Wandb;
use crate::{Point, TrackedRun, TrackerConfig, TrackerError, TrackerKind};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// At its last step.
    Finished,
    /// Before it, by an error.
    Failed,
    /// Before it, as it was asked to.
    Stopped,
}

/// Takes a run's points. What was sent and failed may be sent again: a point that is there already is left out.
pub(crate) trait Tracker: Send {
    /// Begins the run there, or goes on with it.
    fn begin(&mut self) -> Result<(), TrackerError>;

    /// Takes points, those of a name in the order of their steps.
    fn send(&mut self, points: &[Point]) -> Result<(), TrackerError>;

    /// Tells how the run ended.
    fn end(&mut self, status: Status) -> Result<(), TrackerError>;
}

impl TrackerConfig {
    pub(crate) fn open(&self, run: &TrackedRun) -> Result<Box<dyn Tracker>, TrackerError> {
        self.check()?;
        let mut run = run.clone();
        run.name = self.name.clone().unwrap_or(run.name);
        Ok(match self.kind {
            TrackerKind::Mlflow => Box::new(Mlflow::new(self, run)?),
            TrackerKind::Trackio => Box::new(Trackio::new(self, run)?),
            TrackerKind::Wandb => Box::new(Wandb::new(self, run)?),
        })
    }
}

/// Sends what a tracker lacks of these points, and how the run ended.
///
/// # Errors
/// [`TrackerError`]; what had been taken until then stays, and a further call sends the rest.
pub fn fill_in(
    config: &TrackerConfig,
    run: &TrackedRun,
    points: &[Point],
    status: Status,
) -> Result<(), TrackerError> {
    let mut tracker = config.open(run)?;
    tracker.begin()?;
    tracker.send(points)?;
    tracker.end(status)
}
