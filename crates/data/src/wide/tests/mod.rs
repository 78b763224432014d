//! What the wide world promises.

mod apart;
mod benchmarks;
mod gold;
mod reader;
mod settings;
mod tasks;

use super::task::Task;
use super::*;

/// Draws of every kind and of both parts, as tasks and as what they become.
fn drawn(count: usize) -> Vec<(TaskKind, bool, Day, Task)> {
    let config = WideConfig::default();
    let world = WideWorld::new(&config).unwrap();
    let mut tasks = Vec::new();
    for index in 0..count {
        let unseen = index % 2 == 1;
        let part = if index % 4 < 2 && !unseen { Part::Train } else { Part::HeldOut };
        let mut kinds = Rng::new(7, &[index as u64]);
        let kind = kind_of(&config.mix.weights(), &mut kinds);
        let (today, task) = (0..200)
            .find_map(|attempt| {
                let rng = || Rng::new(8, &[index as u64, attempt]);
                // The day is the first draw of a task.
                Some((Day::draw(&mut rng()), world.task(kind, part, unseen, &mut rng())?))
            })
            .unwrap();
        tasks.push((kind, unseen, today, task));
    }
    tasks
}
