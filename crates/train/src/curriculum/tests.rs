//! What is drawn when, by what happened.

use std::collections::BTreeSet;

use super::*;
use crate::test_fixtures::{World, group, scored};
use crate::{DifficultyConfig, RestConfig, RestLength};

fn config(prompts: usize, tasks: TasksConfig) -> RlConfig {
    RlConfig { prompts, tasks, ..RlConfig::default() }
}

fn by_difficulty() -> TasksConfig {
    TasksConfig { difficulty: Some(DifficultyConfig::default()), ..TasksConfig::default() }
}

fn resting(solved: Option<u64>, failed: Option<u64>) -> TasksConfig {
    let rest = RestConfig { solved: solved.map(RestLength::Steps), failed: failed.map(RestLength::Steps) };
    TasksConfig { rest, ..TasksConfig::default() }
}

/// The group of a task of whose replies so many succeeded.
fn outcome(task: usize, successes: usize, replies: usize) -> Group<Scored> {
    let member = |i| Scored { success: Some(i < successes), ..scored(0.0, &[1]) };
    group(task, (0..replies).map(member))
}

#[test]
fn without_a_history_the_order_is_the_passes() {
    let world = World::new(10);
    let mut curriculum = world.curriculum(&config(4, TasksConfig::default()));
    for (step, round) in [(1, 0), (1, 1), (2, 0), (7, 0)] {
        assert_eq!(curriculum.draw(step, round), batch(curriculum.seed_of(round), step - 1, 4, 10));
    }
    curriculum.learn(1, &[outcome(3, 2, 2)]);
    assert_eq!(curriculum.metrics(1), None);
    let dir = tempfile::tempdir().unwrap();
    curriculum.write(&dir.path().join("tasks.json"), &world.tasks).unwrap();
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[test]
fn tasks_between_easy_and_hard_come_most_and_none_is_lost() {
    let world = World::new(40);
    let mut curriculum = world.curriculum(&config(8, by_difficulty()));
    // Tasks 0 to 9 are never solved, 10 to 19 always, 20 to 29 now and then, and the others were never asked.
    for step in 1..=5 {
        let groups: Vec<_> = (0..30).map(|task| outcome(task, [0, 4, 2][task / 10], 4)).collect();
        curriculum.learn(step, &groups);
    }
    let mut counts = [0; 40];
    for step in 6..=1005 {
        let drawn = curriculum.draw(step, 0);
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 8, "none comes twice");
        drawn.into_iter().for_each(|task| counts[task] += 1);
    }
    assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
    let of = |kind: usize| counts[10 * kind..][..10].iter().sum::<i32>();
    let (failed, solved, mixed, unseen) = (of(0), of(1), of(2), of(3));
    assert!(5 * mixed > 9 * failed && 5 * mixed > 9 * solved, "{counts:?}");
    assert!((mixed - unseen).abs() < 400, "what was never asked is worth as much as the best: {counts:?}");
}

/// Later rounds of a step take other tasks, until there are no more.
#[test]
fn rounds_by_difficulty_take_each_task_once() {
    let world = World::new(10);
    let mut curriculum = world.curriculum(&config(4, by_difficulty()));
    let rounds: Vec<usize> = (0..2).flat_map(|round| curriculum.draw(1, round)).collect();
    assert_eq!(rounds.iter().collect::<BTreeSet<_>>().len(), 8);
    let last = curriculum.draw(1, 2);
    assert!(last[..2].iter().all(|task| !rounds.contains(task)) && last.len() == 4, "{rounds:?} {last:?}");
    assert_eq!(curriculum.draw(2, 0).len(), 4);
}

#[test]
fn solved_tasks_rest_and_come_back() {
    let world = World::new(6);
    for tasks in [
        resting(Some(3), None),
        TasksConfig { difficulty: Some(DifficultyConfig::default()), ..resting(Some(3), None) },
    ] {
        let mut curriculum = world.curriculum(&config(3, tasks));
        curriculum.learn(1, &[outcome(0, 2, 2), outcome(1, 1, 2), outcome(2, 0, 2)]);
        assert_eq!(curriculum.metrics(1).unwrap().resting, Some(1.0 / 6.0));
        let seen: Vec<BTreeSet<usize>> =
            (2..=8).map(|step| curriculum.draw(step, 0).into_iter().collect()).collect();
        assert!(seen[..3].iter().all(|drawn| !drawn.contains(&0)), "steps 2 to 4: {seen:?}");
        assert!(seen[3..].iter().any(|drawn| drawn.contains(&0)), "{seen:?}");
    }
}

#[test]
fn where_all_rest_those_that_come_back_first_are_taken() {
    let world = World::new(4);
    let mut curriculum = world.curriculum(&config(3, resting(Some(9), Some(5))));
    curriculum.learn(1, &[outcome(0, 2, 2), outcome(1, 0, 2)]);
    curriculum.learn(2, &[outcome(2, 0, 2), outcome(3, 2, 2)]);
    // They come back after steps 10, 6, 7 and 11.
    assert_eq!(curriculum.draw(3, 0), [1, 2, 0]);
    let metrics = curriculum.metrics(3).unwrap();
    assert_eq!((metrics.resting, metrics.unseen), (Some(1.0), Some(0.0)));
    assert_eq!((metrics.solved, metrics.failed), (Some(0.5), Some(0.5)));
    assert_eq!(metrics.estimate, Some((0.75 + 0.25) / 2.0));
    assert!(curriculum.draw(8, 0).starts_with(&[1]) || curriculum.draw(8, 0).contains(&2), "they are back");
    let mut alone = World::new(2).curriculum(&config(5, resting(Some(9), None)));
    alone.learn(1, &[outcome(0, 2, 2), outcome(1, 2, 2)]);
    assert_eq!(alone.draw(2, 0), [0, 1, 0, 1, 0]);
}

