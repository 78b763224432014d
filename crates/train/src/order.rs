//! In which order tasks are visited: a new permutation each pass, from the seed alone.

use toolrl_rollout::{Stream, StreamKey};

/// Names the stream of the order among the run's streams: no prompt has this index.
const ORDER: u64 = u64::MAX;
/// The same of the order of a step's groups.
const PASSES: u64 = u64::MAX - 1;

/// Positions of the tasks of the step with this number (from 0), `batch` of them.
pub(crate) fn batch(seed: u64, step: u64, batch: usize, tasks: usize) -> Vec<usize> {
    let first = step as usize * batch;
    let mut pass = (usize::MAX, Vec::new());
    let positions = (first..first + batch).map(|i| {
        let (epoch, at) = (i / tasks, i % tasks);
        if pass.0 != epoch {
            let stream = StreamKey { seed, step: epoch as u64 }.stream(ORDER, 0);
            pass = (epoch, permutation(stream, tasks));
        }
        pass.1[at]
    });
    positions.collect()
}

/// Positions of `n` groups of a step in the order of a pass over them.
pub(crate) fn shuffled(seed: u64, step: u64, pass: usize, n: usize) -> Vec<usize> {
    permutation(StreamKey { seed, step }.stream(PASSES, pass as u64), n)
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
