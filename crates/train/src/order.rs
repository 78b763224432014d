//! In which order tasks are visited: a new permutation each pass, from the seed alone.

use toolrl_rollout::{Stream, StreamKey};

/// Names the stream of the order among the run's streams: no prompt has this index.
pub(crate) const ORDER: u64 = u64::MAX;
/// The same of the order of a step's groups.
const PASSES: u64 = u64::MAX - 1;

/// Positions of the tasks of the step with this number (from 0), `batch` of them.
pub(crate) fn batch(seed: u64, step: u64, batch: usize, tasks: usize) -> Vec<usize> {
    let (first, mut passes) = (step * batch as u64, Passes::new(0, tasks));
    (first..first + batch as u64).map(|i| passes.at(seed, i)).collect()
}

/// Positions of `n` groups of a step in the order of a pass over them.
pub(crate) fn shuffled(seed: u64, step: u64, pass: usize, n: usize) -> Vec<usize> {
    permutation(StreamKey { seed, step }.stream(PASSES, pass as u64), n)
}

/// Passes over some tasks, one after the other without end.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    /// Whose tasks they are: each source has an order of its own.
    source: u64,
    tasks: usize,
    /// The pass that was asked for last.
    pass: Option<(u64, Vec<usize>)>,
}

impl Passes {
    /// Those over so many tasks of a source, of which there is one at least.
    pub(crate) fn new(source: u64, tasks: usize) -> Self {
        Self { source, tasks, pass: None }
    }

    /// The task that stands at this place of them all. A run asks with one seed alone.
    pub(crate) fn at(&mut self, seed: u64, place: u64) -> usize {
        let (epoch, at) = (place / self.tasks as u64, (place % self.tasks as u64) as usize);
        let known = self.pass.take().filter(|(of, _)| *of == epoch);
        let of_pass = || permutation(StreamKey { seed, step: epoch }.stream(ORDER, self.source), self.tasks);
        let (_, order) = self.pass.insert(known.unwrap_or_else(|| (epoch, of_pass())));
        order[at]
    }
}

fn permutation(stream: Stream, n: usize) -> Vec<usize> {
    let mut keyed: Vec<(f64, usize)> = (0..n).map(|i| (stream.uniform(i as u64), i)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keyed.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_over_a_step_has_an_order_of_its_own() {
        let order = |seed, step, pass| shuffled(seed, step, pass, 12);
        let first = order(1, 1, 1);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!((sorted, &first), ((0..12).collect::<Vec<_>>(), &order(1, 1, 1)));
        assert!([order(2, 1, 1), order(1, 2, 1), order(1, 1, 2)].iter().all(|other| *other != first));
    }

    #[test]
    fn each_pass_visits_every_task_once_in_a_new_order() {
        let visited = |seed| -> Vec<usize> { (0..10).flat_map(|step| batch(seed, step, 3, 15)).collect() };
        let order = visited(1);
        for pass in order.chunks(15) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..15).collect::<Vec<_>>());
        }
        assert_ne!(order[..15], order[15..]);
        assert_eq!(order, visited(1));
        assert_ne!(order, visited(2));
    }
}
