//! Attention by warps on NVIDIA's tensor cores, in CUDA C++: FlashAttention-2's (Dao, arXiv 2307.08691) order of work over
//! the packed layout's blocks. Scores and sums stay in a warp's registers, and tiles are copied while others are multiplied.
//! Numbers are multiplied in 16 bits, probabilities and gradients by scores are rounded to them first; sums are f32.

use cubecl::prelude::*;
use cubecl::server::Handle;
use toolrl_layout::Heads;

use crate::cuda::{self, CudaText, Macros, capability, is_aligned, stored};
use crate::{CubeError, Dtype};

/// Lines that a block of threads keeps: queries of the heads that share a key-value head, or keys.
pub(crate) const KEPT: usize = 128;

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    Forward,
    ByQuery,
    ByKey,
    /// Over the cache.
    Decode,
}

/// A kernel for heads of given sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Text {
    kernel: Kernel,
    heads: Heads,
    dtype: Dtype,
}

const COMMON: &str = include_str!("common.cu");
const FORWARD: &str = include_str!("forward.cu");
const BY_QUERY: &str = include_str!("by_query.cu");
const BY_KEY: &str = include_str!("by_key.cu");
const DECODE: &str = include_str!("decode.cu");

/// Rows of queries that a block has over the cache.
const DECODE_ROWS: usize = 16;

impl CudaText for Text {
    const FILES: &'static [&'static str] = &[COMMON, FORWARD, BY_QUERY, BY_KEY, DECODE];

    fn name(&self) -> String {
        let Self { kernel, heads, dtype } = self;
        let Heads { query, kv, dim } = heads;
        format!("attention_{kernel:?}_{dtype:?}_{query}_{kv}_{dim}").to_lowercase()
    }

    fn define(&self, macros: &mut Macros) {
        let passing = match self.kernel {
            Kernel::Forward => 64,
            Kernel::ByQuery => 32,
            Kernel::ByKey | Kernel::Decode => 16,
        };
        let Heads { query, kv, dim } = self.heads;
        for (name, value) in
            [("DIM", dim), ("QUERY_HEADS", query), ("KV_HEADS", kv), ("KEPT", KEPT), ("PASSING", passing)]
        {
            macros.add(name, value);
        }
        // Several blocks share a processor where their registers allow it.
        let resident = match self.kernel {
            Kernel::Forward if dim == 64 => 2,
            Kernel::Decode => 3,
            _ => 1,
        };
        macros.add("RESIDENT", resident);
        macros.add_text("TYPE", stored(self.dtype));
    }

    fn files(&self) -> Vec<&'static str> {
        let body = match self.kernel {
            Kernel::Forward => FORWARD,
            Kernel::ByQuery => BY_QUERY,
            Kernel::ByKey => BY_KEY,
            Kernel::Decode => DECODE,
        };
        vec![COMMON, body]
    }

    fn warps(&self) -> usize {
        if self.kernel == Kernel::Decode { 4 } else { KEPT / 16 }
    }
}

/// Whether the device has these kernels, for such heads and numbers.
pub(crate) fn fit(client: &Client, heads: Heads, dtype: Dtype) -> bool {
    let device = capability(client).is_some_and(|capability| capability >= 80);
    device && dtype != Dtype::F32 && matches!(heads.dim, 64 | 128) && heads.group() <= KEPT
}

/// The most sequences that a block takes over a cache of numbers in 16 bits; none where the device has no such kernel.
pub(crate) fn together(client: &Client, heads: Heads) -> Option<usize> {
    let most = DECODE_ROWS / heads.group();
    (fit(client, heads, Dtype::Bf16) && most > 0).then_some(most)
}

/// Enqueues a kernel for so many blocks, each for every key-value head; over the cache, for those that several sequences
/// share and for the others.
///
/// # Errors
/// [`CubeError::Size`] where numbers that are read do not begin where 16 bytes can be copied.
pub(crate) fn launch(
    client: &Client,
    kernel: Kernel,
    (heads, dtype): (Heads, Dtype),
    [shared, others]: [usize; 2],
    (read, written): (&[&Handle], &[&Handle]),
) -> Result<(), CubeError> {
    if let Some(handle) = read.iter().find(|handle| !is_aligned(handle)) {
        let value = handle.offset_start.unwrap_or(0) as usize;
        return Err(CubeError::Size { what: "16 bytes, by which attention copies,", value: 16, of: value });
    }
    let numbers = [u64::from(heads.scale().to_bits()), shared as u64];
    let grid = [((shared + others) * heads.kv) as u32, 1];
    cuda::launch(client, Text { kernel, heads, dtype }, grid, (read, written), &numbers);
    Ok(())
}
