//! Loops whose turns several threads share, and threads that stay awake between such loops.
//!
//! A step of decoding is some hundreds of loops of a few microseconds each, and to wake a sleeping thread takes as
//! long as one of them. The threads of [`together`] look for the next loop until the call ends. They run nothing but
//! its loops, so that no turn can be left to a thread that waits for something else, as can happen where a pool's
//! threads take up work while they wait.

use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::attention::Shared;

/// Most threads that join the calling one: more only share the same memory.
const MAX_HELPERS: usize = 15;
/// How often a thread looks for work before it lets others have its core between two looks: some 50 microseconds.
const LOOKS: u32 = 1000;

thread_local! {
    /// The team whose loops this thread begins.
    static CURRENT: Cell<Option<NonNull<Team>>> = const { Cell::new(None) };
}

/// Runs `work` beside threads that stay awake for the loops of this crate's operations: for work of a few
/// milliseconds that is made of many short operations. As many threads take part as rayon has here.
pub fn together<R>(work: impl FnOnce() -> R) -> R {
    let helpers = (rayon::current_num_threads() - 1).min(MAX_HELPERS);
    if helpers == 0 || CURRENT.get().is_some() {
        return work();
    }
    let team = Team::default();
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // Where the system has no thread left, the others do its share.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || team.help());
        }
        let _leader = Leader::of(&team);
        work()
    })
}

/// As [`together`], for work of longer operations, which every thread should share: where there are more threads than
/// stay awake, `work` is just run.
pub fn all_together<R>(work: impl FnOnce() -> R) -> R {
    if rayon::current_num_threads() > MAX_HELPERS + 1 { work() } else { together(work) }
}

/// Calls `task` with every number below `count`, on several threads. Tasks begin no parallel work of their own.
pub fn for_each(count: usize, task: impl Fn(usize) + Sync) {
    if count < 2 {
        return (0..count).for_each(task);
    }
    match CURRENT.take() {
        // SAFETY: `together` keeps its team for as long as this thread has it here.
        Some(team) => unsafe { team.as_ref() }.share(count, &task),
        None => (0..count).into_par_iter().with_max_len(1).for_each(&task),
    }
}

/// Vectors that several threads make part by part: `task(i, parts)` is given part i of every vector, zeros, to write
/// to. `sizes` are each vector's length and that of its parts, the last of which may be shorter; all have as many parts.
pub fn parts<const N: usize>(
    sizes: [(usize, usize); N],
    task: impl Fn(usize, [&mut [f32]; N]) + Sync,
) -> [Vec<f32>; N] {
    let mut all = sizes.map(|(total, _)| Vec::with_capacity(total));
    let starts = all.each_mut().map(|numbers| Shared(numbers.as_mut_ptr()));
    let count = sizes.map(|(total, len)| total.div_ceil(len.max(1))).into_iter().max().unwrap_or(0);
    for_each(count, |i| {
        let part = |v: usize| {
            let (total, len) = sizes[v];
            let (from, to) = ((i * len).min(total), ((i + 1) * len).min(total));
            // SAFETY: there is room for the part, it is this task's alone, and zeros are numbers.
            unsafe {
                let first = starts[v].at(from);
                first.write_bytes(0, to - from);
                std::slice::from_raw_parts_mut(first, to - from)
            }
        };
        task(i, std::array::from_fn(part));
    });
    for (numbers, (total, _)) in all.iter_mut().zip(sizes) {
        // SAFETY: every part was written above.
        unsafe { numbers.set_len(total) };
    }
    all
}

/// A loop whose turns are shared.
#[derive(Clone, Copy)]
struct Loop {
    task: &'static (dyn Fn(usize) + Sync),
    count: usize,
}

/// In a team's state: a loop is open. Above it, the helpers inside; above those, the loops so far.
const OPEN: usize = 1;
const INSIDE: usize = 2;
const LOOPS: u32 = 8;

/// What the threads of one call share.
#[derive(Default)]
struct Team {
    state: AtomicUsize,
    /// Written while no loop is open and no helper is inside.
    open: UnsafeCell<Option<Loop>>,
    /// The next turn.
    next: AtomicUsize,
    over: AtomicBool,
}

// SAFETY: `open` is written only while no helper reads it, as `state` tells.
unsafe impl Sync for Team {}

impl Team {
    /// Runs a loop to its end, with the helpers that are awake.
    fn share(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes; `Close` waits for all who have the task before this call ends.
        let task: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(task) };
        let this = Loop { task, count };
        // SAFETY: no loop is open and nobody is inside, since the last `Close` waited for that.
        unsafe { *self.open.get() = Some(this) };
        self.next.store(0, Ordering::Relaxed);
        let loops = (self.state.load(Ordering::Relaxed) >> LOOPS) + 1;
        self.state.store((loops << LOOPS) | OPEN, Ordering::Release);
        let _close = Close(self);
        self.take_turns(this);
    }

    fn take_turns(&self, of: Loop) {
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if turn >= of.count {
                return;
            }
            (of.task)(turn);
        }
    }

    /// A helper's life: it takes turns of every loop that it sees open.
    fn help(&self) {
        let (mut last, mut looks) = (0, 0);
        while !self.over.load(Ordering::Relaxed) {
            let state = self.state.load(Ordering::Relaxed);
            let (open, this) = (state & OPEN != 0, state >> LOOPS);
            let enters = || {
                let inside =
                    self.state.compare_exchange(state, state + INSIDE, Ordering::Acquire, Ordering::Relaxed);
                inside.is_ok()
            };
            if !(open && this != last && enters()) {
                look_again(&mut looks);
                continue;
            }
            let _leave = Leave(self);
            (last, looks) = (this, 0);
            // SAFETY: it is not written while this helper is inside.
            if let Some(open) = unsafe { *self.open.get() } {
                self.take_turns(open);
            }
        }
    }
}

/// Waits a little before the next look, and longer when there were many.
fn look_again(looks: &mut u32) {
    *looks += 1;
    if *looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
}

/// Closes a loop, at its end or where a turn panics, once no helper is inside.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let Self(team) = self;
        team.state.fetch_and(!OPEN, Ordering::Relaxed);
        let mut looks = 0;
        while team.state.load(Ordering::Acquire) % (1 << LOOPS) >= INSIDE {
            look_again(&mut looks);
        }
        CURRENT.set(Some(NonNull::from(*team)));
    }
}

/// A helper that leaves a loop, at its end or where a turn panics.
struct Leave<'a>(&'a Team);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_sub(INSIDE, Ordering::Release);
    }
}

/// The thread that begins a team's loops, until it drops this.
struct Leader<'a>(&'a Team);

impl<'a> Leader<'a> {
    fn of(team: &'a Team) -> Self {
        CURRENT.set(Some(NonNull::from(team)));
        Self(team)
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        CURRENT.set(None);
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_is_taken_once() {
        let round = |len: usize| {
            let [one, two] = parts([(10_000, len); 2], |i, [one, two]| {
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
}
