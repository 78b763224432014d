//! A thread that leads loops and the helpers that share their turns.
//!
//! Whoever waits looks for some microseconds, and then lets others have its core between two looks. To sleep at once was
//! slower beside other work (docs/performance.md), so a helper sleeps only where its leader begins no loop for long.
//!
//! A helper whose core is taken away within a turn holds up all others. Where loops are short it therefore gives its
//! core away of itself, between two loops, before the system would take it; meanwhile the leader takes all turns.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{Thread, yield_now};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::{PLACE, Place};

/// Most threads that join a leader: more only share the same memory.
pub(super) const MAX_HELPERS: usize = 15;
/// How long a thread looks before it lets others have its core between two looks.
const LOOKS: Duration = Duration::from_micros(50);
/// How long a helper whose crew is led waits for a loop before it sleeps: longer than a leader's core is with others.
const WAITS: Duration = Duration::from_millis(20);
/// How long a helper computes at a time where loops are short: less than what schedulers give a thread at a time.
const COMPUTES: Duration = Duration::from_millis(2);
/// Up to this a helper's part of a loop is short.
const SHORT: Duration = Duration::from_millis(1);

/// A loop whose turns are shared.
#[derive(Clone, Copy)]
struct Loop {
    task: &'static (dyn Fn(usize) + Sync),
    count: usize,
}

/// In a crew's state: a loop is open. Above it, the helpers inside; above those, the loops so far.
const OPEN: usize = 1;
const INSIDE: usize = 2;
const LOOP: usize = 1 << 8;

/// What a leader and its helpers share.
pub(super) struct Crew {
    state: AtomicUsize,
    /// Written while no loop is open and no helper is inside.
    open: UnsafeCell<Option<Loop>>,
    /// The next turn.
    next: AtomicUsize,
    led: AtomicBool,
    seats: Vec<Seat>,
    /// What a helper's turn panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `open` is written only while no helper reads it, as `state` tells.
unsafe impl Sync for Crew {}

/// A helper's place.
#[derive(Default)]
struct Seat {
    /// None where the system had no thread left: the others do its share.
    thread: OnceLock<Thread>,
    /// Set by the helper before it sleeps, cleared by who wakes it.
    asleep: AtomicBool,
    clock: Clock,
}

/// Crews that nobody leads. Their helpers sleep, and live as long as the process.
static FREE: Mutex<Vec<&'static Crew>> = Mutex::new(Vec::new());

impl Crew {
    /// A crew with so many helpers that nobody else leads, until [`Crew::free`].
    pub(super) fn lead(helpers: usize) -> &'static Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = free.iter().rposition(|crew| crew.seats.len() == helpers);
        let crew = fits.map(|i| free.swap_remove(i));
        drop(free);
        let crew = crew.unwrap_or_else(|| Self::hire(helpers));
        crew.led.store(true, Ordering::Relaxed);
        crew
    }

    /// Ends the lead. Returns the nanoseconds that its helpers computed.
    pub(super) fn free(&'static self) -> u64 {
        let helped = self.seats.iter().map(|seat| seat.clock.since_told()).sum();
        self.led.store(false, Ordering::Relaxed);
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        helped
    }

    fn hire(helpers: usize) -> &'static Self {
        let crew: &'static Self = Box::leak(Box::new(Self {
            state: AtomicUsize::new(0),
            open: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            led: AtomicBool::new(true),
            seats: (0..helpers).map(|_| Seat::default()).collect(),
            panic: Mutex::new(None),
        }));
        for seat in &crew.seats {
            let helper = std::thread::Builder::new().name("helper".into());
            if let Ok(handle) = helper.spawn(|| crew.help(seat)) {
                let _ = seat.thread.set(handle.thread().clone());
            }
        }
        crew
    }

    /// Runs a loop of two or more turns to its end, with the helpers that come.
    pub(super) fn share(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes; `close` waits for all who have the task before this call ends.
        let task: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(task) };
        let this = Loop { task, count };
        // SAFETY: no loop is open and nobody is inside, since the last `close` waited for that.
        unsafe { *self.open.get() = Some(this) };
        self.next.store(0, Ordering::Relaxed);
        // In one order with `Seat::sleep`: either the helper sees this loop, or it is seen to be asleep here.
        self.state.fetch_add(LOOP | OPEN, Ordering::SeqCst);
        self.seats.iter().take(count - 1).for_each(Seat::wake);
        let own = catch_unwind(AssertUnwindSafe(|| self.take_turns(this)));
        self.close();
        let of_helpers = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = own.err().or(of_helpers) {
            resume_unwind(panic);
        }
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

    /// Closes a loop once no helper is inside.
    fn close(&self) {
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        while !looked(|| self.state.load(Ordering::Acquire) % LOOP < INSIDE) {
            yield_now();
        }
    }

    /// A helper's life: it takes turns of every loop that it sees open.
    fn help(&self, seat: &Seat) {
        PLACE.set(Place::InTurn);
        seat.clock.start();
        let (mut last, mut computes_from) = (0, Instant::now());
        loop {
            let is_new = |state: usize| state & OPEN != 0 && state / LOOP != last;
            let there = |order| is_new(self.state.load(order));
            let waits_from = Instant::now();
            while !looked(|| there(Ordering::Relaxed)) {
                if self.led.load(Ordering::Relaxed) && waits_from.elapsed() < WAITS {
                    yield_now();
                } else {
                    seat.sleep(|| there(Ordering::SeqCst));
                }
                computes_from = Instant::now();
            }
            let enters = |state: usize| is_new(state).then_some(state + INSIDE);
            let entered = self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enters);
            let Ok(state) = entered else { continue };
            last = state / LOOP;
            let entered = Instant::now();
            // SAFETY: it is not written while this helper is inside.
            let open = unsafe { *self.open.get() };
            let turns = || open.into_iter().for_each(|open| self.take_turns(open));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(turns)) {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
            self.state.fetch_sub(INSIDE, Ordering::Release);
            let now = Instant::now();
            if now - computes_from > COMPUTES {
                if now - entered < SHORT {
                    yield_now();
                }
                computes_from = Instant::now();
            }
        }
    }
}

/// Whether something came to be while this thread looked for it.
fn looked(there: impl Fn() -> bool) -> bool {
    /// Looks between two looks at the clock, which takes as long as some of them.
    const BY_CLOCK: usize = 16;
    let mut began = None;
    loop {
        for _ in 0..BY_CLOCK {
            if there() {
                return true;
            }
            std::hint::spin_loop();
        }
        if began.get_or_insert_with(Instant::now).elapsed() > LOOKS {
            return false;
        }
    }
}

impl Seat {
    /// Sleeps until somebody wakes this helper, unless what it would wait for is there.
    fn sleep(&self, there: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::SeqCst);
        if there() {
            self.asleep.store(false, Ordering::Relaxed);
        }
        while self.asleep.load(Ordering::Acquire) {
            std::thread::park();
        }
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}
