//! Work that a lane or warp has begun and not waited for.

use std::collections::VecDeque;

/// Begun work in groups, oldest first. What is in it takes place when it is waited for, and no sooner.
pub(crate) struct Pending<T> {
    groups: VecDeque<Vec<T>>,
    open: Vec<T>,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self { groups: VecDeque::new(), open: Vec::new() }
    }
}

impl<T> Pending<T> {
    /// Begins one thing.
    pub fn begin(&mut self, work: T) {
        self.open.push(work);
    }

    /// What was begun since the last time is a group.
    pub fn commit(&mut self) {
        self.groups.push_back(std::mem::take(&mut self.open));
    }

    /// The work of all groups but so many of the newest.
    pub fn wait(&mut self, left: usize) -> Vec<T> {
        let done = self.groups.len().saturating_sub(left);
        self.groups.drain(..done).flatten().collect()
    }
}

/// 4 to 16 bytes from global to shared memory; those beyond the source's size are zeros.
#[derive(Clone, Copy)]
pub(crate) struct Copy {
    pub to: u64,
    pub from: u64,
    pub bytes: usize,
    pub source: usize,
}

impl Copy {
    /// Copies.
    ///
    /// # Safety
    ///
    /// Both addresses must be the process's.
    pub unsafe fn run(self) {
        // SAFETY: as the caller promises.
        unsafe {
            std::ptr::write_bytes(self.to as *mut u8, 0, self.bytes);
            std::ptr::copy_nonoverlapping(
                self.from as *const u8,
                self.to as *mut u8,
                self.source.min(self.bytes),
            );
        }
    }
}
