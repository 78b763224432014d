//! In which order tasks are visited: a new permutation each pass, from the seed alone.

use toolrl_rollout::StreamKey;

/// Names the stream of the order among the run's streams: no prompt has this index.
const ORDER: u64 = u64::MAX;

/// Positions of the tasks of the step with this number (from 0), `batch` of them.
pub(crate) fn batch(seed: u64, step: u64, batch: usize, tasks: usize) -> Vec<usize> {
    let first = step as usize * batch;
    let mut pass = (usize::MAX, Vec::new());
    let positions = (first..first + batch).map(|i| {
        let (epoch, at) = (i / tasks, i % tasks);
        if pass.0 != epoch {
            pass = (epoch, permutation(seed, epoch as u64, tasks));
        }
        pass.1[at]
    });
    positions.collect()
}

fn permutation(seed: u64, epoch: u64, n: usize) -> Vec<usize> {
    let stream = StreamKey { seed, step: epoch }.stream(ORDER, 0);
    let mut keyed: Vec<(f64, usize)> = (0..n).map(|i| (stream.uniform(i as u64), i)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keyed.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
