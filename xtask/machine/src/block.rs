//! Launches: a grid of blocks, each of warps that run in turn.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::instruction::Space;
use crate::memory::{SHARED, Shared};
use crate::module::{Constant, Kernel};
use crate::warp::{State, Warp};
use crate::{LANES, Lanes, MachineError};

/// A kernel's launch.
pub struct Launch<'a> {
    /// What runs.
    pub kernel: &'a Kernel,
    /// Blocks along x, y and z.
    pub grid: [u32; 3],
    /// Lanes of a block along x, y and z.
    pub block: [u32; 3],
    /// Shared memory beside what the kernel declares, in bytes.
    pub shared: usize,
    /// The parameters' bytes, each where the kernel says.
    pub parameters: &'a [u8],
}

/// What instructions of a warp see of their block.
pub(crate) struct Memory<'a> {
    pub shared: &'a Shared,
    /// Which warp of its block asks.
    pub warp: usize,
}

impl Memory<'_> {
    /// The host's address of one of a space, checked where it is the block's.
    pub fn host(&self, address: u64, space: Space, bytes: usize, name: &str) -> Result<u64, MachineError> {
        match space {
            // A window of 32 bits: what is added may be negative.
            Space::Shared => self.shared.address(address & 0xFFFF_FFFF, bytes, name),
            Space::Generic => Ok(address),
        }
    }
}

impl Launch<'_> {
    /// Runs every block. Two at a time where the machine has two cores: nothing orders them, as on a GPU.
    ///
    /// # Errors
    ///
    /// What the kernel does wrong, of the first block that does.
    ///
    /// # Safety
    ///
    /// The kernel's addresses in global memory must be the process's, as on a GPU they must be the device's.
    pub unsafe fn run(&self) -> Result<(), MachineError> {
        let blocks: u64 = self.grid.iter().map(|&n| u64::from(n)).product();
        let next = AtomicU64::new(0);
        let failed = Mutex::new(None);
        let work = || {
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= blocks {
                    return;
                }
                if let Err(error) = self.block(block) {
                    next.store(blocks, Ordering::Relaxed);
                    failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        if blocks == 1 {
            work();
        } else {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn block(&self, index: u64) -> Result<(), MachineError> {
        let lanes: usize = self.block.iter().map(|&n| n as usize).product();
        let shared = Shared::new(self.kernel.shared + self.shared);
        let local = vec![0u128; (lanes * self.kernel.local.next_multiple_of(16)).div_ceil(16)];
        let memory = local.as_ptr() as u64;
        let mut warps: Vec<Warp<'_>> = (0..lanes.div_ceil(LANES))
            .map(|warp| {
                let first = warp * LANES;
                let mut made = Warp::new(self.kernel, (lanes - first).min(LANES));
                for (register, constant) in &self.kernel.constants {
                    let value = |lane| self.constant(constant, index, first + lane, memory);
                    let mut all: Lanes = [0; LANES];
                    for (lane, place) in all.iter_mut().enumerate() {
                        *place = value(lane)?;
                    }
                    made.set(*register, all);
                }
                Ok(made)
            })
            .collect::<Result<_, MachineError>>()?;
        loop {
            let mut waiting = 0;
            for (number, warp) in warps.iter_mut().enumerate() {
                match warp.run(&Memory { shared: &shared, warp: number })? {
                    State::Ended => {}
                    State::Waits => waiting += 1,
                }
            }
            if waiting == 0 {
                return Ok(());
            }
            warps.iter_mut().for_each(Warp::release);
        }
    }

    fn constant(
        &self,
        constant: &Constant,
        block: u64,
        lane: usize,
        local: u64,
    ) -> Result<u64, MachineError> {
        Ok(match constant {
            Constant::Value(value) => *value,
            Constant::Shared(offset) => SHARED + offset,
            Constant::Local(offset) => {
                local + lane as u64 * self.kernel.local.next_multiple_of(16) as u64 + offset
            }
            Constant::Parameter(offset) => self.parameters.as_ptr() as u64 + offset,
            Constant::Special(name) => {
                let axis = match name.split_once('.').map(|(_, axis)| axis) {
                    Some("x") | None => 0,
                    Some("y") => 1,
                    _ => 2,
                };
                let place = |index: u64, sizes: [u32; 3]| {
                    let sizes = sizes.map(u64::from);
                    [index % sizes[0], index / sizes[0] % sizes[1], index / sizes[0] / sizes[1]][axis]
                };
                match name.split('.').next().unwrap_or_default() {
                    "tid" => place(lane as u64, self.block),
                    "ntid" => u64::from(self.block[axis]),
                    "ctaid" => place(block, self.grid),
                    "nctaid" => u64::from(self.grid[axis]),
                    "laneid" => (lane % LANES) as u64,
                    "warpid" => (lane / LANES) as u64,
                    _ => return Err(MachineError::Undeclared(format!("%{name}"))),
                }
            }
        })
    }
}
