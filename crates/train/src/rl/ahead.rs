//! Steps that are sampled before the ones before them are learned from.
//!
//! With `sampler.stale = k`, step `n + k` is sampled by the policy that `n - 1` steps made, while step `n` is learned from.
//! What the curriculum draws and hears has the same order as without: a step's tasks are drawn when the outcomes of all
//! steps before it are known.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::time::Instant;

use pollster::block_on;
use toolrl_policy::Policy;
use toolrl_rollout::{Episode, Group, Sampler};

use super::sampling::{Drawn, Sampled, Speaker, failed};
use super::{Laps, Rl};
use crate::TrainError;
use crate::curriculum::Curriculum;

/// The steps that are sampled and not yet learned from.
pub(crate) struct Supply {
    /// As the last sampled step left it.
    last: Curriculum,
    /// As the step left it that is learned from.
    now: Curriculum,
    ready: VecDeque<Ready>,
    /// The next step to sample.
    next: u64,
}

/// A step that is sampled.
struct Ready {
    sampled: Sampled,
    /// What it left.
    after: Curriculum,
}

/// A step that is being sampled.
pub(crate) struct Ahead<'s> {
    drawn: Drawn,
    /// Holds the weights of when it was begun.
    sampler: Box<dyn Sampler + Send + 's>,
    played: Option<Vec<Group<Episode>>>,
}

impl Supply {
    /// Nothing yet, after so many steps.
    pub(crate) fn new(curriculum: Curriculum, done: u64) -> Self {
        Self { last: curriculum.clone(), now: curriculum, ready: VecDeque::new(), next: done + 1 }
    }

    /// The curriculum after the step that was taken last.
    pub(crate) fn curriculum(&self) -> &Curriculum {
        &self.now
    }

    fn push(&mut self, sampled: Sampled) {
        self.ready.push_back(Ready { sampled, after: self.last.clone() });
    }
}

impl Rl<'_> {
    /// The replies of a step, which are sampled now where they were not yet; the policy is that of the steps before.
    pub(crate) async fn take(
        &self,
        policy: &Policy,
        supply: &mut Supply,
        step: u64,
    ) -> Result<Sampled, TrainError> {
        let until = (step + self.stale().saturating_sub(1)).min(self.config.steps).max(step);
        while supply.next <= until {
            let first = self.draw(&mut supply.last, (supply.next, 0));
            let speaker = Speaker::Policy(policy, step - 1);
            let sampled = self.rounds(speaker, &mut supply.last, (first, None)).await?;
            supply.push(sampled);
            supply.next += 1;
        }
        let Some(Ready { sampled, after }) = supply.ready.pop_front() else { return Ok(Sampled::default()) };
        supply.now = after;
        Ok(sampled)
    }

    /// Begins to sample what is sampled while this step is learned from, if anything is.
    pub(crate) async fn begin_ahead<'s>(
        &'s self,
        policy: &Policy,
        supply: &mut Supply,
        step: u64,
    ) -> Result<Option<Ahead<'s>>, TrainError> {
        if self.stale() == 0 || supply.next > self.config.steps {
            return Ok(None);
        }
        let drawn = self.draw(&mut supply.last, (supply.next, 0));
        supply.next += 1;
        let played = self.recorded(&drawn)?;
        if played.is_none() {
            let sampler = self.sampler.ahead(policy, &self.chat, step - 1);
            if let Some(sampler) = sampler.map_err(|source| failed(&drawn, source))? {
                return Ok(Some(Ahead { drawn, sampler, played }));
            }
        }
        // A sampler that holds the policy itself is done before that changes; what is written down asks for none.
        let speaker = Speaker::Policy(policy, step - 1);
        let sampled = self.rounds(speaker, &mut supply.last, (drawn, played)).await?;
        supply.push(sampled);
        Ok(None)
    }

    /// Does some work while a first round is played, on a thread of its own.
    pub(crate) fn beside<T>(
        &self,
        ahead: &mut Option<Ahead<'_>>,
        laps: &mut Laps,
        work: impl FnOnce(&mut Laps) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        let Some(Ahead { drawn, sampler, played }) = ahead else { return work(laps) };
        let playing = self.playing();
        let (done, groups, seconds) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let begin = Instant::now();
                (block_on(playing.play(&mut **sampler, drawn)), begin.elapsed().as_secs_f64())
            });
            let done = work(laps);
            let (groups, seconds) = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            (done, groups, seconds)
        });
        laps.add("sample_ahead", seconds);
        // What was sampled is kept, whatever became of the work.
        let groups = groups.and_then(|groups| self.written(drawn, groups));
        let done = done?;
        *played = Some(groups?);
        Ok(done)
    }

    /// Scores what was sampled ahead, and samples its further rounds by the same weights.
    pub(crate) async fn finish_ahead(
        &self,
        supply: &mut Supply,
        ahead: Option<Ahead<'_>>,
    ) -> Result<(), TrainError> {
        let Some(Ahead { drawn, sampler, played }) = ahead else { return Ok(()) };
        let sampled = self.rounds(Speaker::Sampler(sampler), &mut supply.last, (drawn, played)).await?;
        supply.push(sampled);
        Ok(())
    }

    /// Steps that are sampled ahead.
    fn stale(&self) -> u64 {
        self.recipe.sampler.stale
    }
}
