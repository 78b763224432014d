//! Work that is recorded once and enqueued again at the cost of a single call: CUDA's graphs, and what stands in for them
//! elsewhere.

use cubecl::client::Graph;
use cubecl::prelude::*;

use crate::CubeError;

/// Recorded work and what it gave: the same memory is written whenever it is replayed.
#[derive(Debug)]
pub struct Recording<T> {
    graph: Graph,
    output: T,
}

impl<T> Recording<T> {
    /// Does some work once, which leaves behind the memory that it needs, and records it.
    ///
    /// The work enqueues kernels and does nothing else: what it uploads is refused, or on CUDA recorded with what it
    /// held then. It takes the same memory each time, whatever chooses kernels by their times has chosen before, and on CUDA nothing else
    /// of the process uses the device meanwhile.
    ///
    /// # Errors
    /// [`CubeError::Device`] where the device cannot record, or cannot record this. What the work writes is unreadable
    /// then until it is written again.
    pub fn new(client: &Client, mut work: impl FnMut() -> T) -> Result<Self, CubeError> {
        client.graph_prepare()?;
        drop(work());
        client.start_capture()?;
        let output = work();
        Ok(Self { graph: client.stop_capture()?, output })
    }

    /// What the work gave.
    pub fn output(&self) -> &T {
        &self.output
    }

    /// Enqueues the work again, which reads what its inputs hold now.
    ///
    /// # Safety
    /// All memory that the work reads or writes and did not take itself is still there, and is used by the thread that
    /// recorded it alone, which is also the one that calls this.
    ///
    /// # Errors
    /// [`CubeError::Device`] when the device refuses.
    pub unsafe fn replay(&self) -> Result<(), CubeError> {
        // SAFETY: as the caller promises; memory that the work took is the graph's.
        Ok(unsafe { self.graph.replay() }?)
    }
}
