//! Trackers beside a run in progress.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::tracker::{Status, Tracker};
use crate::{Point, TrackedRun, TrackerConfig, TrackerError};

/// The wait after a failure, doubled up to the second.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// How long the end of a run waits for its trackers.
const END: Duration = Duration::from_secs(30);

/// The trackers of a run in progress. Each has a thread: a step never waits for one.
#[derive(Debug, Default)]
pub struct Mirrors(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    place: String,
    inbox: Sender<Message>,
    outcome: Receiver<Outcome>,
    thread: JoinHandle<()>,
}

enum Message {
    Points(Vec<Point>),
    End(Status),
}

/// What became of a run's points in a tracker.
struct Outcome {
    failures: u64,
    waiting: usize,
}

impl Mirrors {
    /// Begins the run in each of these trackers, or goes on with it; `points` are those that its files hold already.
    ///
    /// # Errors
    /// [`TrackerError::Settings`], [`TrackerError::Io`] for a key's file that cannot be read. A tracker that does not answer is
    /// no error.
    pub fn open(configs: &[TrackerConfig], run: &TrackedRun, points: &[Point]) -> Result<Self, TrackerError> {
        let mut workers = Vec::new();
        for config in configs {
            let (tracker, place) = (config.open(run)?, config.place());
            let ((inbox, received), (done, outcome)) = (channel(), channel());
            let mut mirror = Mirror::new(place.clone(), tracker);
            let failed = |source| TrackerError::Io { path: place.clone().into(), source };
            let work = move || {
                let _ = done.send(mirror.follow(&received));
            };
            let thread = Builder::new().name("tracker".to_owned()).spawn(work).map_err(failed)?;
            let _ = inbox.send(Message::Points(points.to_vec()));
            workers.push(Worker { place, inbox, outcome, thread });
        }
        Ok(Self(workers))
    }

    /// Hands a point on.
    pub fn point(&self, point: impl FnOnce() -> Point) {
        if let Some((last, others)) = self.0.split_last() {
            let points = vec![point()];
            others.iter().for_each(|worker| drop(worker.inbox.send(Message::Points(points.clone()))));
            let _ = last.inbox.send(Message::Points(points));
        }
    }

    /// Tells how the run ended, and waits for what is still on its way, for half a minute at most. Points that a tracker did not
    /// take are told with how to send them, `again`.
    pub fn end(&mut self, status: Status, again: &str) {
        self.0.iter().for_each(|worker| drop(worker.inbox.send(Message::End(status))));
        let until = Instant::now() + END;
        for Worker { place, outcome, thread, .. } in self.0.drain(..) {
            match outcome.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Outcome { failures: 0, .. }) => {}
                Ok(Outcome { failures, waiting: 0 }) => {
                    tracing::info!("{place}: has everything, after {failures} failed attempts");
                }
                Ok(Outcome { failures, waiting }) => {
                    tracing::warn!(
                        "{place}: lacks {waiting} points, after {failures} failed attempts; {again}"
                    );
                }
                Err(_) => {
                    tracing::warn!("{place}: has not answered for {} s; {again}", END.as_secs());
                    continue;
                }
            }
            let _ = thread.join();
        }
    }
}

/// A tracker, and what it has not taken yet.
struct Mirror {
    place: String,
    tracker: Box<dyn Tracker>,
    is_begun: bool,
    waiting: Vec<Point>,
    failures: u64,
    wait: Duration,
    next: Instant,
}

impl Mirror {
    fn new(place: String, tracker: Box<dyn Tracker>) -> Self {
        let (wait, next) = (WAITS[0], Instant::now());
        Self { place, tracker, is_begun: false, waiting: Vec::new(), failures: 0, wait, next }
    }

    /// Takes points until the run ends.
    fn follow(&mut self, received: &Receiver<Message>) -> Outcome {
        let status = loop {
            let left = self.next.saturating_duration_since(Instant::now());
            let message = if self.waiting.is_empty() {
                received.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                received.recv_timeout(left)
            };
            match message {
                Ok(Message::Points(points)) => self.waiting.extend(points),
                Ok(Message::End(status)) => break Some(status),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= self.next {
                self.attempt(None);
            }
        };
        self.attempt(status);
        Outcome { failures: self.failures, waiting: self.waiting.len() }
    }

    fn attempt(&mut self, status: Option<Status>) {
        match self.send(status) {
            Ok(()) => self.wait = WAITS[0],
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!("{}: {error}; the run goes on, and it is tried again", self.place);
                }
                self.failures += 1;
                self.next = Instant::now() + self.wait;
                self.wait = (self.wait * 2).min(WAITS[1]);
            }
        }
    }

    fn send(&mut self, status: Option<Status>) -> Result<(), TrackerError> {
        if !self.is_begun {
            self.tracker.begin()?;
            self.is_begun = true;
        }
        if !self.waiting.is_empty() {
            self.tracker.send(&self.waiting)?;
            self.waiting.clear();
        }
        status.map_or(Ok(()), |status| self.tracker.end(status))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Fails so often, then keeps what it is given.
    struct Flaky(u64, Arc<Mutex<Vec<String>>>);

    impl Tracker for Flaky {
        fn begin(&mut self) -> Result<(), TrackerError> {
            Ok(())
        }

        fn send(&mut self, points: &[Point]) -> Result<(), TrackerError> {
            if self.0 > 0 {
                self.0 -= 1;
                return Err(TrackerError::Answer { url: "u".into(), what: "w" });
            }
            self.1.lock().unwrap().extend(points.iter().map(|point| format!("{} {}", point.of, point.step)));
            Ok(())
        }

        fn end(&mut self, status: Status) -> Result<(), TrackerError> {
            self.1.lock().unwrap().push(format!("{status:?}"));
            Ok(())
        }
    }

    fn point(step: u64) -> Point {
        Point { step, of: "step".to_owned(), time: 0.0, scalars: Vec::new() }
    }

    fn followed(failures: u64) -> (Outcome, Vec<String>) {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut mirror = Mirror::new("there".to_owned(), Box::new(Flaky(failures, taken.clone())));
        let (inbox, received) = channel();
        inbox.send(Message::Points(vec![point(1), point(2)])).unwrap();
        inbox.send(Message::Points(vec![point(3)])).unwrap();
        inbox.send(Message::End(Status::Finished)).unwrap();
        let outcome = mirror.follow(&received);
        let taken = taken.lock().unwrap().clone();
        (outcome, taken)
    }

    #[test]
    fn what_failed_is_sent_again_in_order_and_counted() {
        for failures in [0, 1] {
            let (outcome, taken) = followed(failures);
            assert_eq!((outcome.failures, outcome.waiting), (failures, 0));
            assert_eq!(taken, ["step 1", "step 2", "step 3", "Finished"]);
        }
        let (outcome, taken) = followed(9);
        assert_eq!((outcome.failures, outcome.waiting, taken.len()), (2, 3, 0), "the last at the end");
    }
}
