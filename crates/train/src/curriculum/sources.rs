//! The sources of a run, which take turns by weight, each in passes of its own.

use std::collections::BTreeMap;

use toolrl_data::Blend;
use toolrl_record::SourceMetrics;

use crate::TrainError;
use crate::order::Passes;
use crate::task::Source;

/// The sources of a run.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    blend: Blend,
    parts: Vec<Part>,
}

/// One source.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub name: String,
    /// The positions of its tasks among the run's.
    pub tasks: Vec<usize>,
    /// Where its passes go on.
    pub place: u64,
    passes: Passes,
}

impl Sources {
    /// Those of tasks of which each is of the source at this position.
    ///
    /// # Errors
    /// [`TrainError::NoTasks`] for a source without tasks.
    pub(crate) fn of(sources: &[Source], of_tasks: impl Iterator<Item = usize>) -> Result<Self, TrainError> {
        let mut tasks = vec![Vec::new(); sources.len()];
        of_tasks.enumerate().for_each(|(task, source)| tasks[source].push(task));
        let part = |(number, (source, tasks)): (u64, (&Source, Vec<usize>))| {
            if tasks.is_empty() {
                let why = format!("data.mix {:?}: none of its samples can be trained on", source.name);
                return Err(TrainError::NoTasks { what: "training data", why });
            }
            let passes = Passes::new(number, tasks.len());
            Ok(Part { name: source.name.clone(), tasks, place: 0, passes })
        };
        let parts = (0..).zip(sources.iter().zip(tasks)).map(part).collect::<Result<_, _>>()?;
        let weights: Vec<f64> = sources.iter().map(|source| source.weight).collect();
        Ok(Self { blend: Blend::new(&weights), parts })
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn part(&mut self, source: usize) -> &mut Part {
        &mut self.parts[source]
    }

    /// How many of the next tasks are of each source.
    pub(crate) fn turns(&mut self, tasks: usize) -> Vec<usize> {
        let mut turns = vec![0; self.parts.len()];
        (0..tasks).for_each(|_| turns[self.blend.take_turn()] += 1);
        turns
    }

    /// The next so many tasks, each source in passes.
    pub(crate) fn take(&mut self, seed: u64, tasks: usize) -> Vec<usize> {
        let next = |_| {
            let source = self.blend.take_turn();
            self.parts[source].next(seed)
        };
        (0..tasks).map(next).collect()
    }

    /// The same as taking so many tasks.
    pub(crate) fn pass_over(&mut self, tasks: u64) {
        (0..tasks).for_each(|_| self.parts[self.blend.take_turn()].place += 1);
    }

    /// Each source's name, its turns and the place of its passes.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        let parts = self.parts.iter().zip(self.blend.turns());
        parts.map(|(part, &turns)| (part.name.as_str(), turns, part.place))
    }

    /// Puts turns and places into the sources, in their order.
    pub(crate) fn go_on(&mut self, places: &[(u64, u64)]) {
        self.blend = self.blend.clone().after(places.iter().map(|(turns, _)| *turns));
        self.parts.iter_mut().zip(places).for_each(|(part, (_, place))| part.place = *place);
    }

    /// What became of the weights; nothing where there is but one source.
    pub(crate) fn metrics(&self) -> BTreeMap<String, SourceMetrics> {
        let all = self.blend.turns().iter().sum::<u64>().max(1) as f64;
        let of_part = |(part, &turns): (&Part, &u64)| {
            let (turns, tasks) = (turns as f64, part.tasks.len() as f64);
            (part.name.clone(), SourceMetrics { share: turns / all, epoch: turns / tasks })
        };
        let parts = self.parts.iter().zip(self.blend.turns()).filter(|_| self.parts.len() > 1);
        parts.map(of_part).collect()
    }
}

impl Part {
    fn next(&mut self, seed: u64) -> usize {
        self.place += 1;
        self.tasks[self.passes.at(seed, self.place - 1)]
    }

    /// The next task for which this holds. None, and nothing is passed over, where it holds for none.
    pub(crate) fn next_where(&mut self, seed: u64, holds: impl Fn(usize) -> bool) -> Option<usize> {
        // What is left of a pass and the whole next one have every task.
        let places = self.place..self.place + 2 * self.tasks.len() as u64;
        let (place, task) = places
            .map(|place| (place, self.tasks[self.passes.at(seed, place)]))
            .find(|(_, task)| holds(*task))?;
        self.place = place + 1;
        Some(task)
    }
}
