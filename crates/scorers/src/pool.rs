//! The processes of a term: as many as there are batches under way, each kept for the next batch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ScorerError;
use crate::answer::{Answered, Broken};
use crate::process::Process;
use crate::program::Program;
use crate::thread::on_its_own;

/// The processes of a term.
pub(crate) struct Pool {
    program: Program,
    /// Those that hold no batch.
    idle: Mutex<Vec<Process>>,
}

impl Pool {
    /// A pool whose program was started once, and answered.
    pub(crate) fn checked(program: Program) -> Result<Arc<Self>, ScorerError> {
        drop(Process::start(&program)?);
        Ok(Arc::new(Self { program, idle: Mutex::new(Vec::new()) }))
    }

    /// Asks a process about a batch, on a thread of its own.
    pub(crate) fn ask(
        self: &Arc<Self>,
        line: String,
        replies: usize,
        timeout: Duration,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let pool = self.clone();
        let asked = on_its_own(move || pool.answer(line, replies, timeout));
        async move {
            let failed = |error| Answered { entries: Vec::new(), rest: Err(Broken::Failed(error)) };
            match asked {
                Ok(asked) => asked.await.unwrap_or_else(|| failed(ScorerError::Panicked)),
                Err(error) => failed(ScorerError::Thread(error)),
            }
        }
    }

    fn answer(&self, line: String, replies: usize, timeout: Duration) -> Answered {
        let mut process = match self.ready() {
            Ok(process) => process,
            Err(error) => return Answered { entries: Vec::new(), rest: Err(Broken::Failed(error)) },
        };
        let answered = process.ask(line, replies, timeout);
        let term = &self.program.term;
        let of = || format!("{} of {replies} replies answered", answered.entries.len());
        match &answered.rest {
            Ok(()) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process),
            Err(broken) => {
                match broken {
                    Broken::TimedOut => {
                        tracing::warn!(
                            "{term}: {}, then silence for {} s; it is ended",
                            of(),
                            timeout.as_secs_f64()
                        );
                    }
                    Broken::Failed(error) => tracing::warn!("{term}: {}, then: {error}", of()),
                }
                process.kill();
            }
        }
        answered
    }

    /// A process that can be asked: one that is idle, or a new one.
    fn ready(&self) -> Result<Process, ScorerError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut process) = idle else { return Process::start(&self.program) };
            if process.is_ready() {
                return Ok(process);
            }
            tracing::warn!(
                "{}: it ended, or wrote what it was not asked for; it is started anew",
                self.program.term
            );
        }
    }
}