/// A reply without an outcome says nothing of its task.
#[test]
fn what_has_no_outcome_teaches_nothing() {
    let mut curriculum = World::new(2).curriculum(&config(1, resting(Some(9), Some(9))));
    curriculum.learn(1, &[group(0, [scored(1.0, &[1])])]);
    assert_eq!(curriculum.metrics(1).unwrap().unseen, Some(1.0));
    let half = group(1, [scored(1.0, &[1]), Scored { success: Some(true), ..scored(1.0, &[1]) }]);
    curriculum.learn(1, &[half]);
    assert_eq!(curriculum.metrics(1).unwrap().solved, Some(0.5));
}

fn mixed(tasks: TasksConfig) -> (World, RlConfig, [Source; 2]) {
    let mut world = World::new(15);
    world.tasks.iter_mut().skip(10).for_each(|task| task.source = 1);
    let source = |name: &str, weight, train| Source { name: name.to_owned(), weight, train };
    (world, config(4, tasks), [source("a", 1.0, 10), source("b", 3.0, 5)])
}

#[test]
fn sources_have_their_shares_and_passes_of_their_own() {
    for tasks in [TasksConfig::default(), by_difficulty()] {
        let (world, config, sources) = mixed(tasks);
        let mut curriculum = Curriculum::new(1, &config, &sources, &world.tasks).unwrap();
        let mut counts = [0; 15];
        for step in 1..=20 {
            let drawn = curriculum.draw(step, 0);
            assert_eq!(drawn.iter().filter(|&&task| task >= 10).count(), 3, "{drawn:?}");
            drawn.into_iter().for_each(|task| counts[task] += 1);
        }
        let metrics = curriculum.metrics(20).unwrap().sources;
        assert_eq!((metrics["a"].share, metrics["a"].epoch), (0.25, 2.0));
        assert_eq!((metrics["b"].share, metrics["b"].epoch), (0.75, 12.0));
        if tasks.difficulty.is_none() {
            assert_eq!(counts, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 12, 12, 12, 12, 12]);
        }
    }
    let (world, config, [a, b]) = mixed(TasksConfig::default());
    let empty = Source { name: "c".to_owned(), ..b.clone() };
    let message =
        Curriculum::new(1, &config, &[a, b, empty], &world.tasks).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("\"c\""), "{message}");
}

/// Several rounds a step, outcomes that depend on what is drawn: what goes on from a file draws the same.
#[test]
fn what_goes_on_draws_the_same_to_the_bit() {
    let rested = resting(Some(2), Some(1));
    for tasks in [
        rested,
        TasksConfig { difficulty: Some(DifficultyConfig::default()), ..rested },
        TasksConfig::default(),
    ] {
        let (world, config, sources) = mixed(tasks);
        let begin = || Curriculum::new(5, &config, &sources, &world.tasks).unwrap();
        let step = |curriculum: &mut Curriculum, step: u64| -> Vec<usize> {
            let mut all = Vec::new();
            for round in 0..1 + step % 3 {
                let drawn = curriculum.draw(step, round);
                let groups: Vec<_> =
                    drawn.iter().map(|&t| outcome(t, (t * 7 + step as usize) % 4, 3)).collect();
                curriculum.learn(step, &groups);
                all.extend(drawn);
            }
            all
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.json");
        let mut whole = begin();
        (1..=7).for_each(|s| drop(step(&mut whole, s)));
        whole.write(&path, &world.tasks).unwrap();
        let mut resumed = begin();
        resumed.restore(&path, &world.tasks).unwrap();
        assert_eq!((resumed.past.clone(), resumed.metrics(7)), (whole.past.clone(), whole.metrics(7)));
        for s in 8..=30 {
            assert_eq!(step(&mut resumed, s), step(&mut whole, s), "{tasks:?}, step {s}");
        }
        std::fs::write(&path, "{").unwrap();
        let message = begin().restore(&path, &world.tasks).unwrap_err().to_string();
        assert!(message.contains("tasks.json"), "{message}");
    }
}

/// Of fine-tuning, the place follows from the number of steps.
#[test]
fn sources_that_are_passed_over_go_on_as_if_taken() {
    let (world, _, sources) = mixed(TasksConfig::default());
    let begin = || Sources::of(&sources, world.tasks.iter().map(|task| task.source)).unwrap();
    let (mut taken, mut passed) = (begin(), begin());
    taken.take(3, 42);
    passed.pass_over(42);
    assert_eq!((taken.take(3, 9), taken.metrics()), (passed.take(3, 9), passed.metrics()));
    let one = Source { name: String::new(), weight: 2.0, train: 15 };
    let mut alone = Sources::of(&[one], std::iter::repeat_n(0, 15)).unwrap();
    let expected: Vec<usize> = (0..9).flat_map(|step| batch(3, step, 4, 15)).collect();
    assert_eq!((alone.take(3, 36), alone.metrics().len()), (expected, 0));
}
