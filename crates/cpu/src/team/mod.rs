//! Loops whose turns several threads share, and threads that stay awake a little while between such loops.
//!
//! A step of decoding is some hundreds of loops of a few microseconds each, and to wake a sleeping thread takes as
//! long as one of them. So the helpers of a crew look for the next loop for a moment before they sleep. They run
//! nothing but a crew's loops, so that no turn can be left to a thread that waits for something else, as can happen
//! where a pool's threads take up work while they wait.

mod clock;
mod crew;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::attention::Shared;
use super::element::Element;
use crew::{Crew, MAX_HELPERS};

/// What this thread does with a loop.
#[derive(Clone, Copy, Default)]
enum Place {
    /// Rayon's threads share it.
    #[default]
    Free,
    /// It leads this crew.
    Leads(&'static Crew),
    /// It is in a turn of another loop, and runs the loop alone.
    InTurn,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Free) };
    /// Nanoseconds that helpers computed for this thread's loops.
    static HELPED: Cell<u64> = const { Cell::new(0) };
}

/// Runs `work` with the same helpers for all its loops, as many as rayon has threads here, but no more than share a
/// memory well: for work of a few milliseconds that is made of many short loops.
pub fn together<R>(work: impl FnOnce() -> R) -> R {
    let helpers = (rayon::current_num_threads() - 1).min(MAX_HELPERS);
    if helpers == 0 || !matches!(PLACE.get(), Place::Free) {
        return work();
    }
    let crew = Crew::lead(helpers);
    PLACE.set(Place::Leads(crew));
    let _free = OnDrop(|| {
        PLACE.set(Place::Free);
        HELPED.set(HELPED.get() + crew.free());
    });
    work()
}

/// Seconds that this thread has computed so far, and helpers for the loops that it led by [`together`]. None where the
/// system does not tell: only Linux does.
pub fn seconds_of_this_thread() -> Option<f64> {
    clock::of_this_thread().map(|own| (own + HELPED.get()) as f64 / 1e9)
}

/// As [`together`], for work of longer loops, which every thread should share: where there are more threads than a
/// crew has, `work` is just run.
pub fn all_together<R>(work: impl FnOnce() -> R) -> R {
    if rayon::current_num_threads() > MAX_HELPERS + 1 { work() } else { together(work) }
}

/// Calls `task` with every number below `count`, on several threads. A loop that a crew's task begins is run by the
/// task's thread alone.
pub fn for_each(count: usize, task: impl Fn(usize) + Sync) {
    match PLACE.get() {
        Place::Free if count > 1 => (0..count).into_par_iter().with_max_len(1).for_each(&task),
        Place::Leads(crew) if count > 1 => {
            PLACE.set(Place::InTurn);
            let _leads = OnDrop(|| PLACE.set(Place::Leads(crew)));
            crew.share(count, &task);
        }
        _ => (0..count).for_each(task),
    }
}

/// Does something when it is dropped, after a panic as well.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Vectors that several threads make part by part: `task(i, parts)` is given part i of every vector, zeros, to write
/// to. `sizes` are each vector's length and that of its parts, the last of which may be shorter; all have as many parts.
pub fn parts<E: Element, const N: usize>(
    sizes: [(usize, usize); N],
    task: impl Fn(usize, [&mut [E]; N]) + Sync,
) -> [Vec<E>; N] {
    let mut all = sizes.map(|(total, _)| Vec::<E>::with_capacity(total));
    let starts = all.each_mut().map(|numbers| Shared(numbers.as_mut_ptr()));
    let count = sizes.map(|(total, len)| total.div_ceil(len.max(1))).into_iter().max().unwrap_or(0);
    for_each(count, |i| {
        let part = |v: usize| {
            let (total, len) = sizes[v];
            let (from, to) = ((i * len).min(total), ((i + 1) * len).min(total));
            // SAFETY: there is room for the part, it is this task's alone, and it is filled before it is read.
            unsafe {
                let first = starts[v].at(from);
                std::slice::from_raw_parts_mut(first.cast::<MaybeUninit<E>>(), to - from)
                    .fill(MaybeUninit::new(E::default()));
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

/// Calls `task(i, chunk)` with every chunk of `len` numbers, the last of which may be shorter, on several threads.
pub fn for_each_chunk<E: Element>(numbers: &mut [E], len: usize, task: impl Fn(usize, &mut [E]) + Sync) {
    let (total, all) = (numbers.len(), Shared(numbers.as_mut_ptr()));
    for_each(total.div_ceil(len.max(1)), |i| {
        let (from, to) = (i * len, ((i + 1) * len).min(total));
        // SAFETY: inside the numbers, and this task's alone.
        task(i, unsafe { std::slice::from_raw_parts_mut(all.at(from), to - from) });
    });
}
