//! Runs PTX on the CPU, as a GPU would: blocks of warps of 32 lanes, shared memory, barriers, tensor cores.
//!
//! What NVIDIA's compiler makes of a kernel can so be held to values on a machine without a GPU. It is a plain
//! interpreter: what PTX's specification (ISA 9.0) leaves open is taken in the way that shows mistakes most. Copies
//! that run beside the program (`cp.async`, `wgmma`) take place as late as they may, namely where the program waits for
//! them; a lane that runs ahead of others does so until something needs them all.
//!
//! The invariant: an instruction that is not known is an error that names it, never a guess.

mod access;
mod block;
mod copies;
mod error;
mod ffi;
mod instruction;
mod matrix;
mod memory;
mod module;
mod scalar;
mod tokens;
mod warp;

pub use block::Launch;
pub use error::MachineError;
pub use module::{Kernel, Module};

/// Lanes of a warp.
pub const LANES: usize = 32;

/// A register of each lane of a warp; numbers shorter than 64 bits lie in the lower ones, the others are zero.
pub(crate) type Lanes = [u64; LANES];
