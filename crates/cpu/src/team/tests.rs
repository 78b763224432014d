//! Loops of many lengths, on many threads, with pauses between them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;

#[test]
fn every_turn_is_taken_once() {
    let round = |len: usize| {
        let [one, two] = parts([(10_000, len); 2], |i, [one, two]: [&mut [f32]; 2]| {
            one.iter_mut().zip(two).enumerate().for_each(|(j, (one, two))| {
                *one += (i * len + j) as f32;
                *two -= 1.0;
            });
        });
        assert!(two.iter().all(|&t| t == -1.0), "parts of {len}");
        assert!(one.iter().enumerate().all(|(i, &t)| t == i as f32), "parts of {len}");
    };
    let lens = [1, 7, 4096, 10_000, 20_000];
    together(|| lens.into_iter().cycle().take(400).for_each(round));
    lens.into_iter().for_each(round);
    let [none] = parts([(0, 5)], |_, _: [&mut [f32]; 1]| unreachable!("no part"));
    assert!(none.is_empty());
}

#[test]
fn a_loop_inside_of_a_turn_is_run() {
    let sum = AtomicUsize::new(0);
    together(|| {
        for_each(10, |i| {
            for_each(10, |j| {
                sum.fetch_add(10 * i + j, Ordering::Relaxed);
            });
        });
        together(|| {
            for_each(10, |_| {
                sum.fetch_add(1, Ordering::Relaxed);
            });
        });
    });
    assert_eq!(sum.into_inner(), 99 * 100 / 2 + 10);
}

#[test]
fn a_panic_ends_the_call() {
    for bad in [0, 99] {
        let outcome = std::panic::catch_unwind(|| {
            together(|| for_each(100, |i| assert!(i != bad, "as wanted")));
        });
        assert!(outcome.is_err());
        // The thread can begin loops again.
        together(|| for_each(100, |_| ()));
    }
}

#[test]
fn calls_on_many_threads_do_not_wait_for_each_other() {
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| together(|| (0..200).for_each(|_| for_each(5, |_| std::thread::yield_now()))));
        }
    });
}

#[test]
fn helpers_that_look_wait_or_sleep_are_there_for_the_next_loop() {
    // Around the times at which a helper stops looking, lets others have its core, and sleeps.
    let pauses = [0, 45, 50, 55, 300, 19_900, 20_000, 20_100, 40_000].map(Duration::from_micros);
    let turns = AtomicUsize::new(0);
    let pause_and_loop = |pause| {
        let began = Instant::now();
        while began.elapsed() < pause {
            std::hint::spin_loop();
        }
        for_each(3, |_| {
            turns.fetch_add(1, Ordering::Relaxed);
        });
    };
    together(|| pauses.into_iter().cycle().take(90).for_each(pause_and_loop));
    pauses.into_iter().for_each(pause_and_loop);
    assert_eq!(turns.into_inner(), 3 * 99);
}

#[test]
fn loops_follow_each_other_without_pause() {
    let turns = AtomicUsize::new(0);
    together(|| {
        for count in (2..40).cycle().take(50_000) {
            let before = turns.load(Ordering::Relaxed);
            for_each(count, |_| {
                turns.fetch_add(1, Ordering::Relaxed);
            });
            // The loop is over, and no turn of it is left to a helper.
            assert_eq!(turns.load(Ordering::Relaxed), before + count);
        }
    });
}

#[test]
fn a_helpers_panic_is_the_leaders() {
    let leader = std::thread::current().id();
    for _ in 0..20 {
        let outcome = std::panic::catch_unwind(|| {
            together(|| {
                let helped = AtomicUsize::new(0);
                // Long enough for a helper to come, where there is one.
                for_each(1000, |_| {
                    if std::thread::current().id() != leader {
                        helped.fetch_add(1, Ordering::Relaxed);
                        panic!("as wanted");
                    }
                    std::thread::yield_now();
                });
                helped.into_inner()
            })
        });
        assert!(!matches!(outcome, Ok(1..)), "a panic that nobody hears of");
        together(|| for_each(100, |_| ()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_helpers_compute_is_their_leaders() {
    let busy = AtomicUsize::new(0);
    let compute = |nanoseconds: u64| {
        let begun = clock::of_this_thread().unwrap();
        while clock::of_this_thread().unwrap() < begun + nanoseconds {
            busy.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (own, all) = (clock::of_this_thread().unwrap(), seconds_of_this_thread().unwrap());
    // Each turn takes 10 ms of a core, whoever takes it.
    together(|| for_each(20, |_| compute(10_000_000)));
    let own = (clock::of_this_thread().unwrap() - own) as f64 / 1e9;
    let all = seconds_of_this_thread().unwrap() - all;
    assert!(all >= 0.2, "{all} s, {own} of them the leader's");
    // A thread that leads nothing has its own time alone.
    let alone = std::thread::spawn(|| seconds_of_this_thread().unwrap()).join().unwrap();
    assert!(alone < 0.1, "{alone}");
}
